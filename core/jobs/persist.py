"""Updates of a record that must not be lost, whatever happens to the store or the run."""

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
"""The next state of a record; None if there is nothing left to change."""

KEEP_TRYING = 600.0
"""Seconds to retry an update while the store is unavailable."""


async def latest(records: Records, record: VideoRecord) -> Versioned:
    """The record as it is in the store now."""
    current = await on_records(records.load, record.batch, record.request)
    if current is None:
        raise StoreError(f"the record {record.stem}.json is missing from {records.store.uri('')}; nothing was changed")
    return current


async def keep(records: Records, current: Versioned, step: Step, log: Log) -> Versioned:
    """Write an update that must not be lost, then announce it.

    Retried for minutes while the store is down, in its own thread: neither a cancelled run nor the end of its event
    loop stops it, and the process waits for it. A task id is logged before it is written.
    """
    if (task_id := _new_task_id(step, current.record)) is not None:
        log.info("%s has the task id %s", current.record.stem, task_id)
    return await on_news(_persist, records, current, step, log, monotonic() + KEEP_TRYING)


def _persist(records: Records, current: Versioned, step: Step, log: Log, until: float) -> Versioned:
    said, is_new_state = False, False

    def noted(record: VideoRecord) -> VideoRecord | None:
        nonlocal is_new_state
        new = step(record)
        is_new_state = new is not None and new.state is not record.state
        return new

    def write() -> Versioned:
        nonlocal said
        try:
            return records.update(current, noted)
        except StoreError as error:
            if not said:
                said = True
                task_id = _new_task_id(step, current.record)
                log.error("%s could not be recorded yet (task id %s): %s", current.record.stem, task_id, error)
            raise

    left = max(1.0, until - monotonic())  # all threads may be busy
    patient = stamina.RetryingCaller(attempts=None, timeout=left, wait_initial=0.5, wait_max=20, wait_jitter=1)
    kept = patient(StoreError, write)
    new_id = _new_task_id(step, current.record)
    if new_id is not None and all(attempt.task_id != new_id for attempt in kept.record.attempts):
        log.error(
            "%s was removed and created again while its job %s was being submitted: that job is not in the record, but "
            "is still paid",
            current.record.stem,
            new_id,
        )
    if is_new_state:
        records.announce(kept.record)
    return kept


def _new_task_id(step: Step, record: VideoRecord) -> str | None:
    """The task id that the step adds to the record."""
    new = step(record)
    return new.attempt.task_id if new and new.attempt.task_id != record.attempt.task_id else None
