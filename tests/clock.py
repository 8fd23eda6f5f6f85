"""A clock for tests: nobody waits, and everybody comes back in the right order."""

import asyncio
import heapq
from itertools import count

from typing_extensions import override

from prefect_omnivideo.core.client.clock import Clock


class VirtualClock(Clock):
    """Time stands still until all who could do something now have done it; then the next sleeper wakes."""

    def __init__(self) -> None:
        self.time = 1000.0
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._order = count()

    @override
    def now(self) -> float:
        return self.time

    @override
    async def sleep(self, seconds: float) -> None:
        woken = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self.time + seconds, next(self._order), woken))
        await woken

    async def run(self, *work: asyncio.Task[None]) -> None:
        """Let time pass until the work is done."""
        while not all(task.done() for task in work):
            for _ in range(20):
                await asyncio.sleep(0)
            self.wake_next()
        for task in work:
            if not task.cancelled():
                task.result()

    def wake_next(self) -> None:
        """Jump to the moment at which the next sleeper wakes."""
        while self._sleepers:
            moment, _, sleeper = heapq.heappop(self._sleepers)
            if not sleeper.done():
                self.time = max(self.time, moment)
                sleeper.set_result(None)
                return

    async def somebody_sleeps(self) -> None:
        """Come back when there is somebody to wake."""
        while not self._sleepers:  # real connections may be at work
            await asyncio.sleep(0)
