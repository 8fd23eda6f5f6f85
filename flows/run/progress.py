"""A batch in the Prefect UI: its progress while it runs, its report at the end."""

import asyncio
from contextlib import suppress
from time import monotonic
from uuid import UUID

from prefect.artifacts import (
    acreate_markdown_artifact,
    acreate_progress_artifact,
    acreate_table_artifact,
    aupdate_progress_artifact,
)
from prefect.runtime import flow_run

from prefect_omnivideo.core.gateways.registry import get_gateway
from prefect_omnivideo.core.money.amount import told
from prefect_omnivideo.core.records.model import VideoRecord, VideoState
from prefect_omnivideo.core.redaction import shorten
from prefect_omnivideo.core.reports.markdown import markdown_cell
from prefect_omnivideo.core.reports.report import BatchReport
from prefect_omnivideo.core.reports.routing import differences, moved
from prefect_omnivideo.core.reports.wording import reason
from prefect_omnivideo.flows.run.settling import how_to_settle
from prefect_omnivideo.tasks.showing import only_shows

SECONDS_BETWEEN = 3.0
"""Seconds between two updates of the progress: the server stores each of them."""
LONGEST_UPDATE = 10.0
"""Timeout of a progress update, in seconds: a video waits for it."""
LONGEST_REASON = 40
"""Characters of a reason in the table: more of them hide the prompts, and the report has it whole."""
LONGEST_PROMPT = 200
"""Characters of a prompt in the table, which people search."""
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
    """The report as a page, and a table with one row per video.

    The keys are those of all batches: descriptions, and the names of the runs beside them, tell batches apart.
    """
    heading = _heading(report.title or report.batch)
    batch = markdown_cell(heading)
    with only_shows("the report"):
        page = report.markdown(heading)
        if report.unknown:
            page += await how_to_settle(report.title or report.batch)
        text = f"{batch}: {report.summary()}"
        await acreate_markdown_artifact(page, key="omnivideo-report", description=text)
    with only_shows("the table of videos"):
        rows = [_row(record, report) for record in report.records[:MOST_ROWS]]
        await acreate_table_artifact(rows, key="omnivideo-videos", description=f"{batch}: its videos")


def _heading(batch: str) -> str:
    """The batch for people: with the name of the run, where it is named by the id of a run alone."""
    with suppress(ValueError):
        UUID(batch)
        return f"{flow_run.name} (batch {batch})"
    return batch


def _row(record: VideoRecord, report: BatchReport) -> dict[str, str | float | None]:
    """One video: first what people look for, as the page has room for three or four columns."""
    file = record.files[0] if record.files else None
    address = report.address(file) if file else ""
    duration = file.media.get("duration") if file else None
    return {
        "state": str(record.state),
        "reason": _why(record),
        "prompt": markdown_cell(record.request.prompt[:LONGEST_PROMPT]),
        "file": file.name.rpartition("/")[2] if file else "",
        "cost": told(record.cost, record.without_cost),
        "seconds": duration if isinstance(duration, int | float) else None,
        "MB": round(file.size / 1e6, 2) if file else None,
        "gateway": get_gateway(record.attempt.gateway).title,
        "task id": markdown_cell(record.attempt.task_id or ""),
        "key": record.key,
        "address": address if report.public_url else markdown_cell(address),
    }


def _why(record: VideoRecord) -> str:
    """The reason in a few words."""
    if record.state is VideoState.FAILED and record.failure:
        return record.failure.category
    if record.state is VideoState.UNKNOWN:
        return "may have been paid"
    said = reason(record) or "; ".join(filter(None, (*differences(record), moved(record))))
    return markdown_cell(shorten(said, LONGEST_REASON))
