"""Downloads the files of one finished job: which links of the answer to try, in which order."""

from __future__ import annotations

from collections.abc import Mapping
from io import SEEK_END
from itertools import groupby

from pydantic import JsonValue

from prefect_omnivideo.core.answers.json_paths import texts_of
from prefect_omnivideo.core.client.account import Account
from prefect_omnivideo.core.client.pool import connect
from prefect_omnivideo.core.errors import (
    LinkExpiredError,
    NotAVideoError,
    StatusUnavailableError,
    StoreError,
    TransferError,
)
from prefect_omnivideo.core.exchange import Exchange
from prefect_omnivideo.core.gateways.specification import Job, Link
from prefect_omnivideo.core.gateways.words import JobStatus
from prefect_omnivideo.core.jobs.persist import Log
from prefect_omnivideo.core.media import probe as media
from prefect_omnivideo.core.records.model import StoredFile, VideoRecord
from prefect_omnivideo.core.records.repository import Records
from prefect_omnivideo.core.storage.base import ObjectStore
from prefect_omnivideo.core.threads import examining, on_transfers
from prefect_omnivideo.core.transfer.transfer import MAX_BYTES, Source, Transferred, transfer

LINK_RENEWALS = 3
"""How often the job's status is queried again if its links are no longer valid."""
CONTENT = "(content endpoint)"


class Fetching:
    """The download of one job's files.

    Attributes:
        evidence: answers to keep, since a link was at an undocumented path, or there was none.
    """

    def __init__(self, record: VideoRecord, account: Account, records: Records, log: Log, max_bytes: int) -> None:
        self._record = record
        self._account = account
        self._store = records.store
        self._log = log
        self._max_bytes = max_bytes
        self._content = account.content_url(record.attempt.task_id or "", record.attempt.submit_path)
        self.evidence: tuple[Exchange, ...] = ()

    async def all(self, job: Job) -> list[StoredFile]:
        """Every file of the job; links that are no longer valid are renewed by asking for the job's status.

        Raises:
            TransferError: no link gave a video.
        """
        path = self._record.attempt.submit_path
        for renewals_left in reversed(range(LINK_RENEWALS + 1)):
            try:
                return await self._round(job, is_last=not renewals_left)
            except LinkExpiredError as error:
                if job.answer:
                    self.evidence = (job.answer.evidence,)
                if not renewals_left:
                    raise
                self._log.info("%s; asking for a new link", error)
            async with connect(self._account) as client:
                sent = texts_of(self._record.request.model_dump(mode="json", exclude_defaults=True))
                try:
                    newer = await client.status(job.task_id, path, sent)
                except StatusUnavailableError as error:  # the job was finished before; its links may work by now
                    self._log.info("%s; trying the links once more", error)
                    continue
            if newer.status is JobStatus.SUCCEEDED:
                job = newer
        raise LinkExpiredError(f"{self._record.stem}: no link could be renewed")

    async def _round(self, job: Job, *, is_last: bool) -> list[StoredFile]:
        """Try the links of one answer: the documented ones, the content endpoint, then all others.

        A guess is tried only if the links before it are certainly not videos: a watermarked copy must not take the
        place of a result that is only temporarily unavailable.
        """
        problems: list[TransferError] = []
        may_guess = True
        for group in _groups(job, self._content):
            is_guess = not group[0].is_documented
            expired = any(isinstance(problem, LinkExpiredError) for problem in problems)
            if is_guess and (not may_guess or (expired and not is_last)):
                break
            try:
                return await self._group(group, job)
            except (NotAVideoError, LinkExpiredError) as error:
                problems.append(error)
            except TransferError as error:
                problems.append(error)
                may_guess = may_guess and group[0].path == CONTENT
                if is_guess:
                    break
        if not problems:
            title, word = self._account.gateway.title, job.status_word or "finished"
            raise LinkExpiredError(f"{title} calls job {job.task_id} {word} and has no link to a video")
        # One expired link is reason enough to query again.
        first = next((problem for problem in problems if isinstance(problem, LinkExpiredError)), problems[0])
        raise type(first)("; ".join(dict.fromkeys(map(str, problems))))

    async def _group(self, links: list[Link], job: Job) -> list[StoredFile]:
        """The videos in a group of links; other files, such as a cover, are left out."""
        files: list[StoredFile] = []
        problem: NotAVideoError | None = None
        for link in links:
            try:
                files.append(await self._fetch(link, len(files), job))
            except NotAVideoError as error:
                problem = error
        if not files:
            raise problem or NotAVideoError(f"{self._record.stem}: no link")
        if not links[0].is_documented:
            self.evidence = (job.answer.evidence,) if job.answer else ()
        return files

    async def _fetch(self, link: Link, number: int, job: Job) -> StoredFile:
        """One file: the first is named like the record, the others are numbered."""
        record, account = self._record, self._account
        source = Source(url=link.url, base_url=account.base_url, key=account.api_key, expires_at=job.expires_at)
        name = record.stem if number == 0 else f"{record.stem}-{number + 1}"
        file = await fetch_file(source, record, self._store, name, self._max_bytes)
        return file.model_copy(update={"found_at": "" if link.is_documented else link.path})


async def fetch_file(
    source: Source, record: VideoRecord, store: ObjectStore, name: str, max_bytes: int = MAX_BYTES
) -> StoredFile:
    """Stream one file of a record's video into the store, and examine it.

    Args:
        name: in the store, without an ending.

    Raises:
        TransferError: it cannot be downloaded, or is not a video.
        StoreError: the store refused.
    """
    metadata = {"key": record.key, "gateway": record.attempt.gateway, "task-id": record.attempt.task_id or ""}
    moved, facts, poster, doubt = await on_transfers(_move, source, store, name, max_bytes, metadata)
    return StoredFile(
        name=moved.name,
        uri=store.uri(moved.name),
        size=moved.size,
        sha256=moved.sha256,
        content_type=moved.content_type,
        source_host=moved.host,
        link_expires_at=source.expires_at,
        transfer_seconds=round(moved.seconds, 3),
        media=facts,
        poster=poster,
        doubt=doubt,
    )


def _groups(job: Job, content: str | None) -> list[list[Link]]:
    """Groups of links, in the order in which they are tried."""
    documented = [link for link in job.links if link.is_documented]
    first = [list(links) for _, links in groupby(documented, key=lambda link: link.group)]
    own = [[Link(content, CONTENT)]] if content else []
    guesses: dict[str, list[Link]] = {}
    for link in job.links:
        if not link.is_documented:
            guesses.setdefault(link.group, []).append(link)
    return [*first, *own, *guesses.values()]


def _move(
    source: Source, store: ObjectStore, name: str, max_bytes: int, metadata: Mapping[str, str]
) -> tuple[Transferred, dict[str, JsonValue], str | None, str]:
    moved = transfer(source, store, name, max_bytes=max_bytes, metadata=metadata)
    return moved, *_examine(store, moved, name)


def _examine(store: ObjectStore, moved: Transferred, poster_stem: str) -> tuple[dict[str, JsonValue], str | None, str]:
    """Media facts, the name of a poster stored beside the video, and why the video is doubtful.

    All empty without the `media` extra. Bytes that cannot be opened are kept: they were paid for.

    Raises:
        StoreError: the store has not all of the video.
    """
    with examining, store.open(moved.name, head=moved.head) as file:
        if (size := file.seek(0, SEEK_END)) != moved.size:
            raise StoreError(f"{store.uri(moved.name)} has {size} bytes in the store, of {moved.size} that were sent")
        try:
            examined = media.examine(file, with_poster=store.posters == "at once")
        except NotAVideoError as error:
            return {}, None, f"doubtful: {error}"
    if examined is None:
        return {}, None, ""
    facts, picture = examined
    if picture is None:
        return facts, None, ""
    store.put(f"{poster_stem}.jpg", picture, content_type="image/jpeg")
    return facts, f"{poster_stem}.jpg", ""
