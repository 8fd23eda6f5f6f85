"""Blocking work outside the event loop. Records have their own threads, so that long transfers never block them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from functools import partial
from threading import BoundedSemaphore
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

TRANSFERS_IN_FLIGHT = 8
"""Videos streamed into the store at a time, per process."""

EXAMINATIONS_IN_FLIGHT = 2
"""Videos examined at a time: decoded frames are large, and each thread keeps its peak memory (measured for
720x1280: 110 MB less than with eight)."""

examining = BoundedSemaphore(EXAMINATIONS_IN_FLIGHT)
"""Held by a transfer while it examines its video: in a queue of their own, videos would wait with the bytes that are
remembered of them."""

_records = ThreadPoolExecutor(16, thread_name_prefix="omnivideo-record")
_news = ThreadPoolExecutor(16, thread_name_prefix="omnivideo-news")
_transfers = ThreadPoolExecutor(TRANSFERS_IN_FLIGHT, thread_name_prefix="omnivideo-transfer")
_examinations = ThreadPoolExecutor(EXAMINATIONS_IN_FLIGHT, thread_name_prefix="omnivideo-examination")


async def on_records(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Read or write records."""
    return await _run(_records, partial(work, *args, **kwargs))


async def on_news(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Write updates that must not be lost, in threads that reads never block.

    Once queued it is always done: a cancelled caller stops waiting for it, but does not stop it. Even
    if the event loop ends, the process exits only after it is done.
    """
    done: Future[T] = Future()
    done.set_running_or_notify_cancel()  # from here on it cannot be cancelled

    def run() -> None:
        try:
            done.set_result(work(*args, **kwargs))
        except BaseException as error:
            done.set_exception(error)

    _news.submit(copy_context().run, run)
    return await asyncio.wrap_future(done)


async def on_transfers(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Transfer a video."""
    return await _run(_transfers, partial(work, *args, **kwargs))


async def on_examinations(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Decode pictures of videos that are in the store."""
    return await _run(_examinations, partial(work, *args, **kwargs))


async def _run(pool: ThreadPoolExecutor, work: Callable[[], T]) -> T:
    return await asyncio.get_running_loop().run_in_executor(pool, copy_context().run, work)
