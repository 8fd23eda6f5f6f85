"""A video stored from a link that a person found."""

from __future__ import annotations

from prefect_omnivideo.core.errors import StoreError
from prefect_omnivideo.core.jobs.fetching import fetch_file
from prefect_omnivideo.core.jobs.persist import Log, keep
from prefect_omnivideo.core.media import probe as media
from prefect_omnivideo.core.records.model import VideoRecord, VideoState
from prefect_omnivideo.core.records.repository import Records, Versioned
from prefect_omnivideo.core.transfer.transfer import Source


async def store_link(records: Records, current: Versioned, url: str, log: Log) -> VideoRecord:
    """Download a video for a record that has none, whatever its state.

    Raises:
        TransferError: the link does not lead to a video.
        StoreError: the record is stored, or the store refused.
    """
    record = current.record
    if record.state is VideoState.STORED:
        raise StoreError(f"{record.stem} is stored; it needs no decision")
    # Its own origin as the base, and no key: a link given by a person belongs to no account.
    file = await fetch_file(Source(url=url, base_url=url), record, records.store, record.stem)
    mismatches = media.mismatches(record.request, file.media)

    def step(latest: VideoRecord) -> VideoRecord | None:
        if latest.state is VideoState.STORED:
            return None
        return latest.stored((file.model_copy(update={"found_at": "(a link given by a person)"}),), mismatches)

    return (await keep(records, current, step, log)).record
