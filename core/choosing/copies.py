"""Copies of chosen videos, under names that stay the same when another take is chosen."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from functools import partial
from pathlib import PurePosixPath
from typing import Literal

import stamina
from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError

from prefect_omnivideo.core.choosing.takes import Choice
from prefect_omnivideo.core.errors import RecordConflictError, RequestError, StoreError, refuse
from prefect_omnivideo.core.records.batch import BatchName
from prefect_omnivideo.core.records.model import StoredFile, VideoRecord
from prefect_omnivideo.core.records.repository import record_name
from prefect_omnivideo.core.reports.wording import title
from prefect_omnivideo.core.request import VideoRequest, is_local, local_path
from prefect_omnivideo.core.storage.base import ETag, ObjectStore, json_bytes

FOLDER = "chosen"
SHEET = "again.jsonl"
COPY_KEY_LENGTH = 12
"""Digits of a key in the name of a copy. Records end in 16 digits: a copy's never counts as one, nor is paid for."""
_AT_A_TIME = 4
_COPY = re.compile(rf"(?P<stem>[^/]+-[0-9a-f]{{{COPY_KEY_LENGTH}}})(-\d+)?\.(?P<ending>\w+)")
_JSON_LINES = "application/jsonl"

_in_turn = stamina.RetryingCaller(attempts=10, timeout=None, wait_initial=0.1, wait_max=5, wait_jitter=0.5)


class ChosenVideo(BaseModel):
    """What lies beside the copy of a chosen video."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    version: Literal[1] = 1
    batch: str
    copy_of: str
    """Name of the record of the video that was chosen."""
    take: int
    chosen_by: str
    chosen_from: str
    chosen_at: AwareDatetime
    is_complete: bool
    """False: the files are being replaced, or that was interrupted."""
    files: tuple[StoredFile, ...]
    """The copies."""
    video: VideoRecord
    """The record, as it was then."""


class Chosen(BaseModel):
    """What became of a choice."""

    model_config = ConfigDict(frozen=True)

    batch: str
    folder: str
    """Where the copies are, within the store."""
    by: str
    source: str
    at: AwareDatetime
    videos: tuple[ChosenVideo, ...]
    """All that are kept, in the order of the batch."""
    copied: int
    """How many of them were copied now; the others lay there already."""
    without: int
    """Prompts of which no take is kept."""
    earlier: tuple[str, ...] = ()
    """Addresses of copies of earlier choices, which no longer are chosen."""
    problems: tuple[str, ...] = ()
    """Videos that could not be copied, and why."""
    again: tuple[VideoRequest, ...] = ()
    """Takes that are wanted; nothing was submitted."""
    sheet: str = ""
    """Where a sheet with these takes is."""

    def summary(self) -> str:
        """What was chosen, in one or two sentences."""
        kept = len(self.videos) + len(self.problems)
        parts = [f"{self.copied} copied", f"{len(self.videos) - self.copied} already there"]
        parts += [f"{len(self.problems)} could not be copied"] if self.problems else []
        said = f"{kept} video{'' if kept == 1 else 's'} chosen: {', '.join(parts)}."
        if self.without:
            said += f" No take is kept of {_prompts(self.without)}."
        if self.earlier:
            said += f" {len(self.earlier)} of earlier choices still there."
        if self.again:
            said += f" Another take is wanted of {_prompts(len(self.again))}."
        return said

    def how_to_make(self) -> str:
        """How to get the takes that are wanted; empty if none is."""
        if not self.again:
            return ""
        return (
            f"To make {len(self.again)} more and pay for them, run the flow Generate videos from a sheet with the "
            f"sheet {self.sheet} and the batch {self.batch}."
        )


def _prompts(count: int) -> str:
    return f"{count} prompt{'' if count == 1 else 's'}"


def carry_out(
    choice: Choice,
    store: ObjectStore,
    batch: str,
    to: str = FOLDER,
    announce: Callable[[ChosenVideo], object] = lambda video: None,
) -> Chosen:
    """Copy what is chosen to `<to>/<batch>`, replacing what was chosen before; nothing is deleted.

    Args:
        announce: called with each video that was copied.

    Raises:
        RequestError: `to` cannot be the name of a folder; nothing was copied.
        StoreError: the store cannot be read or written.
    """
    folder = f"{_checked(to)}/{batch}"

    def one(video: VideoRecord) -> tuple[ChosenVideo, bool] | str:
        try:
            made, is_new = copy(video, store, folder, choice)
        except StoreError as error:
            return f"{title(video)}: {error}"
        if is_new:
            announce(made)
        return made, is_new

    with ThreadPoolExecutor(_AT_A_TIME, thread_name_prefix="copies") as pool:
        # A context of its own for each, as announcing needs that of the flow run.
        running = [pool.submit(copy_context().run, partial(one, video)) for video in choice.kept]
        done = [each.result() for each in running]
    videos = tuple(each[0] for each in done if not isinstance(each, str))
    return Chosen(
        batch=batch,
        folder=folder,
        by=choice.by,
        source=choice.source,
        at=choice.at,
        videos=videos,
        copied=sum(not isinstance(each, str) and each[1] for each in done),
        without=choice.without,
        earlier=_earlier(store, folder, choice.kept, videos),
        problems=tuple(each for each in done if isinstance(each, str)),
        again=tuple(choice.again),
        sheet=_sheet(store, folder, choice.again),
    )


def copy(video: VideoRecord, store: ObjectStore, folder: str, choice: Choice) -> tuple[ChosenVideo, bool]:
    """Copy one video with its poster, unless the copy is there. Returns what lies beside it, and whether it is new.

    The intent is written first: whoever is interrupted, or meets another choice at the same time, is noticed.

    Raises:
        StoreError: it cannot be copied.
    """
    name = f"{folder}/{stem(video.request)}.json"
    files = tuple(
        _renamed(file, store, f"{folder}/{stem(video.request)}" + (f"-{number}" if number > 1 else ""))
        for number, file in enumerate(video.files, 1)
    )
    wanted = ChosenVideo(
        batch=video.batch,
        copy_of=record_name(video),
        take=video.request.take,
        chosen_by=choice.by,
        chosen_from=choice.source,
        chosen_at=choice.at,
        is_complete=True,
        files=files,
        video=video,
    )

    def write() -> tuple[ChosenVideo, bool]:
        found = store.read(name)
        known = _parsed(found[0]) if found else None
        if known and known.is_complete and _same(known, wanted) and _are_there(store, known.files):
            return known, False
        etag = _begun(wanted, store, name, found and found[1])
        for source, target in zip(video.files, files, strict=True):
            _copy(store, source, target)
        store.replace(name, _bytes(wanted), etag)
        return wanted, True

    return _in_turn(RecordConflictError, write)


def stem(request: VideoRequest) -> str:
    """Name of the copy of a chosen video within its folder, without the ending: the same for all takes."""
    return f"{request.slug}-{request.model_copy(update={'take': 1}).key[:COPY_KEY_LENGTH]}"


def _begun(wanted: ChosenVideo, store: ObjectStore, name: str, etag: ETag | None) -> ETag:
    begun = _bytes(wanted.model_copy(update={"is_complete": False}))
    return store.replace(name, begun, etag) if etag else store.create(name, begun)


def _copy(store: ObjectStore, source: StoredFile, target: StoredFile) -> None:
    store.copy(source.name, target.name)
    if (size := store.size(target.name)) != source.size:
        raise StoreError(
            f"{store.uri(source.name)} has {size} bytes and was stored with {source.size}: it was changed since. Its "
            "copy is not complete; restore the video, or choose another take"
        )
    if source.poster and target.poster:
        found = store.read(source.poster)
        if found:
            store.put(target.poster, found[0], content_type="image/jpeg")


def _renamed(file: StoredFile, store: ObjectStore, stem: str) -> StoredFile:
    """The file as its copy."""
    name = stem + PurePosixPath(file.name).suffix
    return file.model_copy(
        update={"name": name, "uri": store.uri(name), "poster": f"{stem}.jpg" if file.poster else None}
    )


def _same(known: ChosenVideo, wanted: ChosenVideo) -> bool:
    return known.copy_of == wanted.copy_of and [(file.name, file.sha256) for file in known.files] == [
        (file.name, file.sha256) for file in wanted.files
    ]


def _are_there(store: ObjectStore, files: Sequence[StoredFile]) -> bool:
    return all(store.size(file.name) == file.size for file in files)


def _earlier(
    store: ObjectStore, folder: str, kept: Sequence[VideoRecord], videos: Sequence[ChosenVideo]
) -> tuple[str, ...]:
    """Addresses of copies that are not of this choice; those that could not be replaced are not of an earlier one."""
    current = {file.name for video in videos for file in video.files}
    failed = {stem(video.request) for video in kept} - {stem(video.video.request) for video in videos}
    found = {name: _COPY.fullmatch(name.removeprefix(f"{folder}/")) for name in store.names(f"{folder}/")}
    return tuple(
        store.address(name)
        for name, match in found.items()
        if match and name not in current and match["stem"] not in failed and match["ending"] not in ("json", "jpg")
    )


def _sheet(store: ObjectStore, folder: str, again: Sequence[VideoRequest]) -> str:
    """Write the takes that are wanted as a sheet. Returns where it is, as a flow takes it."""
    if not again:
        return ""
    name = f"{folder}/{SHEET}"
    lines = (json_bytes(request.model_dump(mode="json"), indent=None) for request in again)
    store.put(name, b"".join(lines), content_type=_JSON_LINES)
    uri = store.uri(name)
    return str(local_path(uri)) if is_local(uri) else uri


def _checked(to: str) -> str:
    try:
        name = BatchName.of(to)
    except RequestError as error:
        raise refuse("to", error.problems[0].rule, error.problems[0].accepted, subject="parameters") from None
    if name != to:
        rule = f"{to!r} is not safe in a link"
        raise refuse(
            "to", rule, f"letters, digits, -, _, = and '/' between parts, such as {name}", subject="parameters"
        )
    return name


def _parsed(data: bytes) -> ChosenVideo | None:
    """None: somebody wrote something else there, and the copy is made anew."""
    try:
        return ChosenVideo.model_validate_json(data)
    except ValidationError:
        return None


def _bytes(video: ChosenVideo) -> bytes:
    return json_bytes(video.model_dump(mode="json"))
