"""The turn to submit comes before the claim: while a job waits for its turn, nothing says that it is being sent."""

import asyncio
import logging

import pytest

from prefect_omnivideo.core.client import pool as connections
from prefect_omnivideo.core.jobs.submit import submit
from prefect_omnivideo.core.records.model import VideoState
from prefect_omnivideo.core.records.repository import Records
from prefect_omnivideo.core.request import VideoRequest
from prefect_omnivideo.sandbox import Sandbox
from tests.accounts import credentials
from tests.clock import VirtualClock


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> VirtualClock:
    virtual = VirtualClock()
    monkeypatch.setattr(connections, "Clock", lambda: virtual)
    return virtual


async def test_nothing_is_claimed_before_its_turn(
    sandbox: Sandbox, records: Records, log: logging.Logger, clock: VirtualClock
) -> None:
    account = credentials(sandbox, "apimart", submissions_per_minute=1).account()
    await submit(VideoRequest(prompt="first"), account, records, "batch", log)
    waiting = asyncio.create_task(submit(VideoRequest(prompt="second"), account, records, "batch", log))
    await clock.somebody_sleeps()
    assert [record.request.prompt for record in records.all()] == ["first"]
    clock.wake_next()
    while not waiting.done():
        await asyncio.sleep(0)
        clock.wake_next()
    second = (await waiting).attempt
    assert clock.time >= 1060
    assert (second.claim_ends_at - second.started_at).total_seconds() == pytest.approx(account.claim_seconds)


async def test_what_was_submitted_before_needs_no_turn(
    sandbox: Sandbox, records: Records, log: logging.Logger, clock: VirtualClock
) -> None:
    request = VideoRequest(prompt="once")
    account = credentials(sandbox, "jimmyai", submissions_per_minute=1).account()
    for _ in range(3):
        record = await submit(request, account, records, "batch", log)
        assert record.state is VideoState.SUBMITTED
    assert clock.time == 1000


async def test_a_cancelled_wait_for_a_turn_leaves_no_trace(
    sandbox: Sandbox, records: Records, log: logging.Logger, clock: VirtualClock
) -> None:
    account = credentials(sandbox, "sora", submissions_per_minute=1).account()
    await submit(VideoRequest(prompt="first"), account, records, "batch", log)
    bill = len(sandbox.jobs())
    waiting = asyncio.create_task(submit(VideoRequest(prompt="second"), account, records, "batch", log))
    await clock.somebody_sleeps()
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert len(list(records.all())) == 1
    assert len(sandbox.jobs()) == bill
