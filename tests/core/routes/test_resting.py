"""Accounts that rest, as several workers see them through one store, whatever the store does."""

import asyncio
import subprocess
import sys
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from prefect_omnivideo.core.client.account import Account, Fallback
from prefect_omnivideo.core.errors import (
    AccountRestsError,
    BlockedError,
    JobFailedError,
    ModeratedError,
    NoBalanceError,
    RateLimitedError,
    RefusedError,
    StillRunningError,
    StoreUnavailableError,
    SubmissionUnknownError,
    TransferError,
    UnauthorizedError,
    UnavailableError,
    UnreachableError,
)
from prefect_omnivideo.core.gateways.registry import get_gateway
from prefect_omnivideo.core.records.repository import Records
from prefect_omnivideo.core.routes import breaker, resting
from prefect_omnivideo.core.routes.breaker import Phase, Rest, is_about_the_account, phase
from prefect_omnivideo.core.routes.resting import Resting, name_of
from prefect_omnivideo.core.storage.folder import Folder
from tests.core.budget.memory import MemoryStore
from tests.core.records.samples import MOMENT

GATEWAY = get_gateway("apimart")
ACCOUNT = Account(GATEWAY, "prod", "https://api.apimart.ai", SecretStr("sk-x"), GATEWAY.routes[0], fallback=Fallback())


class Clock:
    def __init__(self) -> None:
        self.moment = MOMENT

    def __call__(self) -> datetime:
        return self.moment

    def passes(self, seconds: float) -> None:
        self.moment += timedelta(seconds=seconds)


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(resting, "now", clock)
    monkeypatch.setattr(resting, "LOOK_SECONDS", 0.0)
    return clock


class Worker(Resting):
    """What one process knows, and what it said."""

    def __init__(self, store: Any) -> None:
        self.said: list[str] = []
        super().__init__(store, [ACCOUNT], lambda account, news, rest: self.said.append(news))

    async def work(self, why: str | None = None, *, submits: bool = True) -> str:
        """One video; the id of the try, if it was one."""

        async def answer() -> bool:
            return submits

        trial = await self.admit(ACCOUNT, answer)
        await self.ended(ACCOUNT, trial, why)
        return trial

    async def fails(self, times: int = breaker.FAILURES) -> None:
        for _ in range(times):
            await self.work("it is away")


async def test_an_account_rests_after_five_failures_in_a_row_and_all_workers_know() -> None:
    store = MemoryStore()
    one, other = Worker(store), Worker(store)
    await one.fails(4)
    await one.work()
    await one.fails(4)
    assert store.writes == 0, "a success between them begins anew, and nothing is written while all is well"
    await one.fails(1)
    assert (one.said, store.writes) == (["rested"], 1)
    for worker in (one, other):
        with pytest.raises(AccountRestsError, match=r"apimart/prod rests until 2026-08-01 09:35:00 UTC.*it is away"):
            await worker.work()
        assert worker.rests(ACCOUNT)
    await other.work(submits=False)  # what was paid for is collected all the same
    assert not list(Records(store).all()), "it is no record"


async def test_one_try_across_workers_brings_it_back(clock: Clock) -> None:
    store = MemoryStore()
    one, other = Worker(store), Worker(store)
    await one.fails()
    clock.passes(breaker.FIRST_REST)

    async def submits() -> bool:
        return True

    trial = await other.admit(ACCOUNT, submits)
    assert trial
    with pytest.raises(AccountRestsError):
        await one.work()
    second = asyncio.create_task(other.work())
    await asyncio.sleep(0.05)
    assert not second.done(), "the others of the process that tries wait for it"
    await other.ended(ACCOUNT, trial, None)
    assert await second == ""
    assert other.said == ["back"]
    assert await one.work() == ""
    assert store.objects == {}


async def test_tries_in_vain_make_the_rest_longer_up_to_an_hour(clock: Clock) -> None:
    worker, rests = Worker(MemoryStore()), list[float]()
    await worker.fails()
    for _ in range(6):
        rest = worker._known[ACCOUNT.id]
        assert rest
        rests.append((rest.until - clock()).total_seconds())
        clock.passes(rest.seconds - 1)
        with pytest.raises(AccountRestsError):
            await worker.work()
        clock.passes(1)
        assert await worker.work("still away")
    assert rests == [300, 600, 1200, 2400, 3600, 3600]


async def test_a_try_that_told_nothing_leaves_it_to_the_next(clock: Clock) -> None:
    worker = Worker(MemoryStore())
    await worker.fails()
    clock.passes(breaker.FIRST_REST)

    async def submits() -> bool:
        return True

    await worker.told_nothing(ACCOUNT, await worker.admit(ACCOUNT, submits))
    assert await worker.work()
    assert worker.said == ["rested", "back"]


async def test_late_failures_of_others_make_no_rest_longer() -> None:
    store = MemoryStore()
    one, other = Worker(store), Worker(store)
    await one.fails()
    for worker in (one, other):
        for _ in range(9):
            await worker.ended(ACCOUNT, "", "it is away")
    assert (store.writes, other.said) == (1, [])


@pytest.mark.parametrize("content", [b"", b"\xff", b"[]", b'{"version": 2}', b'{"until": "tomorrow"}'])
async def test_a_broken_object_rests_nobody_and_is_replaced(content: bytes) -> None:
    store = MemoryStore()
    store.create(name_of(ACCOUNT), content)
    worker = Worker(store)
    assert await worker.work() == ""
    await worker.fails()
    with pytest.raises(AccountRestsError):
        await worker.work()


async def test_a_store_that_is_away_rests_nobody(monkeypatch: pytest.MonkeyPatch, clock: Clock) -> None:
    store = MemoryStore()
    worker = Worker(store)
    await worker.fails()

    def away(*_: object, **__: object) -> None:
        raise StoreUnavailableError("away")

    clock.passes(breaker.FIRST_REST)
    for name in ("read", "create", "replace", "delete"):
        monkeypatch.setattr(store, name, away)
        await worker.work()
        await worker.fails(6)
    assert not worker.rests(ACCOUNT)


async def test_two_workers_that_try_at_the_same_moment_are_one_try(clock: Clock, tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    await Worker(folder).fails()
    clock.passes(breaker.FIRST_REST)
    workers = [Worker(Folder(tmp_path)) for _ in range(8)]

    async def submits() -> bool:
        return True

    got = await asyncio.gather(*(each.admit(ACCOUNT, submits) for each in workers), return_exceptions=True)
    assert sorted(type(each).__name__ for each in got) == [*["AccountRestsError"] * 7, "str"]


async def test_who_knows_an_earlier_state_takes_no_try_from_others(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = MemoryStore()
    one, other = Worker(store), Worker(store)
    await one.fails()
    clock.passes(breaker.FIRST_REST)
    await other.refresh()
    monkeypatch.setattr(resting, "LOOK_SECONDS", 1000.0)

    async def submits() -> bool:
        return True

    assert await one.admit(ACCOUNT, submits)
    with pytest.raises(AccountRestsError):
        await other.admit(ACCOUNT, submits)


KILLED = """
import asyncio, os, signal, sys
from pathlib import Path
from prefect_omnivideo.core.storage.folder import Folder
from tests.core.routes.test_resting import ACCOUNT, Worker

async def submits():
    return True

async def main():
    worker = Worker(Folder(Path(sys.argv[1])))
    assert await worker.admit(ACCOUNT, submits), "it is the try"
    os.kill(os.getpid(), signal.SIGKILL)

asyncio.run(main())
"""


@pytest.mark.server
async def test_a_worker_that_is_killed_in_its_try_keeps_nobody_away_for_long(tmp_path: Path, clock: Clock) -> None:
    worker = Worker(Folder(tmp_path))
    clock.moment = datetime.now(MOMENT.tzinfo) - timedelta(seconds=breaker.FIRST_REST)
    await worker.fails()
    root = Path(__file__).parents[3]
    done = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path)], cwd=root, timeout=120, check=False)
    assert done.returncode == -9
    clock.moment = datetime.now(MOMENT.tzinfo)
    with pytest.raises(AccountRestsError):
        await worker.work()
    clock.passes(breaker.TRY_SECONDS)
    assert await worker.work()
    assert worker.said == ["rested", "back"]


@pytest.mark.parametrize(
    ("error", "counts"),
    [
        (UnreachableError("x"), True),
        (UnavailableError("x"), True),
        (BlockedError("x"), True),
        (UnauthorizedError("x"), True),
        (NoBalanceError("x"), True),
        (JobFailedError("x", category="gateway error"), True),
        (SubmissionUnknownError("x"), True),
        (RateLimitedError("x"), False),
        (RefusedError("x"), False),
        (ModeratedError("x"), False),
        (JobFailedError("x", category="moderated"), False),
        (JobFailedError("x", category="cancelled"), False),
        (JobFailedError("x", category="expired"), False),
        (StillRunningError("x"), False),
        (TransferError("x"), False),
    ],
    ids=lambda each: each if isinstance(each, bool) else f"{type(each).__name__} {getattr(each, 'category', '')}",
)
def test_what_counts_against_an_account(error: Exception, counts: bool) -> None:
    assert is_about_the_account(error) is counts


@given(st.integers(-10_000, 10_000), st.integers(1, 3600), st.integers(-10_000, 10_000), st.booleans())
def test_no_clock_keeps_an_account_away_for_more_than_a_rest_and_a_try(
    until: int, seconds: int, trial: int, has_trial: bool
) -> None:
    rest = Rest(
        until=MOMENT + timedelta(seconds=until),
        seconds=seconds,
        why="",
        trial_until=MOMENT + timedelta(seconds=trial) if has_trial else None,
    )
    later = MOMENT + timedelta(seconds=breaker.LONGEST_REST + breaker.TRY_SECONDS)
    assert phase(rest, MOMENT) is Phase.DUE or phase(rest, later) is Phase.DUE
