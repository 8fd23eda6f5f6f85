"""Work that many want done: done once, kept for a while, and never failed on behalf of somebody else."""

import asyncio

import pytest

from prefect_omnivideo.core.references.sharing import Shared


class Work:
    """Counts how often it is begun, and goes on until it is let go."""

    def __init__(self) -> None:
        self.begun = self.cancelled = 0
        self.go_on = asyncio.Event()
        self.error: Exception | None = None

    async def __call__(self) -> int:
        self.begun += 1
        number = self.begun
        try:
            await self.go_on.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        if self.error:
            raise self.error
        return number


async def begun(work: Work, times: int = 1) -> None:
    while work.begun < times:
        await asyncio.sleep(0)


async def test_once_for_all_who_ask_meanwhile_and_a_while_later() -> None:
    now = 0.0
    shared, work = Shared[int](lambda: now), Work()
    asking = [asyncio.create_task(shared.get("a", work, valid_for=10)) for _ in range(50)]
    await begun(work)
    work.go_on.set()
    assert await asyncio.gather(*asking) == [1] * 50
    now = 9.9
    assert await shared.get("a", work, valid_for=10) == 1
    assert await shared.get("b", work, valid_for=10) == 2
    now = 10
    assert await shared.get("a", work, valid_for=10) == 3


async def test_an_error_is_for_those_who_wait_and_is_not_kept() -> None:
    shared, work = Shared[int](), Work()
    asking = [asyncio.create_task(shared.get("a", work, valid_for=10)) for _ in range(5)]
    await begun(work)
    work.error = ValueError("no")
    work.go_on.set()
    assert [str(error) for error in await asyncio.gather(*asking, return_exceptions=True)] == ["no"] * 5
    work.error = None
    assert await shared.get("a", work, valid_for=10) == 2


async def test_who_gives_up_does_not_take_the_others_along() -> None:
    shared, work = Shared[int](), Work()
    first = asyncio.create_task(shared.get("a", work, valid_for=10))
    await begun(work)
    second = asyncio.create_task(shared.get("a", work, valid_for=10))
    await asyncio.sleep(0)
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    work.go_on.set()
    assert await second == 1
    assert work.cancelled == 0


async def test_work_that_nobody_waits_for_ends() -> None:
    shared, work = Shared[int](), Work()
    only = asyncio.create_task(shared.get("a", work, valid_for=10))
    await begun(work)
    only.cancel()
    with pytest.raises(asyncio.CancelledError):
        await only
    again = asyncio.create_task(shared.get("a", work, valid_for=10))
    await begun(work, 2)
    assert work.cancelled == 1
    work.go_on.set()
    assert await again == 2
