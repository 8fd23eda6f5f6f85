"""Wait for a submitted job, as long as it takes and the caller allows."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from time import monotonic

from prefect_omnivideo.providers.client import Account, GatewayClient, connect
from prefect_omnivideo.providers.decoding import job_failure, normalise
from prefect_omnivideo.providers.errors import JobFailedError, StatusUnavailableError, StillRunningError
from prefect_omnivideo.providers.pacing import next_pause
from prefect_omnivideo.providers.wire import Job, JobStatus
from prefect_omnivideo.store.record import VideoRecord, VideoState, now
from prefect_omnivideo.store.records import Records
from prefect_omnivideo.tasks.keeping import Log, keep, latest

GONE_AFTER = 4
"""Answers in a row that do not know the task before it is taken for gone: fresh tasks can be invisible for a moment."""


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
                return with_links(job, client, attempt.submit_path)
            if job.status.is_final:
                raise job_failure(account.provider, job)


def with_links(job: Job, client: GatewayClient, submit_path: str) -> Job:
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

    return (await keep(records, await latest(records, record), step, log)).record
