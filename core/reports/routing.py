"""What a route did to a video, for people: the accounts that did not make it, and what was left out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from prefect_omnivideo.core.records.model import Attempt, VideoRecord
from prefect_omnivideo.core.reports.wording import plain


def moves(record: VideoRecord) -> tuple[str, ...]:
    """Why the video went from each account to the next one: a sentence each time."""
    pairs = zip(record.attempts, record.attempts[1:], strict=False)
    return tuple(
        f"{_account(before)} did not make it, so it went to {_account(after)}: {_why(before)}"
        for before, after in pairs
        if _account(before) != _account(after)
    )


def moved(record: VideoRecord) -> str:
    """The same in a few words, for a cell of a table; empty if it went nowhere."""
    last = next((each for each in reversed(record.attempts) if _account(each) != _account(record.attempt)), None)
    return f"from {_account(last)}: {last.failure.category}" if last and last.failure else ""


def differences(record: VideoRecord) -> tuple[str, ...]:
    """How the video differs from the request, and what the account was not sent of it."""
    dropped = record.attempt.dropped
    left_out = f"sent without {', '.join(dropped)}, which {_account(record.attempt)} cannot honour"
    return (*record.mismatches, left_out) if dropped else record.mismatches


def paths(records: Iterable[VideoRecord]) -> dict[str, int]:
    """How many videos went from which account to which."""
    found = Counter(
        f"{_account(before)} > {_account(after)}"
        for record in records
        for before, after in zip(record.attempts, record.attempts[1:], strict=False)
        if _account(before) != _account(after)
    )
    return dict(found.most_common())


def _account(attempt: Attempt) -> str:
    return f"{attempt.gateway}/{attempt.account}"


def _why(attempt: Attempt) -> str:
    failure = attempt.failure
    return f"{failure.category}: {plain(failure.message)}" if failure else "a person released it"
