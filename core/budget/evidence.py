"""What records tell about the use of a budget."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from prefect_omnivideo.core.budget.usage import ZERO, Usage
from prefect_omnivideo.core.records.model import Attempt, VideoRecord, VideoState


class Found(NamedTuple):
    """What an attempt, or several, count as."""

    usage: Usage = ZERO
    is_final: bool = True
    """Whether it can no longer change."""
    is_sent: bool = True
    """Whether a submission had an outcome, and counts."""

    def __add__(self, other: object) -> Found:
        assert isinstance(other, Found)
        return Found(self.usage + other.usage, self.is_final and other.is_final, self.is_sent or other.is_sent)


def usage_of(record: VideoRecord, attempt: Attempt) -> Found:
    """What an attempt counts as: its cost if it is known, or else what was reserved for it.

    Nothing after a rejection before acceptance. A job that the gateway accepted counts, also if it failed: it may
    have been billed. So does one of unknown outcome.
    """
    if attempt.failure and not attempt.failure.accepted:
        return Found(is_sent=False)
    expected = Usage.of(attempt.reserved.amount if attempt.reserved else attempt.estimate)
    is_last = attempt is record.attempts[-1]
    state = record.state if is_last else VideoState.FAILED
    if state is VideoState.SUBMITTING:
        return Found(expected, is_final=False, is_sent=False)
    if state in (VideoState.SUBMITTED, VideoState.UNKNOWN):
        return Found(expected, is_final=False)
    return Found(_at_cost(attempt, expected))


def usage_of_batch(records: Iterable[VideoRecord]) -> Usage:
    """What all attempts of some records count as, reserved or not."""
    return sum((usage_of(record, attempt).usage for record in records for attempt in record.attempts), ZERO)


def usage_of_leases(records: Iterable[VideoRecord], leases: Iterable[str]) -> dict[str, Found]:
    """What the attempts under each lease count as."""
    found = {lease: Found() for lease in leases}
    for record in records:
        for attempt in record.attempts:
            for lease in attempt.reserved.leases if attempt.reserved else ():
                if lease in found:
                    found[lease] += usage_of(record, attempt)
    return found


def usage_of_reservation(record: VideoRecord | None, reservation: str) -> Found | None:
    """What the attempts under one reservation count as; None if there are none: nothing was claimed."""
    mine = [
        usage_of(record, attempt)
        for attempt in (record.attempts if record else ())
        if record and attempt.reserved and attempt.reserved.id == reservation
    ]
    return sum(mine[1:], mine[0]) if mine else None


def _at_cost(attempt: Attempt, expected: Usage) -> Usage:
    """The cost, where the gateway told it in the unit of the reservation; without a reservation, in any."""
    reserved = attempt.reserved.amount if attempt.reserved else None
    if attempt.cost is None or (reserved and attempt.cost.unit != reserved.unit):
        return expected
    return Usage.of(attempt.cost)
