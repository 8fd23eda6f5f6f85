"""How fast one account may ask: evenly, slower for everybody after a 429, and gradually faster again."""

from __future__ import annotations

import asyncio
import math
from collections import deque

from prefect_omnivideo.providers.clock import Clock

WINDOW = 10.0
"""Seconds over which the pace that was too fast is measured."""
RECOVERY = 60.0
"""Seconds in which half of the full pace is won back."""
SLOWEST = 1 / 60
"""Requests per second that are always allowed."""
LONGEST_HOLD = 120.0
"""Seconds; a `Retry-After` counts up to this."""


class Rate:
    """The pace of one kind of request of one account.

    After a 429 nobody asks before its `Retry-After` is over, and the pace is half of what it was; then it grows by the
    same amount every second until it is back at its limit, or the next 429 comes.

    Args:
        per_minute: requests to begin in a minute, evenly spaced; None for as many as the gateway takes.
        clock: for tests.
    """

    def __init__(self, per_minute: float | None, clock: Clock | None = None) -> None:
        self._clock = clock or Clock()
        self._limit = per_minute / 60 if per_minute else math.inf
        self._newcomers, self._line = asyncio.Lock(), asyncio.Lock()
        self._begun: deque[float] = deque(maxlen=1000)
        self._next = self._held_until = self._slowed_at = -math.inf
        self._slowed_to = self._gain = math.inf

    @property
    def per_second(self) -> float:
        """Requests per second that may begin at the moment."""
        if self._slowed_to == math.inf:
            return self._limit
        return min(self._limit, self._slowed_to + self._gain * (self._clock.now() - self._slowed_at))

    @property
    def is_limited(self) -> bool:
        """Whether there may be something to wait for."""
        return self.per_second < math.inf

    async def turn(self, *, again: bool = False) -> None:
        """Wait until it is one's turn; who asks again goes ahead of those who ask for the first time."""
        if again:
            await self._take()
        else:
            async with self._newcomers:
                await self._take()

    async def hold(self) -> None:
        """Wait while nobody may ask."""
        while (left := self._held_until - self._clock.now()) > 0:
            await self._clock.sleep(left)

    def slow_down(self, asked_at: float, retry_after: float | None) -> None:
        """Take note of a 429 to a request that was sent at `asked_at`, by the clock."""
        now = self._clock.now()
        if asked_at >= self._slowed_at:  # what was sent before the last slowing down says nothing about it
            recent = sum(1 for moment in self._begun if moment > now - WINDOW)
            pace = min(self.per_second, max(recent, 1) / WINDOW)
            self._gain = max(pace / 2 / RECOVERY, 0 if self._slowed_to == math.inf else self._gain)
            self._slowed_to, self._slowed_at = max(pace / 2, SLOWEST), now
        hold = min(retry_after, LONGEST_HOLD) if retry_after is not None else 1.0
        self._held_until = max(self._held_until, now + hold)

    async def _take(self) -> None:
        async with self._line:
            await self.hold()
            while (left := self._next - self._clock.now()) > 0:
                await self._clock.sleep(left)
                await self.hold()
            now = self._clock.now()
            self._begun.append(now)
            self._next = now + 1 / self.per_second
