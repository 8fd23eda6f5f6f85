"""Download a finished video into the store, examine it, and close its record."""

from __future__ import annotations

from prefect_omnivideo.core.client.account import Account
from prefect_omnivideo.core.errors import StoreError, TransferError
from prefect_omnivideo.core.exchange import Exchange
from prefect_omnivideo.core.gateways.specification import Job
from prefect_omnivideo.core.jobs.fetching import Fetching
from prefect_omnivideo.core.jobs.persist import Log, keep, latest
from prefect_omnivideo.core.media import probe as media
from prefect_omnivideo.core.records.model import StoredFile, VideoRecord, now
from prefect_omnivideo.core.records.repository import Records
from prefect_omnivideo.core.storage.base import ObjectStore
from prefect_omnivideo.core.threads import on_records
from prefect_omnivideo.core.transfer.transfer import MAX_BYTES


async def deliver(
    record: VideoRecord, job: Job, account: Account, records: Records, log: Log, max_bytes: int = MAX_BYTES
) -> VideoRecord:
    """Stream a finished job's files into the store, examine them, and mark the video as stored.

    A job whose files cannot be downloaded stays `finished`, with the reason: a later run tries again.

    Args:
        max_bytes: a file larger than this is refused.

    Raises:
        TransferError: no link of the gateway led to a video, not even a renewed one.
        StoreError: the store refused the bytes.
    """
    seen_at = now()

    def finish(latest: VideoRecord, trouble: str = "", answers: tuple[Exchange, ...] = ()) -> VideoRecord | None:
        if not latest.awaits(job.task_id):
            return None
        return latest.finished(
            job.cost,
            generated_seconds=_generated_seconds(job),
            at=seen_at,
            video_id=job.video_id,
            trouble=trouble,
            answers=answers,
        )

    current = await latest(records, record)
    if not current.record.awaits(job.task_id):
        return current.record
    fetching = Fetching(record, account, records, log, max_bytes)
    try:
        files = await fetching.all(job)
    except TransferError as error:
        trouble = str(error)
        await keep(records, current, lambda latest: finish(latest, trouble, fetching.evidence), log)
        raise
    differing = (text for file in files for text in media.mismatches(record.request, file.media))
    odd = (text for file in files for text in (file.doubt, _found_at(file)) if text)
    mismatches = tuple(dict.fromkeys((*differing, *odd)))

    def store(latest: VideoRecord) -> VideoRecord | None:
        finished = finish(latest, answers=fetching.evidence)
        return finished and finished.stored(tuple(files), mismatches)

    stored = (await keep(records, current, store, log)).record
    for text in mismatches:
        log.warning("%s: %s", record.stem, text)
    log.info("stored %s (%.1f MB)", files[0].uri, sum(file.size for file in files) / 1e6)
    return stored


async def clean_up(store: ObjectStore, log: Log) -> None:
    """Remove leftovers of transfers that were killed days ago, if the store allows it."""
    try:
        removed = await on_records(store.clean)
    except StoreError as error:
        log.warning("leftovers of interrupted transfers could not be searched for: %s", error)
        return
    if removed:
        log.info("removed leftovers of %d interrupted transfers in %s", removed, store.uri(""))


def _found_at(file: StoredFile) -> str:
    return f"its link was found at {file.found_at}, which is not documented" if file.found_at else ""


def _generated_seconds(job: Job) -> float | None:
    if not (job.created_at and job.completed_at and job.completed_at >= job.created_at):
        return None
    return (job.completed_at - job.created_at).total_seconds()
