"""News of a record that must not be lost, whatever happens to the store or the run."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

import stamina

from prefect_omnivideo.core.errors import StoreError
from prefect_omnivideo.core.records.model import VideoRecord
from prefect_omnivideo.core.records.repository import Records, Versioned
from prefect_omnivideo.core.threads import on_records

Log = logging.Logger | logging.LoggerAdapter[logging.Logger]
Step = Callable[[VideoRecord], VideoRecord | None]
"""What becomes of a record; None when there is nothing to change any more."""

KEEP_TRYING = 600.0
"""Seconds to go on trying to write news while the store is away."""


async def latest(records: Records, record: VideoRecord) -> Versioned:
    """The record as the store has it now."""
    current = await on_records(records.load, record.batch, record.request)
    if current is None:
        raise StoreError(f"the record {record.stem}.json is gone from {records.store.uri('')}; nothing was changed")
    return current


async def keep(records: Records, current: Versioned, step: Step, log: Log) -> Versioned:
    """Write news that must not be lost, then announce it.

    Shielded from cancellation, and tried for minutes while the store is away.
    """
    return await asyncio.shield(_persist(records, current, step, log))


async def _persist(records: Records, current: Versioned, step: Step, log: Log) -> Versioned:
    said, is_news = False, False

    def noted(record: VideoRecord) -> VideoRecord | None:
        nonlocal is_news
        new = step(record)
        is_news = new is not None and new.state is not record.state
        return new

    async for attempt in stamina.retry_context(
        on=StoreError, attempts=None, timeout=KEEP_TRYING, wait_initial=0.5, wait_max=20, wait_jitter=1
    ):
        with attempt:
            try:
                kept = await on_records(records.update, current, noted)
                if is_news:
                    records.announce(kept.record)
                return kept
            except StoreError as error:
                if not said:
                    news = step(current.record)
                    task = news.attempt.task_id if news else None
                    log.error("%s could not be recorded yet (task id %s): %s", current.record.stem, task, error)
                    said = True
                raise
    raise AssertionError("unreachable: the last attempt returns or raises")
