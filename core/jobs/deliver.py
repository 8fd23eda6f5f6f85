"""Bring a finished video home: into the store, examined, and its record closed."""

from __future__ import annotations

from pydantic import JsonValue

from prefect_omnivideo.core.client.account import Account
from prefect_omnivideo.core.client.pool import connect
from prefect_omnivideo.core.errors import LinkExpiredError, NotAVideoError, StoreError, TransferError
from prefect_omnivideo.core.gateways.specification import Job
from prefect_omnivideo.core.jobs.persist import Log, keep, latest
from prefect_omnivideo.core.jobs.wait import with_links
from prefect_omnivideo.core.media import probe as media
from prefect_omnivideo.core.records.model import StoredFile, VideoRecord, now
from prefect_omnivideo.core.records.repository import Records
from prefect_omnivideo.core.storage.base import ObjectStore
from prefect_omnivideo.core.threads import on_examinations, on_records, on_transfers
from prefect_omnivideo.core.transfer.transfer import MAX_BYTES, Source, transfer

LINK_RENEWALS = 3
"""Fresh links asked for when a link is no longer good."""


async def deliver(
    record: VideoRecord, job: Job, account: Account, records: Records, log: Log, max_bytes: int = MAX_BYTES
) -> VideoRecord:
    """Stream a finished job's files into the store, examine them, and file the video as stored.

    Args:
        max_bytes: a file larger than this is refused.

    Raises:
        TransferError: the gateway's links gave no video, not even fresh ones.
        StoreError: the store refused the bytes.
    """

    seen_at = now()

    def finish(latest: VideoRecord) -> VideoRecord | None:
        if not latest.awaits(job.task_id):
            return None
        return latest.finished(job.cost, job.credits, generated_seconds=_generated_seconds(job), at=seen_at)

    current = await latest(records, record)
    if not current.record.awaits(job.task_id):
        return current.record
    try:
        files = await _fetch_all(record, job, account, records, log, max_bytes)
    except TransferError:
        await keep(records, current, finish, log)  # its cost is known, if nothing else
        raise
    mismatches = tuple(dict.fromkeys(text for file in files for text in media.mismatches(record.request, file.media)))

    def store(latest: VideoRecord) -> VideoRecord | None:
        finished = finish(latest)
        return finished and finished.stored(tuple(files), mismatches)

    stored = (await keep(records, current, store, log)).record
    for text in mismatches:
        log.warning("%s: %s", record.stem, text)
    log.info("stored %s (%.1f MB)", files[0].uri, sum(file.size for file in files) / 1e6)
    return stored


async def clean_up(store: ObjectStore, log: Log) -> None:
    """Remove what transfers of days past left behind when they were killed, if the store lets us."""
    try:
        removed = await on_records(store.clean)
    except StoreError as error:
        log.warning("what interrupted transfers may have left could not be looked for: %s", error)
        return
    if removed:
        log.info("removed what %d interrupted transfers had left in %s", removed, store.uri(""))


def _generated_seconds(job: Job) -> float | None:
    if not (job.created_at and job.completed_at and job.completed_at >= job.created_at):
        return None
    return (job.completed_at - job.created_at).total_seconds()


async def _fetch_all(
    record: VideoRecord, job: Job, account: Account, records: Records, log: Log, max_bytes: int
) -> list[StoredFile]:
    """All files of the job; a link that is no longer good is renewed by asking for the job's status."""
    path = record.attempt.submit_path
    for renewals_left in reversed(range(LINK_RENEWALS + 1)):
        try:
            return [await _fetch(record, job, number, account, records, max_bytes) for number in range(len(job.urls))]
        except LinkExpiredError as error:
            if not renewals_left:
                raise
            log.info("%s; asking for a fresh link", error)
        async with connect(account) as client:
            job = with_links(await client.status(job.task_id, path), client, path)
    raise AssertionError("unreachable: the last round returns or raises")


async def _fetch(
    record: VideoRecord, job: Job, number: int, account: Account, records: Records, max_bytes: int
) -> StoredFile:
    """One of the job's files: the first is named like the record, the others are numbered."""
    name = record.stem if number == 0 else f"{record.stem}-{number + 1}"
    source = Source(url=job.urls[number], base_url=account.base_url, key=account.api_key, expires_at=job.expires_at)
    metadata = {"key": record.key, "gateway": record.attempt.gateway, "task-id": record.attempt.task_id or ""}
    moved = await on_transfers(transfer, source, records.store, name, max_bytes=max_bytes, metadata=metadata)
    facts, poster = await on_examinations(_examine, records.store, moved.name, name)
    return StoredFile(
        name=moved.name,
        uri=records.store.uri(moved.name),
        size=moved.size,
        sha256=moved.sha256,
        content_type=moved.content_type,
        source_host=moved.host,
        link_expires_at=job.expires_at,
        transfer_seconds=round(moved.seconds, 3),
        media=facts,
        poster=poster,
    )


def _examine(store: ObjectStore, name: str, poster_stem: str) -> tuple[dict[str, JsonValue], str | None]:
    """Media facts and the name of a poster stored beside the video; nothing of both without the `media` extra."""
    with store.open(name) as file:
        try:
            facts = media.probe(file)
        except NotAVideoError:
            store.delete(name)
            raise
        if facts is None:
            return {}, None
        file.seek(0)
        picture = media.poster(file)
    if picture is None:
        return facts, None
    store.put(f"{poster_stem}.jpg", picture, content_type="image/jpeg")
    return facts, f"{poster_stem}.jpg"
