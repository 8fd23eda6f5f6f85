"""The takes of each prompt of a batch, and a person's choice among them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from prefect_omnivideo.core.errors import Problem, RequestError, refuse
from prefect_omnivideo.core.records.model import VideoRecord, VideoState
from prefect_omnivideo.core.redaction import shorten
from prefect_omnivideo.core.reports.marks import Marks
from prefect_omnivideo.core.request import VideoRequest


class Takes(NamedTuple):
    """The videos of one request, in the order of their takes."""

    request: VideoRequest
    """With the take 1, whatever takes there are."""
    stored: Sequence[VideoRecord]
    others: int
    """Takes that are not stored: failed, unknown, or still being made."""
    next_take: int
    """The number of a take that was never asked for."""

    @property
    def key(self) -> str:
        """The same whichever take is chosen."""
        return self.request.key


class Choice(NamedTuple):
    """Which takes are kept, and who said so."""

    kept: Sequence[VideoRecord]
    """One of a prompt at most."""
    without: int
    """Prompts of which none is kept."""
    by: str
    """Who chose, as the person typed it; empty: not known."""
    source: str
    """Where the answer came from."""
    at: datetime
    again: Sequence[VideoRequest] = ()
    """Takes that are wanted and were not asked for yet."""


def takes_of(records: Iterable[VideoRecord]) -> list[Takes]:
    """The takes of every request among the records, in the order of their lists."""
    found: dict[str, list[VideoRecord]] = {}
    for record in sorted(records, key=lambda record: record.order):
        found.setdefault(_alone(record.request).key, []).append(record)
    return [_takes(group) for group in found.values()]


def choice_of(marks: Marks, batch: str, takes: Sequence[Takes], at: datetime, source: str) -> Choice:
    """The choice in a file that the gallery exported: what is marked `keep`, and nothing else.

    Raises:
        RequestError: the file is of another batch, names a video that is not there, or keeps several takes of a prompt.
    """
    if marks.batch != batch:
        rule = f"the file has the marks of the batch {marks.batch}, not of {batch}"
        raise refuse("choices", rule, "the file that the gallery of this batch exports", subject="parameters")
    prompts = {record.key: each for each in takes for record in each.stored}
    problems = [
        Problem("choices", f"{video.key} ({video.mark}) is no stored video of the batch {batch}")
        for video in marks.marks
        if video.key not in prompts
    ]
    kept, again = set(marks.keys("keep")), set(marks.keys("again"))
    for each in takes:
        mine = [record.request.take for record in each.stored if record.key in kept]
        if len(mine) > 1:
            numbers = ", ".join(map(str, mine))
            rule = f"{shorten(each.request.prompt, 60)!r} has several takes marked keep: {numbers}"
            problems.append(Problem("choices", rule, "one of a prompt"))
    if problems:
        raise RequestError(problems, subject="parameters")
    return Choice(
        kept=[record for each in takes for record in each.stored if record.key in kept],
        without=sum(all(record.key not in kept for record in each.stored) for each in takes),
        by="",
        source=source,
        at=at,
        again=[wanted(each) for each in takes if any(record.key in again for record in each.stored)],
    )


def chosen(takes: Sequence[Takes], numbers: Mapping[str, int | None], *, by: str, source: str, at: datetime) -> Choice:
    """The choice by prompts. The only take of a prompt is kept, unless it was asked about.

    Args:
        numbers: of the takes to keep, by `Takes.key`; None keeps none of the prompt.
    """
    kept = [
        record
        for each in takes
        for record in each.stored
        if record.request.take == (numbers[each.key] if each.key in numbers else each.stored[0].request.take)
    ]
    return Choice(kept, len(takes) - len(kept), by, source, at)


def wanted(takes: Takes) -> VideoRequest:
    """One more take of a prompt."""
    return takes.request.model_copy(update={"take": takes.next_take})


def _takes(group: Sequence[VideoRecord]) -> Takes:
    stored = sorted(
        (record for record in group if record.state is VideoState.STORED and record.files),
        key=lambda record: record.request.take,
    )
    last = max(record.request.take for record in group)
    return Takes(_alone(group[0].request), stored, len(group) - len(stored), last + 1)


def _alone(request: VideoRequest) -> VideoRequest:
    return request.model_copy(update={"take": 1})
