"""A batch in the Prefect UI: its progress while it runs, its report at the end."""

import asyncio
from time import monotonic
from uuid import UUID

from prefect.artifacts import (
    acreate_markdown_artifact,
    acreate_progress_artifact,
    acreate_table_artifact,
    aupdate_progress_artifact,
)

from prefect_omnivideo.core.gateways.registry import get_gateway
from prefect_omnivideo.core.money.amount import told
from prefect_omnivideo.core.records.model import VideoRecord
from prefect_omnivideo.core.reports.report import BatchReport
from prefect_omnivideo.core.reports.templating import markdown_text
from prefect_omnivideo.core.reports.wording import reason
from prefect_omnivideo.flows.run.settling import how_to_settle
from prefect_omnivideo.tasks.showing import only_shows

SECONDS_BETWEEN = 3.0
"""Seconds between two updates of the progress: the server stores each of them."""
LONGEST_UPDATE = 10.0
"""Timeout of a progress update, in seconds: a video waits for it."""
MOST_ROWS = 1000
"""Rows of the table of videos; `report.json` has them all."""


class Progress:
    """One progress bar for a batch."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._artifact: UUID | None = None
        self._shown_at = 0.0
        self._turn = asyncio.Lock()

    async def show(self, done: int, description: str) -> bool:
        """Update the bar at most every `SECONDS_BETWEEN`, and always at the end. Returns whether it did."""
        moment = monotonic()
        if done < self._total and (self._turn.locked() or moment - self._shown_at < SECONDS_BETWEEN):
            return False
        self._shown_at = moment
        percent = 100 * done / self._total
        # Several videos may end at a time, and there is one bar.
        with only_shows("the progress"):
            async with self._turn, asyncio.timeout(LONGEST_UPDATE):
                if self._artifact is None:
                    self._artifact = await acreate_progress_artifact(
                        percent, key="omnivideo-progress", description=description
                    )
                else:
                    await aupdate_progress_artifact(self._artifact, percent, description=description)
        return True


async def show_report(report: BatchReport) -> None:
    """The report as a page, and a table with one row per video."""
    with only_shows("the report"):
        page = report.markdown()
        if report.unknown:
            page += await how_to_settle(report.title or report.batch)
        await acreate_markdown_artifact(page, key="omnivideo-report", description=report.summary())
    with only_shows("the table of videos"):
        rows = [_row(record, report) for record in report.records[:MOST_ROWS]]
        await acreate_table_artifact(rows, key="omnivideo-videos", description=f"Videos of batch {report.batch}")


def _row(record: VideoRecord, report: BatchReport) -> dict[str, str | float | None]:
    """One video. The UI renders texts in a table as Markdown, with links and HTML, so they are escaped."""
    file = record.files[0] if record.files else None
    duration = file.media.get("duration") if file else None
    return {
        "prompt": markdown_text(record.request.prompt[:200]),
        "state": str(record.state),
        "video": markdown_text(report.address(file)) if file else "",
        "seconds": duration if isinstance(duration, int | float) else None,
        "MB": round(file.size / 1e6, 2) if file else None,
        "cost": told(record.cost),
        "gateway": get_gateway(record.attempt.gateway).title,
        "task id": markdown_text(record.attempt.task_id or ""),
        "key": record.key,
        "reason": markdown_text(reason(record) or "; ".join(record.mismatches)),
    }
