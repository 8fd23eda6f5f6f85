"""The pace of an account: even, lowered for everybody by a 429, and gradually won back."""

import asyncio
from itertools import pairwise

import pytest

from prefect_omnivideo.core.client.rate_limit import LONGEST_HOLD, RECOVERY, Rate
from tests.clock import VirtualClock


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock()


async def begun(rate: Rate, clock: VirtualClock, count: int) -> list[float]:
    """When so many requests, asked for at once, may begin: seconds from now."""
    start, moments = clock.now(), list[float]()

    async def ask() -> None:
        await rate.turn()
        moments.append(clock.now() - start)

    await clock.run(*(asyncio.create_task(ask()) for _ in range(count)))
    return moments


async def test_without_a_limit_nobody_waits(clock: VirtualClock) -> None:
    assert await begun(Rate(None, clock), clock, 100) == [0.0] * 100


async def test_turns_are_evenly_spaced(clock: VirtualClock) -> None:
    moments = await begun(Rate(30, clock), clock, 5)
    assert moments == pytest.approx([0, 2, 4, 6, 8])


async def test_no_minute_holds_more_than_the_limit(clock: VirtualClock) -> None:
    moments = await begun(Rate(7, clock), clock, 40)
    for first in moments:
        assert sum(first <= moment < first + 59.999 for moment in moments) <= 7


async def test_time_that_passes_without_requests_is_not_saved_up(clock: VirtualClock) -> None:
    rate = Rate(30, clock)
    await begun(rate, clock, 1)
    clock.time += 600
    assert await begun(rate, clock, 3) == pytest.approx([0, 2, 4])


async def test_nobody_asks_before_retry_after_is_over(clock: VirtualClock) -> None:
    rate = Rate(None, clock)
    await begun(rate, clock, 3)
    rate.slow_down(clock.now(), 7)
    assert rate.is_held
    assert min(await begun(rate, clock, 3)) >= 7
    assert not rate.is_held


async def test_a_429_while_somebody_waits_counts_for_him_too(clock: VirtualClock) -> None:
    rate = Rate(6, clock)
    await begun(rate, clock, 1)
    waiting = asyncio.create_task(begun(rate, clock, 1))
    await asyncio.sleep(0)
    rate.slow_down(clock.now(), 30)
    (moment,) = await waiting
    assert moment >= 30


async def test_the_longest_retry_after_is_two_minutes(clock: VirtualClock) -> None:
    rate = Rate(None, clock)
    rate.slow_down(clock.now(), 86_400)
    assert await begun(rate, clock, 1) == pytest.approx([LONGEST_HOLD])


async def test_a_429_halves_the_pace_and_it_comes_back_gradually(clock: VirtualClock) -> None:
    rate = Rate(60, clock)
    await begun(rate, clock, 10)
    rate.slow_down(clock.now(), None)
    assert rate.per_second == pytest.approx(0.5)
    seen: list[float] = []
    for _ in range(6):
        clock.time += RECOVERY / 6
        seen.append(rate.per_second)
    gains = [later - earlier for earlier, later in pairwise([0.5, *seen])]
    assert gains == pytest.approx([0.5 / 6] * 6)
    clock.time += RECOVERY
    assert rate.per_second == 1, "never above the limit"


async def test_without_a_limit_the_pace_that_was_too_fast_is_halved(clock: VirtualClock) -> None:
    rate = Rate(None, clock)
    await begun(rate, clock, 40)
    rate.slow_down(clock.now(), None)
    assert rate.per_second == pytest.approx(20)
    assert max(await begun(rate, clock, 20)) > 1


async def test_refusals_of_one_burst_count_once(clock: VirtualClock) -> None:
    rate = Rate(60, clock)
    await begun(rate, clock, 1)
    asked_at = clock.now()
    for _ in range(8):
        clock.time += 0.01
        rate.slow_down(asked_at, None)
    assert rate.per_second == pytest.approx(0.5, rel=0.01)
    rate.slow_down(clock.now(), None)
    assert rate.per_second == pytest.approx(0.25, rel=0.01), "the slower pace was too fast as well"


async def test_after_many_refusals_one_still_gets_through(clock: VirtualClock) -> None:
    rate = Rate(None, clock)
    for _ in range(100):
        await begun(rate, clock, 1)
        rate.slow_down(clock.now(), None)
    assert max(await begun(rate, clock, 1)) < 30


async def test_who_asks_again_goes_first(clock: VirtualClock) -> None:
    rate, order = Rate(60, clock), list[str]()

    async def ask(name: str, *, again: bool) -> None:
        await rate.turn(again=again)
        order.append(name)

    newcomers = [asyncio.create_task(ask(f"new {number}", again=False)) for number in range(4)]
    await asyncio.sleep(0)
    again = asyncio.create_task(ask("again", again=True))
    await clock.run(*newcomers, again)
    assert order.index("again") <= 2, "behind nobody but those whose turn it was"


async def test_who_gives_up_holds_nobody_up(clock: VirtualClock) -> None:
    rate = Rate(60, clock)
    await begun(rate, clock, 1)
    waiting = [asyncio.create_task(rate.turn()) for _ in range(3)]
    for _ in range(5):
        await asyncio.sleep(0)
    for task in waiting:
        task.cancel()
    assert await begun(rate, clock, 1) == pytest.approx([1])
