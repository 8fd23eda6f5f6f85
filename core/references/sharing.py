"""Work that many want done and that needs doing once, such as the upload of a file that a hundred prompts refer to."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine, Hashable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

T = TypeVar("T")


@dataclass
class _Running(Generic[T]):
    task: asyncio.Task[T]
    waiting: int = 0


class Shared(Generic[T]):
    """Results by key, each worked out once and kept for a while. For one event loop.

    All who ask while the work is under way wait for its result, or its error. An error is not kept, so that whoever
    asks next tries again. The work is cancelled when nobody waits for it any more.

    Args:
        clock: tells the time in seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._running: dict[Hashable, _Running[T]] = {}
        self._done: dict[Hashable, tuple[T, float]] = {}

    async def get(self, key: Hashable, work: Callable[[], Coroutine[Any, Any, T]], *, good_for: float) -> T:
        """The result for a key: one of the last `good_for` seconds, or else the one of `work`."""
        now = self._clock()
        if key in self._done and self._done[key][1] > now:
            return self._done[key][0]
        running = self._running.get(key) or self._running.setdefault(key, _Running(asyncio.create_task(work())))
        running.waiting += 1
        try:
            result = await asyncio.shield(running.task)
            self._done[key] = result, now + good_for
            return result
        finally:
            running.waiting -= 1
            if running.task.done() or not running.waiting:
                running.task.cancel()
                if self._running.get(key) is running:
                    del self._running[key]
