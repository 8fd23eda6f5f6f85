"""Waiting for a job: every end it can come to, every way a query can go wrong, and how often it is asked about."""

import asyncio
import logging
from collections.abc import Generator
from datetime import timedelta
from typing import Any

import pytest
from typing_extensions import override

from prefect_omnivideo.core.client import pool as connections
from prefect_omnivideo.core.client.client import GatewayClient
from prefect_omnivideo.core.client.clock import Clock
from prefect_omnivideo.core.client.poll_schedule import SHARE, SPREAD
from prefect_omnivideo.core.errors import (
    JobFailedError,
    OutOfSightError,
    StatusDeniedError,
    StillRunningError,
)
from prefect_omnivideo.core.gateways.specification import Answer, Job
from prefect_omnivideo.core.gateways.words import JobStatus
from prefect_omnivideo.core.jobs import wait as waiting
from prefect_omnivideo.core.jobs.submit import submit
from prefect_omnivideo.core.jobs.wait import OUT_OF_SIGHT_ANSWERS, OUT_OF_SIGHT_SECONDS, fail, note, wait
from prefect_omnivideo.core.records.model import VideoRecord, VideoState, now
from prefect_omnivideo.core.records.repository import Records
from prefect_omnivideo.core.request import VideoRequest
from prefect_omnivideo.sandbox import Fault, FaultPlan, Sandbox, Settings, running
from tests.accounts import GATEWAYS, credentials

LATENCY = 100.0
"""Seconds a job takes, by a clock that jumps."""


class Jump(Clock):
    """Nobody waits: sleeping moves the time, for the sandbox, too."""

    def __init__(self) -> None:
        self.start = now()
        self.passed = 0.0

    @override
    def now(self) -> float:
        return self.passed

    @override
    async def sleep(self, seconds: float) -> None:
        self.passed += seconds

    def epoch(self) -> float:
        return self.start.timestamp() + self.passed


@pytest.fixture(scope="module")
def clock() -> Jump:
    return Jump()


@pytest.fixture(scope="module")
def gateways(clock: Jump) -> Generator[Sandbox]:
    with running(Settings(latency=LATENCY), clock=clock.epoch) as sandbox:
        yield sandbox


@pytest.fixture(autouse=True)
def _jumping(clock: Jump, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "Clock", lambda: clock)
    monkeypatch.setattr(waiting, "now", lambda: clock.start + timedelta(seconds=clock.passed))
    monkeypatch.setattr(
        "prefect_omnivideo.core.records.model.now", lambda: clock.start + timedelta(seconds=clock.passed)
    )


class Life:
    """One video, submitted and waited for."""

    def __init__(self, sandbox: Sandbox, records: Records, log: logging.Logger, clock: Jump) -> None:
        self.sandbox, self.records, self.log, self.clock = sandbox, records, log, clock

    async def submit(self, prompt: str, gateway: str = "apimart", **limits: Any) -> VideoRecord:
        self.account = credentials(self.sandbox, gateway, **{"poll_seconds": 5, **limits}).account()
        return await submit(VideoRequest(prompt=prompt), self.account, self.records, "batch", self.log)

    async def wait(self, record: VideoRecord, deadline: float = 3600) -> Job:
        waiting.durations.cache_clear()  # what other tests taught must not count
        self.began = self.clock.passed
        return await wait(record, self.account, deadline, self.log)

    @property
    def waited(self) -> float:
        return self.clock.passed - self.began

    def job(self) -> dict[str, Any]:
        return self.sandbox.jobs()[-1]

    def state(self, record: VideoRecord) -> VideoState:
        stored = self.records.load("batch", record.request)
        assert stored is not None
        return stored.record.state


@pytest.fixture
def life(gateways: Sandbox, records: Records, log: logging.Logger, clock: Jump) -> Life:
    return Life(gateways, records, log, clock)


@pytest.mark.parametrize("gateway", GATEWAYS)
async def test_the_finished_job_has_a_link(gateway: str, life: Life) -> None:
    record = await life.submit("a red apple", gateway)
    job = await life.wait(record)
    assert job.task_id == record.attempt.task_id
    assert job.links
    latest = 1 + SHARE * (1 + SPREAD)  # asked a moment too early, and then again after the longest pause
    assert 0.999 * LATENCY <= life.waited <= latest * LATENCY
    assert life.job()["polls"] <= 15


ENDS: list[tuple[str, str]] = [("fail", "gateway error"), ("moderated", "moderated")]


@pytest.mark.parametrize("gateway", GATEWAYS)
@pytest.mark.parametrize(("fault", "category"), ENDS)
async def test_a_job_without_a_video_is_filed_as_what_it_is(
    gateway: str, fault: str, category: str, life: Life
) -> None:
    record = await life.submit(f"an end [fault:{fault}]", gateway)
    with pytest.raises(JobFailedError, match=str(record.attempt.task_id)) as caught:
        await life.wait(record)
    assert caught.value.category == category
    filed = await fail(record, life.records, caught.value, life.log)
    assert filed.state is VideoState.FAILED
    assert filed.failure is not None
    assert (filed.failure.category, filed.failure.may_resubmit) == (category, False)


@pytest.mark.parametrize("gateway", ["apimart", "omnirouters", "jimmyai"])
async def test_a_cancelled_job(gateway: str, life: Life) -> None:
    record = await life.submit("an end [fault:cancelled]", gateway)
    with pytest.raises(JobFailedError) as caught:
        await life.wait(record)
    assert caught.value.category == "cancelled"


async def test_a_video_that_was_stored_meanwhile_is_not_filed_as_failed(life: Life) -> None:
    record = await life.submit("two runs at once")
    current = life.records.load("batch", record.request)
    assert current is not None
    life.records.save(current.record.stored(()), current.etag)
    error = JobFailedError("late news", category="expired")
    assert (await fail(record, life.records, error, life.log)).state is VideoState.STORED


async def test_a_deadline_is_not_a_failure(life: Life) -> None:
    record = await life.submit("too slow [fault:never]")
    with pytest.raises(StillRunningError, match="the next run of the batch collects it"):
        await life.wait(record, deadline=600)
    assert life.waited == pytest.approx(600)
    assert life.state(record) is VideoState.SUBMITTED


async def test_at_the_deadline_the_job_is_asked_about_once_more(life: Life) -> None:
    record = await life.submit("just in time")
    assert (await life.wait(record, deadline=LATENCY)).links


async def test_without_any_time_it_is_asked_about_once(life: Life) -> None:
    record = await life.submit("look once")
    with pytest.raises(StillRunningError):
        await life.wait(record, deadline=0)
    assert life.job()["polls"] == 1
    life.clock.passed += LATENCY
    assert (await life.wait(record, deadline=0)).links


async def test_a_later_run_does_not_wait_for_what_is_done(life: Life) -> None:
    record = await life.submit("collected by a later run")
    life.clock.passed += 20 * LATENCY
    await life.wait(record)
    assert life.waited <= 1.2 * 30
    assert life.job()["polls"] == 1


QUERY_FAULTS = ["poll-500", "poll-drop", "poll-garbage", "poll-429", "poll-500*7", "poll-drop*7", "poll-garbage*7"]


@pytest.mark.parametrize("gateway", GATEWAYS)
@pytest.mark.parametrize("fault", QUERY_FAULTS)
async def test_a_query_that_fails_does_not_end_the_waiting(gateway: str, fault: str, life: Life) -> None:
    record = await life.submit(f"bad news [fault:{fault}]", gateway)
    assert (await life.wait(record)).links
    assert life.state(record) is VideoState.SUBMITTED


async def test_a_submission_is_sent_again_when_the_gateway_said_and_not_before(
    records: Records, log: logging.Logger, clock: Jump
) -> None:
    plan = FaultPlan((Fault("retry-after", value=45, times=1),))
    with running(Settings(latency=LATENCY, faults=plan), clock=clock.epoch) as sandbox:
        life = Life(sandbox, records, log, clock)
        before = clock.passed
        await life.submit("slowly")
        assert clock.passed - before >= 45


@pytest.mark.parametrize("gateway", GATEWAYS)
async def test_a_fresh_task_may_be_invisible_at_first(gateway: str, life: Life) -> None:
    record = await life.submit(f"hidden [fault:gone*{OUT_OF_SIGHT_ANSWERS + 2}]", gateway)
    assert (await life.wait(record)).status is JobStatus.SUCCEEDED


@pytest.mark.parametrize("gateway", GATEWAYS)
async def test_a_task_that_stays_unknown_is_out_of_sight_and_not_given_up(gateway: str, life: Life) -> None:
    record = await life.submit("lost [fault:gone]", gateway)
    began = life.clock.passed
    with pytest.raises(OutOfSightError, match="checks again") as caught:
        await life.wait(record)
    assert life.clock.passed - began >= OUT_OF_SIGHT_SECONDS
    assert life.job()["polls"] > OUT_OF_SIGHT_ANSWERS
    assert caught.value.evidence
    noted = await note(record, life.records, caught.value, life.log)
    assert noted.state is VideoState.SUBMITTED, "a later run checks again"
    assert "not known job" in noted.attempt.trouble
    assert noted.attempt.answers


async def test_a_job_that_was_seen_once_is_waited_for(life: Life) -> None:
    record = await life.submit("seen and gone [fault:gone=3]", "sora")
    with pytest.raises(StillRunningError):
        await life.wait(record, deadline=3 * OUT_OF_SIGHT_SECONDS)


async def test_a_key_that_works_for_nothing_says_nothing_about_the_job(
    life: Life, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = await life.submit("lost [fault:gone]", "sora")

    async def refused(client: GatewayClient, path: str) -> Answer:
        return Answer(401, {}, {"error": {"message": "no"}})

    monkeypatch.setattr(GatewayClient, "get", refused)
    with pytest.raises(StillRunningError):
        await life.wait(record, deadline=3 * OUT_OF_SIGHT_SECONDS)


@pytest.mark.parametrize("gateway", GATEWAYS)
async def test_a_status_nobody_has_heard_of_means_that_the_job_goes_on(
    gateway: str, life: Life, caplog: pytest.LogCaptureFixture
) -> None:
    record = await life.submit("strange [fault:strange-status]", gateway)
    assert (await life.wait(record)).links
    said = [message for message in caplog.messages if "unknown status" in message]
    assert said
    assert len(said) == len(set(said)), "each word once"


@pytest.mark.parametrize("gateway", GATEWAYS)
async def test_done_without_a_link_is_done(gateway: str, life: Life) -> None:
    """Whoever delivers finds out whether there is a video."""
    job = await life.wait(await life.submit("no link [fault:no-url]", gateway))
    assert (job.status, job.links) == (JobStatus.SUCCEEDED, ())


async def test_a_key_that_may_not_read_the_job_ends_the_waiting_and_not_the_job(life: Life) -> None:
    record = await life.submit("another key")
    life.account = credentials(life.sandbox, "apimart", api_key="sk-wrong-one").account()
    with pytest.raises(StatusDeniedError) as caught:
        await life.wait(record)
    assert "sk-wrong-one" not in str(caught.value)
    assert life.state(record) is VideoState.SUBMITTED


async def test_what_one_job_teaches_the_next_one_knows(life: Life) -> None:
    """After a few jobs of a kind, one or two queries are enough, and the news comes at once."""
    records = [await life.submit(f"lesson {number}", "sora") for number in range(8)]
    waiting.durations.cache_clear()
    polls, waited = list[int](), list[float]()
    for record in records:
        fresh = record.attempt.model_copy(update={"submitted_at": waiting.now()})
        sandbox_job = life.sandbox.state.book.get(record.attempt.task_id or "")
        assert sandbox_job is not None
        sandbox_job.accepted_at = life.clock.epoch()
        began = life.clock.passed
        await wait(record.model_copy(update={"attempts": (fresh,)}), life.account, 3600, life.log)
        polls.append(sandbox_job.polls)
        waited.append(life.clock.passed - began)
    assert polls[0] > 5
    assert max(polls[-2:]) <= 2
    assert max(waited[-2:]) <= 1.1 * LATENCY


async def test_a_cancelled_run_stops_asking(life: Life) -> None:
    record = await life.submit("cancelled [fault:never]")
    work = asyncio.create_task(life.wait(record, deadline=1e9))
    while not life.job()["polls"]:  # the sandbox has no event to wait for, and needs the interpreter to get there
        await asyncio.sleep(0.005)
    work.cancel()
    with pytest.raises(asyncio.CancelledError):
        await work
    assert life.state(record) is VideoState.SUBMITTED
