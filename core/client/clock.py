"""The time everything in here goes by, in one place so that tests can make it pass."""

from __future__ import annotations

import asyncio
from time import monotonic


class Clock:
    """Seconds that only ever grow, and waiting for them to pass."""

    def now(self) -> float:
        """Seconds since some moment in the past."""
        return monotonic()

    async def sleep(self, seconds: float) -> None:
        """Come back when so many seconds have passed."""
        await asyncio.sleep(seconds)
