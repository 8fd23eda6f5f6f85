"""What the videos of a store did cost: exact sums over their records, by day, account, model or batch.

Records are counted one at a time: memory grows with the lines, not with the records. Every submission that was, or may
have been, accepted counts in exactly one line, so that lines add up to the total.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, timedelta
from decimal import Context, Decimal, Inexact, localcontext
from typing import Literal

from prefect_omnivideo.core.errors import RequestError, refuse
from prefect_omnivideo.core.gateways.registry import get_gateway
from prefect_omnivideo.core.money.amount import PLACES
from prefect_omnivideo.core.prices.kind import kind_of
from prefect_omnivideo.core.records.model import Attempt, VideoRecord, VideoState

By = Literal["day", "account", "model", "batch"]
DEFAULT_MODEL = "default"
"""In place of the model of a request that names none, at a gateway that is not installed here."""
_NOTHING = Decimal(0)
_EXACT = Context(prec=100, traps=[Inexact])
_WIDE = Context(prec=100)
_LONGEST = 3660


@dataclass
class Line:
    """Submissions of one group whose money is in one unit."""

    group: str
    unit: str
    """That of the cost, or else of the estimate; empty if neither is known."""
    jobs: int = 0
    """Submissions that the gateway accepted."""
    uncertain: int = 0
    """Submissions of unknown outcome: they may have been accepted, and paid."""
    videos: int = 0
    """Videos in the store."""
    seconds: Decimal = _NOTHING
    """Length of these videos, as far as it is known."""
    without_length: int = 0
    """Videos whose length is not known."""
    without_cost: int = 0
    """Jobs and uncertain submissions whose cost is not known."""
    without_estimate: int = 0
    """Jobs and uncertain submissions that had no estimate in this unit."""
    compared: int = 0
    """Jobs with an estimate and a cost."""
    _estimate: Decimal = _NOTHING
    _estimate_without_cost: Decimal = _NOTHING
    _cost: Decimal = _NOTHING
    _cost_without_video: Decimal = _NOTHING
    _difference: Decimal = _NOTHING
    _cost_without_length: Decimal = _NOTHING
    _seconds_with_cost: Decimal = _NOTHING

    @classmethod
    def of(cls, group: str, record: VideoRecord, attempt: Attempt) -> Line | None:
        """The figures of one submission, or None if it was certainly not accepted."""
        is_stored = record.state is VideoState.STORED and attempt is record.attempts[-1]
        is_accepted = is_stored or attempt.task_id is not None or attempt.cost is not None
        if not is_accepted and not attempt.lacks_cost:
            return None
        cost, estimate = attempt.cost, attempt.estimate
        unit = cost.unit if cost else estimate.unit if estimate else ""
        line = cls(group, unit, jobs=int(is_accepted), uncertain=int(not is_accepted), videos=int(is_stored))
        expected = estimate.value if estimate and estimate.unit == unit else None
        if expected is None:
            line.without_estimate = 1
        else:
            line._estimate = expected
        seconds = _seconds(record) if is_stored else _NOTHING
        line.seconds, line.without_length = seconds or _NOTHING, int(seconds is None)
        if cost is None:
            line.without_cost, line._estimate_without_cost = 1, line._estimate
            return line
        line._cost = cost.value
        line._cost_without_video = _NOTHING if is_stored else cost.value
        line._cost_without_length = cost.value if seconds is None else _NOTHING
        line._seconds_with_cost = line.seconds
        if expected is not None:
            line.compared, line._difference = 1, cost.value - expected
        return line

    @property
    def submissions(self) -> int:
        """Those accepted, and those that may have been."""
        return self.jobs + self.uncertain

    @property
    def cost(self) -> Decimal | None:
        """What gateways charged, as far as it is known; None if no cost is."""
        return self._cost if self.without_cost < self.submissions else None

    @property
    def cost_without_video(self) -> Decimal | None:
        """The part of the cost that is of jobs whose video is not in the store; None if no cost is known."""
        return None if self.cost is None else self._cost_without_video

    @property
    def estimate(self) -> Decimal | None:
        """What submissions were expected to cost, as far as it was estimated; None if no estimate is known."""
        return self._estimate if self.without_estimate < self.submissions else None

    @property
    def estimate_without_cost(self) -> Decimal | None:
        """The part of the estimate that is of submissions whose cost is not known."""
        return None if self.estimate is None else self._estimate_without_cost

    @property
    def difference(self) -> Decimal | None:
        """Cost less estimate of the jobs that have both; None if none has."""
        return self._difference if self.compared else None

    @property
    def cost_per_second(self) -> Decimal | None:
        """Cost by second in the store, that of failed jobs included; None if there is no such second.

        Videos of unknown cost or length have no part in it.
        """
        if not self._seconds_with_cost:
            return None
        with localcontext(_WIDE):
            return round((self._cost - self._cost_without_length) / self._seconds_with_cost, PLACES)

    def add(self, other: Line) -> None:
        """Add the figures of another line, which must be of the same unit."""
        with localcontext(_EXACT):
            for name in _FIGURES:
                setattr(self, name, getattr(self, name) + getattr(other, name))


_FIGURES = tuple(name for name in Line.__dataclass_fields__ if name not in ("group", "unit"))


class Spending:
    """Counts records.

    Args:
        by: what to group by; None puts everything in one group, whose name is empty.
        since: the first day to count, in UTC. A submission counts on the day it was made.
    """

    def __init__(self, by: By | None = None, since: date | None = None) -> None:
        self._by: By | None = by
        self._since = since
        self._lines: dict[tuple[str, str], Line] = {}

    def add(self, record: VideoRecord) -> None:
        """Count the submissions of a video."""
        for attempt in record.attempts:
            day = _day(attempt)
            if self._since and day < self._since:
                continue
            line = Line.of(_group(self._by, record, attempt, day), record, attempt)
            if line:
                self._lines.setdefault((line.group, line.unit), Line(line.group, line.unit)).add(line)

    @property
    def lines(self) -> list[Line]:
        """A line for each group and unit, in the order of their names."""
        return [self._lines[key] for key in sorted(self._lines)]


def totals(lines: Iterable[Line]) -> list[Line]:
    """The sum of lines: one for each unit."""
    found: dict[str, Line] = {}
    for line in lines:
        found.setdefault(line.unit, Line("", line.unit)).add(line)
    return [found[unit] for unit in sorted(found)]


def first_day(since: str, today: date) -> date:
    """The day meant by "2026-08-01", or by "7d": the last seven days with today.

    Raises:
        RequestError: it is neither.
    """
    days = since.removesuffix("d")
    if since.endswith("d") and days.isascii() and days.isdecimal():
        if len(days) <= len(str(_LONGEST)) and 1 <= int(days) <= _LONGEST:
            return today - timedelta(days=int(days) - 1)
        raise _refused(since, f"it is not 1 to {_LONGEST} days")
    try:
        found = date.fromisoformat(since)
    except ValueError:
        raise _refused(since, "it is neither a date nor a number of days") from None
    if found > today:
        raise _refused(since, f"it is after today, {today} in UTC")
    return found


def _refused(since: str, rule: str) -> RequestError:
    return refuse("since", f"{since!r}: {rule}", "a date such as 2026-08-01, or days such as 7d", subject="spend")


def _seconds(record: VideoRecord) -> Decimal | None:
    """The length of a stored video; None if that of one of its files is not known."""
    found = _NOTHING
    for file in record.files:
        length = file.media.get("duration")
        if isinstance(length, bool) or not isinstance(length, int | float) or not 0 <= length < 10**9:
            return None
        found += round(Decimal(str(length)), PLACES)
    return found


def _day(attempt: Attempt) -> date:
    """When it was sent, as budgets count it: a person may learn the task id, and so give it to the record, later."""
    return attempt.started_at.astimezone(UTC).date()


def _group(by: By | None, record: VideoRecord, attempt: Attempt, day: date) -> str:
    match by:
        case "day":
            return day.isoformat()
        case "account":
            return attempt.account
        case "model":
            return _model(record, attempt)
        case "batch":
            return record.batch
        case None:
            return ""


def _model(record: VideoRecord, attempt: Attempt) -> str:
    """The model as the gateway called it."""
    try:
        return kind_of(record.request, get_gateway(attempt.gateway)).model or DEFAULT_MODEL
    except RequestError:  # the gateway is not installed here, or takes no such request any more
        return record.request.model or DEFAULT_MODEL
