"""Posters of stored videos, where the store leaves them to a sweep."""

from __future__ import annotations

from pathlib import PurePosixPath

from prefect_omnivideo.core.jobs.persist import Log, keep, latest
from prefect_omnivideo.core.media import probe as media
from prefect_omnivideo.core.records.model import StoredFile, VideoRecord, VideoState
from prefect_omnivideo.core.records.repository import Records
from prefect_omnivideo.core.storage.base import ObjectStore
from prefect_omnivideo.core.threads import on_examinations


def lacks_posters(record: VideoRecord, store: ObjectStore) -> bool:
    """Whether a sweep is to make posters for a video."""
    return store.posters == "later" and record.state is VideoState.STORED and any(map(_is_due, record.files))


async def add_posters(record: VideoRecord, records: Records, log: Log) -> VideoRecord:
    """Make the posters that a stored video lacks, if that is left to a sweep.

    Returns:
        Its record; unchanged if they cannot be made for any reason: a video without a picture is a video.
    """
    if not lacks_posters(record, records.store):
        return record
    try:
        names = [file.name for file in record.files if _is_due(file)]
        made = {name: await on_examinations(_make, records.store, name) for name in names}
        return (await keep(records, await latest(records, record), lambda newest: newest.illustrated(made), log)).record
    except Exception as error:
        log.warning("no poster of %s could be made: %s", record.stem, error)
        return record


def _is_due(file: StoredFile) -> bool:
    return file.poster is None and "codec" in file.media


def _make(store: ObjectStore, name: str) -> str:
    """Put the poster of a file beside it; returns its name, or an empty text if there is no picture."""
    with store.open(name) as file:
        examined = media.examine(file)
    if examined is None or examined.poster is None:
        return ""
    poster = str(PurePosixPath(name).with_suffix(".jpg"))
    store.put(poster, examined.poster, content_type="image/jpeg")
    return poster
