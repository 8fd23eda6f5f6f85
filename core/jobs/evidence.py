"""What a gateway's console listing proves about a submission of unknown outcome. Pure: no I/O.

There is an answer only if the evidence is unambiguous. That requires `tasks` to hold all that the console lists for
`listing_span`, `now` to be taken before the query, and the records to be read after it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from prefect_omnivideo.core.client.console import ConsoleTask
from prefect_omnivideo.core.errors import RequestError
from prefect_omnivideo.core.gateways.registry import get_gateway
from prefect_omnivideo.core.records.model import Attempt, VideoRecord

TOLERANCE = timedelta(seconds=60)
"""How far the gateway's clock may be from this machine's."""
SETTLING = timedelta(minutes=15)
"""How long after a claim's expiry a gateway may still list a job of it."""


@dataclass(frozen=True)
class Adopt:
    """This job is the record's. Ask the gateway about it with the account's own key before writing it down."""

    task_id: str


@dataclass(frozen=True)
class NotAccepted:
    """The gateway never accepted the request: nothing was spent, and it may be sent again."""


@dataclass(frozen=True)
class Candidates:
    """A person has to decide; these jobs are candidates, none if the listing proves nothing."""

    tasks: tuple[ConsoleTask, ...]


@dataclass(frozen=True)
class TooEarly:
    """Undecidable before that moment."""

    until: datetime


Verdict = Adopt | NotAccepted | Candidates | TooEarly


def decide(
    unknown: VideoRecord,
    unknowns: Sequence[VideoRecord],
    tasks: Sequence[ConsoleTask],
    owned: Mapping[str, Attempt],
    now: datetime,
) -> Verdict:
    """The outcome of the latest attempt of `unknown`.

    Args:
        unknown: a record whose claim expired without an outcome.
        unknowns: every record of the store with an open attempt (`open_attempts`), including those being submitted now.
        tasks: all jobs that the console lists for `listing_span`.
        owned: the attempt of every task id that a record of the store holds (`owners`).
        now: when the console was asked.
    """
    attempt = unknown.attempt
    if attempt not in open_attempts(unknown):
        return Candidates(())
    # A job of a claim made after `now` is listed after this claim's window ends, whatever the clock skew.
    if now <= attempt.claim_ends_at + 2 * TOLERANCE:
        return TooEarly(attempt.claim_ends_at + 2 * TOLERANCE)
    free = [task for task in {task.task_id: task for task in tasks}.values() if task.task_id not in owned]
    mine = [task for task in free if _could_be(task, unknown, attempt)]
    mine = [task for task in mine if task.own_id] or mine
    if len(mine) == 1 and _claimants(mine[0], [unknown, *unknowns]) == 1:
        return Adopt(mine[0].task_id)
    start, end = _window(attempt)
    near = [task for task in free if start <= task.submitted_at <= end + SETTLING]
    if near:
        return Candidates(tuple(mine or near))
    if now < attempt.claim_ends_at + SETTLING:
        return TooEarly(attempt.claim_ends_at + SETTLING)
    return NotAccepted() if _is_proven(tasks, owned, attempt) else Candidates(())


def open_attempts(record: VideoRecord) -> list[Attempt]:
    """The attempts that may have created a job of unknown id."""
    return [
        attempt
        for attempt in record.attempts
        if attempt.task_id is None and (attempt.failure is None or attempt.failure.accepted)
    ]


def owners(records: Iterable[VideoRecord]) -> dict[str, Attempt]:
    """The attempt that holds each task id."""
    attempts = [attempt for record in records for attempt in record.attempts]
    return {attempt.task_id: attempt for attempt in attempts if attempt.task_id is not None}


def listing_span(unknowns: Sequence[VideoRecord], owned: Mapping[str, Attempt]) -> tuple[datetime, datetime]:
    """The time that a listing has to cover to decide about these records of one account.

    It includes the nearest job that the account is known to have made: without one, the listing might be
    another user's, or the clocks might differ, and no record is released.
    """
    attempts = [record.attempt for record in unknowns]
    start = min(_window(attempt)[0] for attempt in attempts)
    end = max(_window(attempt)[1] for attempt in attempts) + SETTLING
    known = [attempt for attempt in owned.values() if _same_account(attempt, attempts[0])]
    if known:
        nearest = min(known, key=lambda attempt: max(start - attempt.started_at, attempt.started_at - end))
        start, end = min(start, _window(nearest)[0]), max(end, _window(nearest)[1])
    return start, end


def _window(attempt: Attempt) -> tuple[datetime, datetime]:
    return attempt.started_at - TOLERANCE, attempt.claim_ends_at + TOLERANCE


def _could_be(task: ConsoleTask, record: VideoRecord, attempt: Attempt) -> bool:
    """Whether nothing listed about a job contradicts its being this attempt's."""
    start, end = _window(attempt)
    if not start <= task.submitted_at <= end:
        return False
    if task.own_id and task.own_id not in (record.key, record.request.options.get("external_task_id")):
        return False
    model, prompts = _model(record, attempt), {_words(record.request.prompt), _words(task.prompt)}
    if task.model and model and task.model.casefold() != model.casefold():
        return False
    longest = max(prompts, key=len)
    return all(longest.startswith(prompt) for prompt in prompts)  # a console may cut a prompt, or omit it


def _claimants(task: ConsoleTask, records: Sequence[VideoRecord]) -> int:
    """How many open attempts, of any account, the job could belong to: keys of one user share one console."""
    different = {(record.batch, record.key): record for record in records}.values()
    gateway = records[0].attempt.gateway
    return sum(
        attempt.gateway == gateway and _could_be(task, record, attempt)
        for record in different
        for attempt in open_attempts(record)
    )


def _is_proven(tasks: Sequence[ConsoleTask], owned: Mapping[str, Attempt], attempt: Attempt) -> bool:
    """Whether the listing has a job that this account is known to have made, at the right time."""
    for task in tasks:
        known = owned.get(task.task_id)
        if known is not None and _same_account(known, attempt):
            start, end = _window(known)
            if start <= task.submitted_at <= (known.submitted_at + TOLERANCE if known.submitted_at else end):
                return True
    return False


def _same_account(one: Attempt, other: Attempt) -> bool:
    return (one.gateway, one.account, one.base_url) == (other.gateway, other.account, other.base_url)


def _model(record: VideoRecord, attempt: Attempt) -> str:
    """The model that the request named, or the gateway's default; empty if unknown."""
    try:
        body = {**get_gateway(attempt.gateway).translate(record.request), **record.request.options}
    except RequestError:
        return ""
    return str(body.get("model") or "").strip()


def _words(text: str) -> str:
    return " ".join(text.split())
