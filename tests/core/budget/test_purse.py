"""Processes that share a budget through a store: together they use it up, and never more."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

import pytest

from prefect_omnivideo.core.budget import purse as purses
from prefect_omnivideo.core.budget.ledger import Ledger
from prefect_omnivideo.core.budget.purse import Purse
from prefect_omnivideo.core.budget.usage import Limit, Usage
from prefect_omnivideo.core.money.amount import Amount
from prefect_omnivideo.core.records.repository import Records
from prefect_omnivideo.core.storage.base import ObjectStore
from tests.core.budget.memory import MemoryStore

ONE = Usage.of(Amount(value=Decimal("0.30"), unit="USD"))


def purse(store: ObjectStore, limit: Limit, batch: str = "b") -> Purse:
    return Purse(Ledger(store, "b/budget.json"), limit, None, batch, Records(store))


async def spend(mine: Purse, most: int, pause: float = 0.0) -> int:
    """Submit until there is no room; how many were accepted."""
    accepted = 0
    while accepted < most:
        holding = await mine.take(ONE)
        if holding is None and not await mine.opens(ONE):
            return accepted
        if holding is not None:
            await asyncio.sleep(pause)
            assert holding.left > 0
            holding.decide(ONE, ONE)
            holding.unsettled -= 1
            accepted += 1
    return accepted


async def live(store: ObjectStore, limit: Limit, most: int) -> int:
    mine = purse(store, limit)
    keeper = asyncio.create_task(mine.keep())
    try:
        return await spend(mine, most)
    finally:
        keeper.cancel()
        await mine.close()


@pytest.mark.parametrize("limit", [Limit(videos=100), Limit(Amount.parse("30.10 USD")), Limit(Amount.parse("30 USD"))])
def test_four_processes_use_up_a_budget_and_not_more(shared: ObjectStore, limit: Limit) -> None:
    shared.prove()
    with ThreadPoolExecutor(4) as pool:
        ends = [pool.submit(asyncio.run, live(shared, limit, 200)) for _ in range(4)]
        spent = [end.result(120) for end in ends]
    assert sum(spent) == 100
    page = Ledger(shared, "b/budget.json").open()
    assert (page.settled, page.entries) == (ONE * 100, {})


def test_leases_grow_with_the_work_and_shrink_towards_the_limit() -> None:
    store = MemoryStore()
    spent = asyncio.run(live(store, Limit(videos=1000), 2000))
    assert spent == 1000
    assert store.writes < 60, "not one write for each submission"


def test_what_the_dead_did_not_use_is_used_by_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing in the records names the lease of the dead, so nothing was sent under it."""
    monkeypatch.setattr(purses, "LEASE_SECONDS", 1.0)
    store = MemoryStore()

    async def play() -> int:
        dead = purse(store, Limit(videos=20))
        for _ in range(5):
            assert await dead.take(ONE)
        assert Ledger(store, "b/budget.json").open().total().videos >= 5
        return await live(store, Limit(videos=20), 50)

    assert asyncio.run(play()) == 20


def test_what_is_not_needed_is_given_back_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(purses, "IDLE_SECONDS", 0.2)
    store = MemoryStore()

    async def play() -> int:
        mine = purse(store, Limit(videos=20))
        keeper = asyncio.create_task(mine.keep())
        for _ in range(4):
            assert await mine.take(ONE)
        for _ in range(100):
            await asyncio.sleep(0.05)
            if not mine.holding.unused:
                break
        keeper.cancel()
        return Ledger(store, "b/budget.json").open().total().videos

    assert asyncio.run(play()) == 4


def test_a_process_that_slept_too_long_sends_nothing_under_its_old_lease() -> None:
    store, time = MemoryStore(), [0.0]

    def clock() -> float:
        return time[0]

    async def play() -> None:
        sleeper = Purse(Ledger(store, "b/budget.json"), Limit(videos=3), None, "b", Records(store), clock)
        holding = await sleeper.take(ONE)
        assert holding is not None
        assert holding.left == purses.LEASE_SECONDS
        other = Purse(Ledger(store, "b/budget.json"), Limit(videos=3), None, "b", Records(store), clock)
        assert await other.take(ONE)
        await other.close()
        time[0] += 2 * purses.LEASE_SECONDS
        assert holding.left < 0
        assert await other.opens(ONE)
        time[0] += 2 * purses.LEASE_SECONDS
        assert await other.opens(ONE)
        assert await sleeper.take(ONE) is sleeper.holding, "under a new lease"
        assert holding.lost
        assert sleeper.holding is not holding

    asyncio.run(play())
