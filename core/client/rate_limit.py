"""Rate limit of one account: evenly spaced, slower for all callers after a 429, then gradually faster again."""

from __future__ import annotations

import asyncio
import math
from collections import deque

from prefect_omnivideo.core.client.clock import Clock

WINDOW = 1.0
"""Seconds over which the rate that led to a 429 is measured."""
RECOVERY = 60.0
"""Seconds in which half of the full rate is recovered."""
LEAST_FULL = 1.0
"""Requests per second that count as the full rate if no limit is set and never more were sent."""
HOLD = 1.0
"""Seconds without any request after a 429 without `Retry-After`."""
LONGEST_HOLD = 120.0
"""Seconds; a longer `Retry-After` is cut to this."""


class Rate:
    """The rate of one kind of request of one account, on one event loop.

    After a 429 no request starts before its `Retry-After` is over, and the rate is halved. From there it grows
    by the same amount every second, to the limit or to the next 429.

    Args:
        per_minute: requests to start in any minute, evenly spaced; None for no limit.
        clock: the time source.
    """

    def __init__(self, per_minute: float | None, clock: Clock) -> None:
        self._clock = clock
        self._limit = per_minute / 60 if per_minute else math.inf
        self._newcomers, self._line = asyncio.Lock(), asyncio.Lock()
        self._begun: deque[float] = deque(maxlen=1000)
        self._held_until = self._slowed_at = -math.inf
        self._slowed_to = math.inf
        self._gain = 0.0

    @property
    def per_second(self) -> float:
        """Requests that may currently start per second."""
        if self._slowed_to == math.inf:
            return self._limit
        return min(self._limit, self._slowed_to + self._gain * (self._clock.now() - self._slowed_at))

    async def turn(self, *, again: bool = False) -> None:
        """Wait until a request may start. Retries go before first attempts."""
        if again:
            await self._take()
        else:
            async with self._newcomers:
                await self._take()

    @property
    def is_held(self) -> bool:
        """Whether no request may start now."""
        return self._clock.now() < self._held_until

    async def hold(self) -> None:
        """Wait while no request may start."""
        while (left := self._held_until - self._clock.now()) > 0:
            await self._clock.sleep(left)

    def slow_down(self, asked_at: float, retry_after: float | None) -> None:
        """Record a 429: the seconds to wait, and when by the clock its request was sent."""
        now = self._clock.now()
        if asked_at >= self._slowed_at:  # requests sent before the last slowdown say nothing about the new rate
            recent = sum(1 for moment in self._begun if moment > asked_at - WINDOW) / WINDOW
            pace = min(self.per_second, max(recent, LEAST_FULL))
            full = max(pace, LEAST_FULL) if self._limit == math.inf else self._limit
            self._gain = max(self._gain, full / 2 / RECOVERY)
            self._slowed_to, self._slowed_at = pace / 2, now
        hold = HOLD if retry_after is None else min(retry_after, LONGEST_HOLD)
        self._held_until = max(self._held_until, now + hold)

    async def _take(self) -> None:
        async with self._line:
            await self.hold()
            while (left := self._pause()) > 0:
                await self._clock.sleep(min(left, WINDOW))  # the rate may have changed by then
                await self.hold()
            self._begun.append(self._clock.now())

    def _pause(self) -> float:
        """Seconds until the next request may start, at the current rate."""
        return self._begun[-1] + 1 / self.per_second - self._clock.now() if self._begun else 0.0
