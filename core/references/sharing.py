"""Shares the result of work between callers, such as the upload of a file that a hundred prompts refer to."""

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
    """Results by key, each computed once and cached for a while. For one event loop.

    All callers that arrive while the work runs wait for its result or its error. An error is not cached: the next
    caller tries again. The work is cancelled when no caller waits for it any more.

    Args:
        clock: returns the time in seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._running: dict[Hashable, _Running[T]] = {}
        self._done: dict[Hashable, tuple[T, float]] = {}

    async def get(self, key: Hashable, work: Callable[[], Coroutine[Any, Any, T]], *, valid_for: float) -> T:
        """The result for a key: the cached one if there is one, else that of `work`, cached for `valid_for` seconds."""
        now = self._clock()
        if key in self._done and self._done[key][1] > now:
            return self._done[key][0]
        running = self._running.get(key) or self._running.setdefault(key, _Running(asyncio.create_task(work())))
        running.waiting += 1
        try:
            result = await asyncio.shield(running.task)
            self._done[key] = result, now + valid_for
            return result
        finally:
            running.waiting -= 1
            if running.task.done() or not running.waiting:
                running.task.cancel()
                if self._running.get(key) is running:
                    del self._running[key]
