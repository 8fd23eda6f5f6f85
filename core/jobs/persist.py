"""News of a record that must not be lost, whatever happens to the store or the run."""

from __future__ import annotations

import logging
from collections.abc import Callable
from time import monotonic

import stamina

from prefect_omnivideo.core.errors import StoreError
from prefect_omnivideo.core.records.model import VideoRecord
from prefect_omnivideo.core.records.repository import Records, Versioned
from prefect_omnivideo.core.threads import on_news, on_records

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

    Tried for minutes while the store is away, in a thread of its own: neither a cancelled run nor the end of its event
    loop stops it, and the process waits for it. A task id is logged before it is written.
    """
    if (task_id := _news_of(step, current.record)) is not None:
        log.info("%s has the task id %s", current.record.stem, task_id)
    return await on_news(_persist, records, current, step, log, monotonic() + KEEP_TRYING)


def _persist(records: Records, current: Versioned, step: Step, log: Log, until: float) -> Versioned:
    said, is_news = False, False

    def noted(record: VideoRecord) -> VideoRecord | None:
        nonlocal is_news
        new = step(record)
        is_news = new is not None and new.state is not record.state
        return new

    def write() -> Versioned:
        nonlocal said
        try:
            return records.update(current, noted)
        except StoreError as error:
            if not said:
                said = True
                task_id = _news_of(step, current.record)
                log.error("%s could not be recorded yet (task id %s): %s", current.record.stem, task_id, error)
            raise

    left = max(1.0, until - monotonic())  # all threads may have been busy
    patient = stamina.RetryingCaller(attempts=None, timeout=left, wait_initial=0.5, wait_max=20, wait_jitter=1)
    kept = patient(StoreError, write)
    told = _news_of(step, current.record)
    if told is not None and all(attempt.task_id != told for attempt in kept.record.attempts):
        log.error(
            "%s was removed and made anew while its job %s was being submitted: that job is not in the record, and is "
            "paid all the same",
            current.record.stem,
            told,
        )
    if is_news:
        records.announce(kept.record)
    return kept


def _news_of(step: Step, record: VideoRecord) -> str | None:
    """The task id that the record is about to be given."""
    news = step(record)
    return news.attempt.task_id if news and news.attempt.task_id != record.attempt.task_id else None
