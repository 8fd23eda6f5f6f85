"""Submissions of unknown outcome, resolved by what the gateway's own console lists."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import NamedTuple
from weakref import WeakKeyDictionary

from prefect_omnivideo.core.client.account import Account
from prefect_omnivideo.core.client.console import Console, ConsoleTask, tasks_between
from prefect_omnivideo.core.client.pool import connect
from prefect_omnivideo.core.errors import JobError
from prefect_omnivideo.core.jobs.evidence import (
    Adopt,
    Candidates,
    NotAccepted,
    TooEarly,
    decide,
    listing_span,
    open_attempts,
    owners,
)
from prefect_omnivideo.core.jobs.ownership import is_owner
from prefect_omnivideo.core.jobs.persist import Log, keep, latest
from prefect_omnivideo.core.records.model import VideoRecord, VideoState, now
from prefect_omnivideo.core.records.repository import Records
from prefect_omnivideo.core.references.sharing import Shared
from prefect_omnivideo.core.threads import on_records

LOOKED = 60.0
"""Seconds for which one lookup is shared by all callers: it reads every record of the store."""


class Looked(NamedTuple):
    """The result of a lookup, by the key and batch of each record of unknown outcome."""

    said: dict[tuple[str, str], str]
    """A sentence for people."""


_looks: WeakKeyDictionary[asyncio.AbstractEventLoop, Shared[Looked]] = WeakKeyDictionary()


async def look(records: Records, account: Account, console: Console, log: Log) -> Looked:
    """Resolve the unknown submissions of an account if its console is unambiguous.

    Found jobs are adopted; what the gateway certainly never accepted may be sent again. The rest is left to a person.
    """
    looks = _looks.setdefault(asyncio.get_running_loop(), Shared())
    return await looks.get(
        (account, records.store.uri("")), lambda: _look(records, account, console, log), valid_for=LOOKED
    )


async def _look(records: Records, account: Account, console: Console, log: Log) -> Looked:
    asked_at = now()
    everything = await on_records(lambda: list(records.all()))
    unknowns = [each for each in everything if each.state is VideoState.UNKNOWN and is_owner(each, account)]
    if not unknowns:
        return Looked({})
    start, end = listing_span(unknowns, owners(everything))
    tasks = await tasks_between(account, console, start, end)
    if tasks is None:
        log.warning("the console of %s at %s returned no list of jobs", account.gateway.title, account.base_url)
        return Looked({})
    # Read again: a worker that was submitting during the console query has its task id by now.
    everything = await on_records(lambda: list(records.all()))
    rivals, owned = [each for each in everything if open_attempts(each)], owners(everything)
    said: dict[tuple[str, str], str] = {}
    for record in everything:
        if record.state is VideoState.UNKNOWN and is_owner(record, account):
            verdict = decide(record, rivals, tasks, owned, asked_at)
            sentence = await _apply(record, verdict, records, account, log)
            log.info("%s: %s", record.stem, sentence)
            said[record.batch, record.key] = sentence
    return Looked(said)


async def _apply(
    record: VideoRecord,
    verdict: Adopt | NotAccepted | Candidates | TooEarly,
    records: Records,
    account: Account,
    log: Log,
) -> str:
    claim_id = record.attempt.claim_id
    match verdict:
        case Adopt(task_id=task_id):
            try:
                async with connect(account) as client:
                    await client.status(task_id, record.attempt.submit_path)
            except JobError as error:
                return f"the console lists the job {task_id}, which the API does not show ({error})"
            kept = await keep(
                records, await latest(records, record), lambda each: each.accepted(claim_id, task_id), log
            )
            return f"the console lists it as {kept.record.attempt.task_id}: it was accepted, and is collected"
        case NotAccepted():
            reason = "the gateway's console lists no such job: it was not accepted, and nothing was spent"

            def step(each: VideoRecord) -> VideoRecord | None:
                ours = each.is_claimed_by(claim_id) and each.state is VideoState.UNKNOWN
                return each.failed("gateway error", reason, accepted=False) if ours else None

            await keep(records, await latest(records, record), step, log)
            return reason
        case TooEarly(until=until):
            return f"it cannot be decided before {until:%Y-%m-%d %H:%M:%S %Z}"
        case Candidates(tasks=tasks):
            return _candidates(tasks)


def _candidates(tasks: Sequence[ConsoleTask]) -> str:
    if not tasks:
        return "the console's list allows no conclusion"
    shown = ", ".join(f"{task.task_id} ({task.submitted_at:%H:%M:%S}, {task.model})" for task in tasks[:5])
    return f"it may be one of {len(tasks)} jobs of the console: {shown}"
