"""Blocking work beside the event loop. Records have threads of their own, so that long transfers never hold them up."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from functools import partial
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

TRANSFERS_IN_FLIGHT = 8
"""Videos streamed into the store at a time, per process."""

EXAMINATIONS_IN_FLIGHT = 2
"""Videos examined at a time: unpacked pictures are large, and each thread keeps the memory it once had (measured for
720x1280: 110 MB less than with eight)."""

_records = ThreadPoolExecutor(16, thread_name_prefix="omnivideo-record")
_news = ThreadPoolExecutor(16, thread_name_prefix="omnivideo-news")
_transfers = ThreadPoolExecutor(TRANSFERS_IN_FLIGHT, thread_name_prefix="omnivideo-transfer")
_examinations = ThreadPoolExecutor(EXAMINATIONS_IN_FLIGHT, thread_name_prefix="omnivideo-examination")


async def on_records(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Read or write records."""
    return await _run(_records, partial(work, *args, **kwargs))


async def on_news(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Write what must not be lost, in threads that reading never holds up.

    Once begun, or waiting for a thread, it is done: whoever is cancelled no longer waits for it, and that is all. Even
    when the event loop ends, the process does not before it is done.
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
    """Move a video."""
    return await _run(_transfers, partial(work, *args, **kwargs))


async def on_examinations(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Look into a video."""
    return await _run(_examinations, partial(work, *args, **kwargs))


async def _run(pool: ThreadPoolExecutor, work: Callable[[], T]) -> T:
    return await asyncio.get_running_loop().run_in_executor(pool, copy_context().run, work)
