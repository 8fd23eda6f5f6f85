"""Wait for a submitted job, up to the caller's deadline."""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import suppress

from prefect_omnivideo.core.answers.json_paths import texts_of
from prefect_omnivideo.core.answers.refusal import reason_of
from prefect_omnivideo.core.answers.status import job_failure
from prefect_omnivideo.core.client.account import Account
from prefect_omnivideo.core.client.client import GatewayClient
from prefect_omnivideo.core.client.poll_schedule import Durations, Watch, durations
from prefect_omnivideo.core.client.pool import connect
from prefect_omnivideo.core.errors import (
    JobError,
    JobFailedError,
    OutOfSightError,
    StatusUnavailableError,
    StillRunningError,
)
from prefect_omnivideo.core.exchange import Exchange
from prefect_omnivideo.core.gateways.specification import Job
from prefect_omnivideo.core.gateways.words import JobStatus, normalise
from prefect_omnivideo.core.jobs.persist import Log, keep, latest
from prefect_omnivideo.core.records.model import Attempt, VideoRecord, now
from prefect_omnivideo.core.records.repository import Records

OUT_OF_SIGHT_ANSWERS = 4
"""Answers in a row that do not know the task before it counts as missing, and"""
OUT_OF_SIGHT_SECONDS = 600.0
"""how long they must go on: new tasks can be invisible for a while."""
_EVIDENCE = 3


async def wait(record: VideoRecord, account: Account, deadline: float, log: Log) -> Job:
    """Poll the job's status until it succeeded.

    Args:
        deadline: seconds to wait from now on; after them the status is queried once more.

    Raises:
        JobFailedError: the gateway says that there will be no video.
        OutOfSightError: the gateway has never known the job for `OUT_OF_SIGHT_SECONDS`, and the key works.
        StatusDeniedError: the key may not read it.
        StillRunningError: the deadline passed.
    """
    attempt = record.attempt
    known = durations(account.gateway.name, account.base_url, record.request.model or "")
    async with connect(account) as client:
        watching = _Watching(client, record, log)
        job = None
        # Queries queue up: one that is due at the deadline gets the time of one request.
        with suppress(TimeoutError):
            async with asyncio.timeout(deadline + account.request_seconds):
                job = await watching.until_final(known, deadline)
        if job is None:
            raise StillRunningError(
                f"{account.gateway.title} job {attempt.task_id} still runs after {deadline:.0f} s of waiting. "
                "It is not lost: the next run of the batch collects it.",
                evidence=tuple(watching.odd),
            )
        if job.status is JobStatus.SUCCEEDED:
            return job
        raise job_failure(account.gateway, job)


def learn(record: VideoRecord) -> None:
    """Learn how long a video of an earlier run took, if the gateway reports it."""
    attempt = record.attempt
    if attempt.generated_seconds:
        durations(attempt.gateway, attempt.base_url, record.request.model or "").add(attempt.generated_seconds)


async def fail(record: VideoRecord, records: Records, error: JobFailedError, log: Log) -> VideoRecord:
    """Record a job that ended without a video."""

    def step(latest: VideoRecord) -> VideoRecord | None:
        failed = latest.failed(error.category, str(error), cost=error.cost, answers=error.evidence)
        return failed if latest.awaits(record.attempt.task_id) else None

    return (await keep(records, await latest(records, record), step, log)).record


async def note(record: VideoRecord, records: Records, error: JobError, log: Log) -> VideoRecord:
    """Record why an accepted job has no video yet, and the evidence. The record stays collectable."""

    def step(latest: VideoRecord) -> VideoRecord | None:
        return latest.troubled(str(error), error.evidence) if latest.awaits(record.attempt.task_id) else None

    return (await keep(records, await latest(records, record), step, log)).record


class _Watching:
    """The wait for one job.

    Attributes:
        odd: the latest answers that were not understood, or did not know the task.
    """

    def __init__(self, client: GatewayClient, record: VideoRecord, log: Log) -> None:
        self._client = client
        self._attempt: Attempt = record.attempt
        self._sent = texts_of(record.request.model_dump(mode="json", exclude_defaults=True))
        self._log = log
        self._strange: set[str] = set()
        self._was_seen = False
        self._missing_since: float | None = None
        self._missing_answers = 0
        self.odd: deque[Exchange] = deque(maxlen=_EVIDENCE)

    async def until_final(self, known: Durations, deadline: float) -> Job | None:
        """The job when it has ended, or None if the deadline passed first."""
        client, attempt, clock = self._client, self._attempt, self._client.clock
        end = clock.now() + deadline
        submitted = clock.now() - max(0.0, (now() - (attempt.submitted_at or attempt.started_at)).total_seconds())
        watch = Watch(known, client.account.poll_seconds, clock.now() - submitted)
        is_last = False
        while not is_last:
            await clock.sleep(min(watch.pause(clock.now() - submitted), max(0.0, end - clock.now())))
            is_last = clock.now() >= end
            if not is_last and not watch.is_due(clock.now() - submitted):
                continue
            try:
                job = await client.status(attempt.task_id or "", attempt.submit_path, self._sent)
            except StatusUnavailableError as error:
                watch.missed(clock.now() - submitted, error.retry_after)
                self.odd.extend(error.evidence)
                await self._check_sight(error)
                self._log.warning("%s; asking again", error)
                continue
            watch.heard(clock.now() - submitted, job)
            self._was_seen = True
            if job.status.is_final:
                return job
            self._note_word(job)
        return None

    async def _check_sight(self, error: StatusUnavailableError) -> None:
        """Give up if the gateway has said for long enough, to a valid key, that there is no such task.

        A job that was seen once is waited for until the deadline: servers of one cluster may disagree.
        """
        now = self._client.clock.now()
        if not error.not_found or self._was_seen:
            self._missing_since = None
            return
        if self._missing_since is None:
            self._missing_since, self._missing_answers = now, 0
        self._missing_answers += 1
        if self._missing_answers < OUT_OF_SIGHT_ANSWERS or now - self._missing_since < OUT_OF_SIGHT_SECONDS:
            return
        gateway = self._client.account.gateway
        if reason_of(gateway, await self._client.get(gateway.check_path)) is not None:
            return
        raise OutOfSightError(
            f"{gateway.title} has not known job {self._attempt.task_id} for "
            f"{now - self._missing_since:.0f} s ({error}). The record is kept; the next run of the batch checks again.",
            evidence=tuple(self.odd),
        )

    def _note_word(self, job: Job) -> None:
        gateway, word = self._client.account.gateway, normalise(job.status_word)
        if word in gateway.statuses:
            return
        if job.answer:
            self.odd.append(job.answer.evidence)
        if word not in self._strange:
            self._strange.add(word)
            self._log.warning("%s job %s has the unknown status %r; still waiting", gateway.title, job.task_id, word)
