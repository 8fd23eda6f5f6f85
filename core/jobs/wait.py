"""Wait for a submitted job, as long as it takes and the caller allows."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import replace

from prefect_omnivideo.core.client.account import Account
from prefect_omnivideo.core.client.client import GatewayClient
from prefect_omnivideo.core.client.poll_schedule import Durations, Watch, durations
from prefect_omnivideo.core.client.pool import connect
from prefect_omnivideo.core.errors import JobFailedError, StatusUnavailableError, StillRunningError
from prefect_omnivideo.core.gateways.answers import job_failure, normalise
from prefect_omnivideo.core.gateways.specification import Job, JobStatus
from prefect_omnivideo.core.jobs.persist import Log, keep, latest
from prefect_omnivideo.core.records.model import Attempt, VideoRecord, now
from prefect_omnivideo.core.records.repository import Records

GONE_AFTER = 4
"""Answers in a row that do not know the task before it is taken for gone: fresh tasks can be invisible for a moment."""


async def wait(record: VideoRecord, account: Account, deadline: float, log: Log) -> Job:
    """Ask for the job's status until it succeeded.

    Args:
        deadline: seconds to wait from now on; at their end the job is asked about once more.

    Raises:
        JobFailedError: it came to an end without a video, or the gateway no longer knows it.
        StatusDeniedError: the key may not read it.
        StillRunningError: the deadline passed.
    """
    attempt = record.attempt
    known = durations(account.gateway.name, account.base_url, record.request.model or "")
    async with connect(account) as client:
        job = None
        # Queries queue up: one that is due at the deadline is given the time of a request, and no more.
        with suppress(TimeoutError):
            async with asyncio.timeout(deadline + account.request_seconds):
                job = await _final(client, attempt, known, deadline, log)
        if job is None:
            raise StillRunningError(
                f"{account.gateway.title} job {attempt.task_id} still runs after {deadline:.0f} s of waiting. "
                "It is not lost: the next run of the batch collects it."
            )
        if job.status is JobStatus.SUCCEEDED:
            return with_links(job, client, attempt.submit_path)
        raise job_failure(account.gateway, job)


def learn(record: VideoRecord) -> None:
    """Take note of how long a video of an earlier run was in the making, where the gateway told."""
    attempt = record.attempt
    if attempt.generated_seconds:
        durations(attempt.gateway, attempt.base_url, record.request.model or "").add(attempt.generated_seconds)


async def _final(client: GatewayClient, attempt: Attempt, known: Durations, deadline: float, log: Log) -> Job | None:
    """The job's end, or None when the deadline passed before."""
    clock, gateway, task_id = client.clock, client.account.gateway, attempt.task_id or ""
    end = clock.now() + deadline
    submitted = clock.now() - max(0.0, (now() - (attempt.submitted_at or attempt.started_at)).total_seconds())
    watch = Watch(known, client.account.poll_seconds, clock.now() - submitted)
    strange: set[str] = set()
    unknown_answers = 0
    is_last = False
    while not is_last:
        await clock.sleep(min(watch.pause(clock.now() - submitted), max(0.0, end - clock.now())))
        is_last = clock.now() >= end
        if not is_last and not watch.is_due(clock.now() - submitted):
            continue
        try:
            job = await client.status(task_id, attempt.submit_path)
        except StatusUnavailableError as error:
            watch.missed(clock.now() - submitted, error.retry_after)
            unknown_answers = unknown_answers + 1 if error.not_found else 0
            if unknown_answers >= GONE_AFTER:
                raise JobFailedError(
                    f"{gateway.title} no longer knows job {task_id} ({error})", category="expired"
                ) from None
            log.warning("%s; asking again", error)
            continue
        watch.heard(clock.now() - submitted, job)
        unknown_answers = 0
        if job.status.is_final:
            return job
        word = normalise(job.status_word)
        if word not in gateway.statuses and word not in strange:
            strange.add(word)
            log.warning("%s job %s has the undocumented status %r; waiting on", gateway.title, task_id, word)
    return None


def with_links(job: Job, client: GatewayClient, submit_path: str) -> Job:
    """A finished job has its links, or the gateway's own download endpoint in their place."""
    if job.urls:
        return job
    content_url = client.content_url(job.task_id, submit_path)
    if content_url is None:
        raise JobFailedError(
            f"{client.account.gateway.title} calls job {job.task_id} {job.status_word} and gives no video",
            category="gateway error",
        )
    return replace(job, urls=(content_url,))


async def fail(record: VideoRecord, records: Records, error: JobFailedError, log: Log) -> VideoRecord:
    """File a job that ended without a video."""
    category, message = error.category, str(error)

    def step(latest: VideoRecord) -> VideoRecord | None:
        return latest.failed(category, message) if latest.awaits(record.attempt.task_id) else None

    return (await keep(records, await latest(records, record), step, log)).record
