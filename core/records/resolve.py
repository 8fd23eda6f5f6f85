"""Decisions of a person about a video in any state but `stored`."""

from __future__ import annotations

from collections.abc import Callable

from prefect_omnivideo.core.errors import StoreError
from prefect_omnivideo.core.records.model import VideoRecord, VideoState, now
from prefect_omnivideo.core.records.repository import Records


def accept(records: Records, key: str, batch: str | None, task_id: str) -> VideoRecord:
    """The gateway did accept it, under this task id: the next run of the batch collects it.

    Raises:
        StoreError: there is no such record, or it needs no such decision.
    """
    return decide(records, key, batch, lambda record: record.submitted(task_id))


def ask_again(records: Records, key: str, batch: str | None) -> VideoRecord:
    """The submitted job may have a video after all: the next run of the batch queries the gateway.

    Raises:
        StoreError: there is no such record, or it has no task id.
    """

    def step(record: VideoRecord) -> VideoRecord:
        if not record.attempt.task_id:
            raise StoreError(f"{record.stem} has no task id to ask about; give the gateway's with --task-id")
        return record.submitted(record.attempt.task_id)

    return decide(records, key, batch, step)


def move(records: Records, key: str, batch: str | None, account: str, base_url: str, gateway: str) -> VideoRecord:
    """The account that submitted it has another name or address now.

    Raises:
        StoreError: there is no such record, or it was submitted to another gateway.
    """

    def step(record: VideoRecord) -> VideoRecord:
        if record.attempt.gateway != gateway:
            raise StoreError(f"{record.stem} was submitted to {record.attempt.gateway}, not to {gateway}")
        return record.moved(account, base_url)

    return decide(records, key, batch, step)


def resubmit(records: Records, key: str, batch: str | None) -> VideoRecord:
    """The gateway did not accept it, or a second bill is wanted: the next run of the batch submits it again.

    Raises:
        StoreError: there is no such record.
    """
    return decide(records, key, batch, VideoRecord.released)


def abandon(records: Records, key: str, batch: str | None) -> VideoRecord:
    """The video is no longer wanted, and runs of the batch no longer fail because of it.

    A running job continues at the gateway and is billed, and is not collected. Any other decision reverts this one.

    Raises:
        StoreError: there is no such record.
    """
    return decide(records, key, batch, lambda record: record.failed("abandoned", "abandoned by a person"))


def decide(records: Records, key: str, batch: str | None, step: Callable[[VideoRecord], VideoRecord]) -> VideoRecord:
    """Apply a step in any state except `stored` and a submission in progress.

    Raises:
        StoreError: there is no such record, or it is in one of these two states.
    """

    def checked(record: VideoRecord) -> VideoRecord:
        if record.state is VideoState.STORED:
            raise StoreError(f"{record.stem} is stored; it needs no decision")
        if record.state is VideoState.SUBMITTING and not needs_decision(record):
            raise StoreError(
                f"{record.stem} is being submitted right now; decide after {record.attempt.claim_ends_at:%H:%M:%S %Z}"
            )
        return step(record)

    return records.update(records.find(key, batch), checked).record


def needs_decision(record: VideoRecord) -> bool:
    """Whether the outcome of the submission is unknown: no answer came, or the process that submitted it died."""
    dead = record.state is VideoState.SUBMITTING and now() > record.attempt.claim_ends_at
    return dead or record.state is VideoState.UNKNOWN
