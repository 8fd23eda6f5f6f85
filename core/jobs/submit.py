"""Claim and submit exactly once: the record is durable before the request, the task id before the wait."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta
from time import monotonic
from uuid import uuid4

import stamina
from pydantic import BaseModel

from prefect_omnivideo.core.budget.ticket import Ticket
from prefect_omnivideo.core.client.account import Account
from prefect_omnivideo.core.client.client import GatewayClient
from prefect_omnivideo.core.client.pool import connect
from prefect_omnivideo.core.errors import RecordConflictError, StoreUnavailableError, SubmissionUnknownError
from prefect_omnivideo.core.exchange import Exchange
from prefect_omnivideo.core.gateways.continuing import Continuation, continued
from prefect_omnivideo.core.gateways.specification import Accepted, Rejected, Unknown
from prefect_omnivideo.core.gateways.validation import translate
from prefect_omnivideo.core.jobs.persist import Log, Step, keep, latest
from prefect_omnivideo.core.jobs.rejection import rejection_error
from prefect_omnivideo.core.prices.estimate import Estimate
from prefect_omnivideo.core.records.model import (
    CLOCKS_APART,
    Attempt,
    Place,
    VideoRecord,
    VideoState,
    new_record,
    now,
)
from prefect_omnivideo.core.records.repository import Records, Versioned
from prefect_omnivideo.core.references.parse import own_references, placeholder
from prefect_omnivideo.core.references.publish import reachable
from prefect_omnivideo.core.request import VideoRequest
from prefect_omnivideo.core.routes.dropping import sent_to
from prefect_omnivideo.core.routes.fallback import may_submit
from prefect_omnivideo.core.threads import on_records

CLAIM_PAUSE = 1.0
"""Seconds between two reads of a record that another process is submitting."""
CLAIM_PATIENCE = 60.0
"""Seconds to retry a claim while the store is unavailable."""


async def submit(
    request: VideoRequest,
    account: Account,
    records: Records,
    batch: str,
    log: Log,
    flow_run: str | None = None,
    place: Place | None = None,
    *,
    expected: Estimate | None = None,
    ticket: Ticket | None = None,
    continues: Continuation | None = None,
) -> VideoRecord:
    """Submit a request once, or find the outcome of an earlier submission.

    Args:
        place: where the video is asked for; kept in its record if this is the first time.
        expected: what it will cost, for its record.
        ticket: reserves in the budgets that cover it; None if none does.
        continues: the video that a shot continues; one that was submitted before needs none.

    Returns:
        The record: `submitted` after a submission; whatever it says if there was an earlier one.

    Raises:
        RequestError: the gateway cannot honour the request; nothing was written or sent.
        NotAcceptedError: the gateway did not accept the job; the record is `failed`, nothing was spent.
        SubmissionUnknownError: the outcome cannot be known; the record is `unknown`.
        BudgetReachedError: a budget has no room for it; nothing was written or sent.
        StoreError: the claim could not be written, so nothing was sent.
    """
    if request.follows and continues is None:
        known = await on_records(records.load, batch, request)
        if known and not may_submit(known.record, account):
            return await await_outcome(records, known)
    sent, dropped = sent_to(account, continued(request, continues) if continues else request)
    body = translate(account.gateway, placeholder(account.gateway, sent))
    has_own = bool(own_references(sent))
    async with connect(account) as client:
        # A turn and an upload may take long, and a reservation counts; an earlier submission needs none of them.
        looks_first = client.is_paced or has_own or (ticket is not None and not ticket.is_held)
        found = await on_records(records.load, batch, request) if looks_first else None
        if found and not may_submit(found.record, account):
            return await await_outcome(records, found)
        if has_own:
            body = translate(account.gateway, await reachable(sent, client, records.store))
        async with client.turn():
            if ticket:
                await ticket.hold()
            claim_id = uuid4().hex

            def intent() -> VideoRecord:
                moment = now()
                attempt = Attempt(
                    claim_id=claim_id,
                    flow_run=flow_run,
                    gateway=account.gateway.name,
                    account=account.name,
                    base_url=account.base_url,
                    submit_path=account.route.submit,
                    started_at=moment,
                    claim_ends_at=moment + timedelta(seconds=account.claim_seconds),
                    estimate=expected.amount if expected else None,
                    estimated_from=str(expected.source) if expected and expected.amount else "",
                    reserved=ticket.reserved if ticket else None,
                    continues=continues.of if continues else "",
                    dropped=dropped,
                )
                return new_record(request, batch, attempt, place)

            current, claimed = await _claimed(records, intent, account)
            if claimed:
                return await _send(client, _with_key(body, account, request), records, current, log, ticket)
    return await await_outcome(records, current)


def _with_key(body: BaseModel, account: Account, request: VideoRequest) -> BaseModel:
    """The body with the record's key in it, if the account is set up so and the request leaves that field empty."""
    if not account.key_field or getattr(body, account.key_field, None) is not None:
        return body
    return body.model_copy(update={account.key_field: request.key})


async def _send(
    client: GatewayClient, body: BaseModel, records: Records, claim: Versioned, log: Log, ticket: Ticket | None = None
) -> VideoRecord:
    """Submit what was claimed, and record the outcome.

    By the time the outcome is written the record may have changed: others resolve a claim that seems dead.
    """
    claim_id = claim.record.attempt.claim_id

    def unknown(message: str, answers: tuple[Exchange, ...] = ()) -> Step:
        def step(latest: VideoRecord) -> VideoRecord | None:
            waits = latest.is_claimed_by(claim_id) and latest.state is VideoState.SUBMITTING
            return latest.unknown(message, answers) if waits else None

        return step

    # The time it took to write the claim is deducted: the answer must come before the claim expires.
    account = client.account
    left = (claim.record.attempt.claim_ends_at - now()).total_seconds()
    left -= account.connect_seconds + account.request_seconds
    if ticket:  # after that its reservation may be given to others
        left = min(left, ticket.left)
    try:
        outcome = await client.submit(body, within=left)
    except BaseException:
        # The outcome cannot be known, nor where in the request a cancelled run was stopped.
        await keep(records, claim, unknown("the run was stopped while the request was being sent"), log)
        raise
    # Nothing may be awaited in between: a cancelled run would lose the task id.
    match outcome:
        case Accepted(job=job):
            evidence = (job.answer.evidence,) if job.answer else ()
            kept = await keep(records, claim, lambda latest: latest.accepted(claim_id, job.task_id, evidence), log)
            log.info("%s accepted %r as %s", account.gateway.title, kept.record.request.prompt[:60], job.task_id)
            return kept.record
        case Rejected(answer=answer):
            error = rejection_error(outcome)
            evidence = (answer.evidence,) if answer else ()

            def failed(latest: VideoRecord) -> VideoRecord | None:
                rejected = latest.failed(error.category, str(error), accepted=False, answers=evidence)
                return rejected if latest.is_claimed_by(claim_id) else None

            await keep(records, claim, failed, log)
            raise error
        case Unknown(message=message, answer=answer):
            await keep(records, claim, unknown(message, (answer.evidence,) if answer else ()), log)
            raise SubmissionUnknownError(message)


async def _claimed(records: Records, intent: Callable[[], VideoRecord], account: Account) -> tuple[Versioned, bool]:
    """The claim, retried while the store is unavailable: nothing is sent before it is written.

    Each try restarts its time, so that it does not expire before it is written.
    """
    retrying = stamina.AsyncRetryingCaller(
        attempts=None, timeout=CLAIM_PATIENCE, wait_initial=0.5, wait_max=10, wait_jitter=1
    )
    return await retrying(StoreUnavailableError, lambda: on_records(_claim, records, intent(), account))


def _claim(records: Records, record: VideoRecord, account: Account) -> tuple[Versioned, bool]:
    """The right to submit: a new record, or one more attempt where the earlier ones allow it."""
    current, _ = records.claim(record)
    if may_submit(current.record, account):
        try:
            current = records.save(current.record.again(record.attempt), current.etag)
        except RecordConflictError:
            return _claim(records, record, account)
    # By the claim's own id, not by who created the object: the answer to an earlier try may have been lost.
    ours = current.record.is_claimed_by(record.attempt.claim_id)
    if ours and current.record.state is VideoState.UNKNOWN:
        # The store took so long that another process marked the claim unknown. Only this one knows nothing was sent.
        unsent = current.record.failed("gateway error", "the store was unavailable; nothing was sent", accepted=False)
        try:
            return records.save(unsent, current.etag), False
        except RecordConflictError:
            return _claim(records, record, account)
    return current, ours


async def await_outcome(records: Records, current: Versioned) -> VideoRecord:
    """The record once the process that is submitting has an outcome, or its claim has expired.

    Another machine wrote when its claim expires, by a clock that may be off. So a claim has expired if it has
    been seen unchanged for as long as it may last, or if it ended so long ago that no clock is that wrong.
    """
    seen_at = monotonic()
    while current.record.state is VideoState.SUBMITTING:
        attempt = current.record.attempt
        stood = monotonic() - seen_at >= (attempt.claim_ends_at - attempt.started_at).total_seconds()
        if stood or now() > attempt.claim_ends_at + CLOCKS_APART:
            current = await on_records(_mark_unknown, records, current, attempt.claim_id)
            continue
        await asyncio.sleep(CLAIM_PAUSE)
        current = await latest(records, current.record)
        if current.record.attempt.claim_id != attempt.claim_id:
            seen_at = monotonic()
    return current.record


def _mark_unknown(records: Records, current: Versioned, claim_id: str) -> Versioned:
    """A claim that expired without an outcome: its process died, and whether the job was accepted is unknown."""

    def step(record: VideoRecord) -> VideoRecord | None:
        waits = record.state is VideoState.SUBMITTING and record.attempt.claim_id == claim_id
        return record.unknown("the process that submitted it ended before it recorded the outcome") if waits else None

    return records.update(current, step)
