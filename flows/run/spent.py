"""What a store did cost, counted while a sweep reads all of its records anyway, and shown as an artifact."""

from collections.abc import Iterable

from prefect.artifacts import acreate_markdown_artifact

from prefect_omnivideo.core.records.model import VideoRecord, now
from prefect_omnivideo.core.records.repository import record_name
from prefect_omnivideo.core.reports.spending import Spending
from prefect_omnivideo.core.reports.spending_page import spending_page
from prefect_omnivideo.tasks.showing import only_shows

KEY = "omnivideo-spending"
"""Key of the artifact."""


class Spent:
    """Counts the records of one sweep. An error means that nothing is shown, never that the sweep fails."""

    def __init__(self) -> None:
        self._spending = Spending("day")
        self._is_whole = True

    def count(self, records: Iterable[VideoRecord]) -> None:
        """Count records that the sweep does not change, or no longer."""
        done = False
        with only_shows("the spending"):
            for record in records:
                self._spending.add(record)
            done = True
        self._is_whole &= done

    async def show(self, found: Iterable[VideoRecord], collected: Iterable[VideoRecord]) -> None:
        """Count what the sweep worked on, and show the spending by day, if there is any.

        Args:
            found: the records as the sweep found them.
            collected: those of them that it has read again since.
        """
        with only_shows("the spending"):
            newest = {record_name(record): record for records in (found, collected) for record in records}
            self.count(newest.values())
            if self._is_whole and self._spending.lines:
                page = spending_page(self._spending.lines, now().date())
                await acreate_markdown_artifact(page, key=KEY, description="What the videos of the store did cost")
