"""What a person decides about a video whose outcome no program can know."""

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
    return _settle(records, key, batch, (), lambda record: record.submitted(task_id))


def resubmit(records: Records, key: str, batch: str | None) -> VideoRecord:
    """The gateway did not accept it, or a second bill is wanted: the next run of the batch submits it again.

    Raises:
        StoreError: there is no such record, or its job may still run.
    """
    return _settle(records, key, batch, (VideoState.FAILED,), VideoRecord.released)


def abandon(records: Records, key: str, batch: str | None) -> VideoRecord:
    """Nobody wants it any more, and runs of the batch no longer fail because of it.

    A job that runs goes on at the gateway and is billed, and is not collected.

    Raises:
        StoreError: there is no such record, or it needs no such decision.
    """
    given_up = (VideoState.SUBMITTED, VideoState.FAILED)
    return _settle(records, key, batch, given_up, lambda record: record.failed("abandoned", "a person gave it up"))


def _settle(
    records: Records,
    key: str,
    batch: str | None,
    also: tuple[VideoState, ...],
    step: Callable[[VideoRecord], VideoRecord],
) -> VideoRecord:
    """Take the step from a parked record, or from one of the states in `also`."""

    def decide(record: VideoRecord) -> VideoRecord:
        if not is_parked(record) and record.state not in also:
            states = " or ".join(("unknown", *also))
            raise StoreError(f"{record.stem} is {record.state}; this decision is for a video that is {states}")
        return step(record)

    return records.update(records.find(key, batch), decide).record


def is_parked(record: VideoRecord) -> bool:
    """Whether the video waits for a person: unknown, or in a submission whose process died."""
    dead = record.state is VideoState.SUBMITTING and now() > record.attempt.claim_ends_at
    return dead or record.state is VideoState.UNKNOWN
