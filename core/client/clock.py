"""The clock of the client, in one place so that tests can control it."""

from __future__ import annotations

import asyncio
from time import monotonic


class Clock:
    """A monotonic clock, and sleeping by it."""

    def now(self) -> float:
        """Seconds since some moment in the past."""
        return monotonic()

    async def sleep(self, seconds: float) -> None:
        """Return after that many seconds."""
        await asyncio.sleep(seconds)
