"""The life of one video, step by step, without Prefect: claim and submit, wait, bring home.

Every step begins and ends with the record in the store, so that any other process can go on from there.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from time import monotonic

import stamina
from pydantic import JsonValue

from prefect_omnivideo.providers.client import Account, GatewayClient, connect
from prefect_omnivideo.providers.decoding import job_failure, normalise
from prefect_omnivideo.providers.errors import (
    JobFailedError,
    LinkExpiredError,
    NotAcceptedError,
    RecordConflictError,
    StatusUnavailableError,
    StillRunningError,
    StoreError,
)
from prefect_omnivideo.providers.native import translate
from prefect_omnivideo.providers.pacing import next_pause
from prefect_omnivideo.providers.request import VideoRequest
from prefect_omnivideo.providers.wire import Job, JobStatus
from prefect_omnivideo.store import media
from prefect_omnivideo.store.objects import ObjectStore
from prefect_omnivideo.store.record import Attempt, StoredFile, VideoRecord, VideoState, new_record, now
from prefect_omnivideo.store.records import Records, Versioned
from prefect_omnivideo.store.transfer import Source, transfer
from prefect_omnivideo.tasks.threads import on_records, on_transfers

GONE_AFTER = 4
"""Answers in a row that do not know the task before it is taken for gone: fresh tasks can be invisible for a moment."""

CLAIM_PAUSE = 1.0
"""Seconds between two looks at a record that another process is submitting."""

LINK_RENEWALS = 3
"""Fresh links asked for when a link is no longer good."""

Log = logging.Logger | logging.LoggerAdapter[logging.Logger]


async def submit(request: VideoRequest, account: Account, records: Records, batch: str, log: Log) -> VideoRecord:
    """Submit a request once, or find out what became of it when it was submitted before.

    Returns:
        The record: `submitted` after a submission; whatever it says when there was one before.

    Raises:
        RequestError: the gateway cannot honour the request; nothing was written or sent.
        NotAcceptedError: the gateway did not take the job; the record is `failed`, nothing was spent.
        SubmissionUnknownError: the outcome cannot be known; the record is `unknown`.
        StoreError: the claim could not be written, so nothing was sent.
    """
    body = translate(account.provider, request)
    moment = now()
    attempt = Attempt(
        provider=account.provider.name,
        account=account.name,
        base_url=account.base_url,
        submit_path=account.route.submit,
        started_at=moment,
        claim_ends_at=moment + timedelta(seconds=account.claim_seconds),
    )
    current, claimed = await on_records(_claim, records, new_record(request, batch, attempt))
    if not claimed:
        return await _settled(records, current)
    try:
        async with connect(account) as client:
            job = await client.submit(body)
    except NotAcceptedError as error:
        category, message = error.category, str(error)
        await _keep(records, current, lambda record: record.failed(category, message, accepted=False), log)
        raise
    except BaseException:
        # The outcome cannot be known, nor where in the request a cancelled run was stopped.
        await _keep(records, current, lambda record: record.unknown(), log)
        raise
    log.info("%s accepted %r as %s", account.provider.title, request.prompt[:60], job.task_id)
    return (await _keep(records, current, lambda record: record.submitted(job.task_id), log)).record


def _claim(records: Records, record: VideoRecord) -> tuple[Versioned, bool]:
    """The right to submit: a new record, or one more attempt after a failure that surely cost nothing."""
    current, claimed = records.claim(record)
    failure = current.record.failure
    if claimed or current.record.state is not VideoState.FAILED or failure is None or not failure.may_resubmit:
        return current, claimed
    try:
        return records.save(current.record.again(record.attempt), current.version), True
    except RecordConflictError:
        return records.update(current, lambda _: None), False


def park_if_over(records: Records, current: Versioned) -> Versioned:
    """A claim whose time is over and that nobody settled: its process died, and the outcome cannot be known."""

    def park(record: VideoRecord) -> VideoRecord | None:
        over = record.state is VideoState.SUBMITTING and now() > record.attempt.claim_ends_at
        return record.unknown() if over else None

    return records.update(current, park)


async def _settled(records: Records, current: Versioned) -> VideoRecord:
    """The record once whoever submits right now has an outcome, or is past having one."""
    while (current := await on_records(park_if_over, records, current)).record.state is VideoState.SUBMITTING:
        await asyncio.sleep(CLAIM_PAUSE)
        current = await _latest(records, current.record)
    return current.record


async def wait(record: VideoRecord, account: Account, deadline: float, log: Log) -> Job:
    """Ask for the job's status until it succeeded.

    Args:
        deadline: seconds to wait from now on.

    Raises:
        JobFailedError: it came to an end without a video, or the gateway no longer knows it.
        StatusDeniedError: the key may not read it.
        StillRunningError: the deadline passed.
    """
    attempt = record.attempt
    task_id = attempt.task_id or ""
    submitted = attempt.submitted_at or attempt.started_at
    end = monotonic() + deadline
    strange: set[str] = set()
    unknown_answers = 0
    hint: float | None = None
    async with connect(account) as client:
        while True:
            pause = next_pause((now() - submitted).total_seconds(), account.poll_seconds, hint)
            if monotonic() + pause > end:
                raise StillRunningError(
                    f"{account.provider.title} job {task_id} still runs after {deadline:.0f} s of waiting. "
                    "It is not lost: the next run of the batch collects it."
                )
            await asyncio.sleep(pause)
            try:
                job = await client.status(task_id, attempt.submit_path)
            except StatusUnavailableError as error:
                hint = error.retry_after
                unknown_answers = unknown_answers + 1 if error.not_found else 0
                if unknown_answers >= GONE_AFTER:
                    raise JobFailedError(
                        f"{account.provider.title} no longer knows job {task_id} ({error})", category="expired"
                    ) from None
                log.warning("%s; asking again", error)
                continue
            unknown_answers, hint = 0, job.poll_after
            word = normalise(job.status_word)
            if word not in account.provider.statuses and word not in strange:
                strange.add(word)
                log.warning(
                    "%s job %s has the undocumented status %r; waiting on", account.provider.title, task_id, word
                )
            if job.status is JobStatus.SUCCEEDED:
                return _with_links(job, client, attempt.submit_path)
            if job.status.is_final:
                raise job_failure(account.provider, job)


def _with_links(job: Job, client: GatewayClient, submit_path: str) -> Job:
    """A finished job has its links, or the gateway's own download endpoint in their place."""
    if job.urls:
        return job
    content_url = client.content_url(job.task_id, submit_path)
    if content_url is None:
        raise JobFailedError(
            f"{client.account.provider.title} calls job {job.task_id} {job.status_word} and gives no video",
            category="provider error",
        )
    return replace(job, urls=(content_url,))


async def fail(record: VideoRecord, records: Records, error: JobFailedError, log: Log) -> VideoRecord:
    """File a job that ended without a video."""
    category, message = error.category, str(error)

    def step(latest: VideoRecord) -> VideoRecord | None:
        return latest.failed(category, message) if latest.state is VideoState.SUBMITTED else None

    return (await _keep(records, await _latest(records, record), step, log)).record


async def collect(record: VideoRecord, job: Job, account: Account, records: Records, log: Log) -> VideoRecord:
    """Stream a finished job's files into the store, examine them, and file the video as stored.

    Raises:
        TransferError: the gateway's links gave no video, not even fresh ones.
        StoreError: the store refused the bytes.
    """

    def finish(latest: VideoRecord) -> VideoRecord | None:
        return latest.finished(job.cost, job.credits) if latest.state is VideoState.SUBMITTED else None

    current = await _keep(records, await _latest(records, record), finish, log)
    if current.record.state is VideoState.STORED:
        return current.record
    for renewal in range(LINK_RENEWALS + 1):
        try:
            files = [await _fetch(record, job, number, account, records) for number in range(len(job.urls))]
            break
        except LinkExpiredError as error:
            if renewal == LINK_RENEWALS:
                raise
            log.info("%s; asking for a fresh link", error)
            async with connect(account) as client:
                path = record.attempt.submit_path
                job = _with_links(await client.status(job.task_id, path), client, path)
    differences = tuple(dict.fromkeys(text for file in files for text in media.differences(record.request, file.media)))

    def store(latest: VideoRecord) -> VideoRecord | None:
        return latest.stored(tuple(files), differences) if latest.state is VideoState.SUBMITTED else None

    stored = (await _keep(records, current, store, log)).record
    for text in differences:
        log.warning("%s: %s", record.stem, text)
    log.info("stored %s (%.1f MB)", files[0].uri, sum(file.size for file in files) / 1e6)
    return stored


async def _fetch(record: VideoRecord, job: Job, number: int, account: Account, records: Records) -> StoredFile:
    """One of the job's files: the first is named like the record, the others are numbered."""
    name = record.stem if number == 0 else f"{record.stem}-{number + 1}"
    source = Source(url=job.urls[number], base_url=account.base_url, key=account.api_key, expires_at=job.expires_at)
    metadata = {"key": record.key, "provider": record.attempt.provider, "task-id": record.attempt.task_id or ""}
    moved = await on_transfers(transfer, source, records.store, name, metadata=metadata)
    facts, poster = await on_transfers(_examine, records.store, moved.name, name)
    return StoredFile(
        name=moved.name,
        uri=records.store.uri(moved.name),
        size=moved.size,
        sha256=moved.sha256,
        content_type=moved.content_type,
        source_host=moved.host,
        link_expires_at=job.expires_at,
        transfer_seconds=round(moved.seconds, 3),
        media=facts,
        poster=poster,
    )


def _examine(store: ObjectStore, name: str, poster_stem: str) -> tuple[dict[str, JsonValue], str | None]:
    """Media facts and the name of a poster stored beside the video; nothing of both without the `media` extra."""
    with store.open(name) as file:
        facts = media.probe(file)
        if facts is None:
            return {}, None
        file.seek(0)
        picture = media.poster(file)
    if picture is None:
        return facts, None
    store.put(f"{poster_stem}.jpg", picture, content_type="image/jpeg")
    return facts, f"{poster_stem}.jpg"


async def _latest(records: Records, record: VideoRecord) -> Versioned:
    current = await on_records(records.load, record.batch, record.request)
    if current is None:
        raise StoreError(f"the record {record.stem}.json is gone from {records.store.uri('')}; nothing was changed")
    return current


async def _keep(
    records: Records, current: Versioned, step: Callable[[VideoRecord], VideoRecord | None], log: Log
) -> Versioned:
    """Write news that must not be lost: shielded from cancellation, and tried for minutes while the store is away."""
    return await asyncio.shield(_persist(records, current, step, log))


async def _persist(
    records: Records, current: Versioned, step: Callable[[VideoRecord], VideoRecord | None], log: Log
) -> Versioned:
    said = False
    async for attempt in stamina.retry_context(
        on=StoreError, attempts=None, timeout=600, wait_initial=0.5, wait_max=20, wait_jitter=1
    ):
        with attempt:
            try:
                return await on_records(records.update, current, step)
            except StoreError as error:
                if not said:
                    news = step(current.record)
                    task = news.attempt.task_id if news else None
                    log.error("%s could not be recorded yet (task id %s): %s", current.record.stem, task, error)
                    said = True
                raise
    raise AssertionError("unreachable: the last attempt returns or raises")
