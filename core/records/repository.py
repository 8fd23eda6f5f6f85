"""Records in a store: claimed once, changed only from their latest state (compare and swap)."""

from __future__ import annotations

import json
import re
from collections import deque
from collections.abc import Callable, Container, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, NamedTuple, cast

import stamina
from pydantic import ValidationError

from prefect_omnivideo.core.errors import RecordConflictError, StoreError
from prefect_omnivideo.core.records.model import VideoRecord, stem
from prefect_omnivideo.core.records.upgrade import upgraded
from prefect_omnivideo.core.request import KEY_LENGTH, VideoRequest
from prefect_omnivideo.core.storage.base import ETag, ObjectStore, json_bytes

RECORD_VERSION = 3
READERS = 16
"""Records read at the same time."""

_in_turn = stamina.RetryingCaller(attempts=30, timeout=60, wait_initial=0.02, wait_max=2, wait_jitter=0.1)
"""Writers of one record conflict now and then, never thirty times in a row."""

_RECORD_NAME = re.compile(rf"(?P<batch>.+)/[^/]+-(?P<key>[0-9a-f]{{{KEY_LENGTH}}})\.json")
_KEY = re.compile(rf"[0-9a-f]{{1,{KEY_LENGTH}}}")


class Versioned(NamedTuple):
    """A record as it was read or written, and its ETag."""

    record: VideoRecord
    etag: ETag


class Records:
    """The records of a store. Many threads and machines may use one store at once.

    Args:
        store: where they are kept.
        announce: called with each record that reached a new state by this process's work.
    """

    def __init__(self, store: ObjectStore, announce: Callable[[VideoRecord], object] = lambda record: None) -> None:
        self.store = store
        self.announce = announce

    def claim(self, record: VideoRecord) -> tuple[Versioned, bool]:
        """Create the record, unless the video has one already.

        Returns:
            The record in the store, and whether it is ours: False if it existed and nothing was written.

        Raises:
            StoreError: the store refused; nothing may be sent.
        """
        name, data = record_name(record), json_bytes(record.model_dump(mode="json"))
        parse(name, data)  # a record that could not be read back must not be paid for

        try:
            self.store.prove()
        except StoreError as error:
            raise type(error)(f"{self.store.uri(name)} was not claimed, so nothing was sent: {error}") from None

        def create() -> tuple[Versioned, bool]:
            try:
                return Versioned(record, self.store.create(name, data)), True
            except RecordConflictError:
                existing = self.get(name)
                if existing is None:  # removed between the two calls: claim again
                    raise
            return existing, False

        return _in_turn(RecordConflictError, create)

    def save(self, record: VideoRecord, etag: ETag) -> Versioned:
        """Write the next step of a record.

        Raises:
            RecordConflictError: it is no longer at `etag`.
        """
        data = json_bytes(record.model_dump(mode="json"))
        return Versioned(record, self.store.replace(record_name(record), data, etag))

    def update(self, current: Versioned, step: Callable[[VideoRecord], VideoRecord | None]) -> Versioned:
        """Write the result of `step`; on a conflict, apply it to the newer record.

        `step` returns None if there is nothing left to do. It may be called several times.

        Raises:
            RecordConflictError: every write conflicted, or the store reported so.
            StoreError: the record is missing, or the store refused.
        """

        def write() -> Versioned:
            nonlocal current
            changed = step(current.record)
            if changed is None:
                return current
            try:
                return self.save(changed, current.etag)
            except RecordConflictError as error:
                name = record_name(current.record)
                latest = self.get(name)
                if latest is None:
                    raise StoreError(
                        f"{self.store.uri(name)} was removed while its video was being made; its last state was "
                        f"{current.record.state} with task {current.record.attempt.task_id}"
                    ) from None
                if latest == current:
                    error.add_note(
                        "but its content is unchanged: its ETags differ between writing and reading, see docs/stores.md"
                    )
                current = latest
                raise

        return _in_turn(RecordConflictError, write)

    def load(self, batch: str, request: VideoRequest) -> Versioned | None:
        """The record of a request within a batch, or None."""
        return self.get(name_in(batch, request))

    def get(self, name: str) -> Versioned | None:
        """The record with this name (`<batch>/<slug>-<key>.json`), or None.

        Raises:
            StoreError: it is not a record that this version can read.
        """
        found = self.store.read(name)
        return found and Versioned(parse(name, found[0], self.store.uri(name)), found[1])

    def find(self, key: str, batch: str | None = None) -> Versioned:
        """The one record whose key is, or begins with, `key`; in all batches unless one is named.

        Raises:
            StoreError: there is none, or more than one.
        """
        where = f"batch {batch!r}" if batch else "any batch"
        if not _KEY.fullmatch(key):
            raise StoreError(f"{key!r} is not a key: a key, or its beginning, is 1 to {KEY_LENGTH} digits 0-9 a-f")
        hits = [name for name in self._names(batch) if name[-len(".json") - KEY_LENGTH :].startswith(key)]
        if len(hits) > 1:
            shown = ", ".join(hits[:5]) + (", ..." if len(hits) > 5 else "")
            raise StoreError(f"key {key} fits {len(hits)} videos: {shown}; give more digits, or the batch")
        found = self.get(hits[0]) if hits else None
        if found is None:
            raise StoreError(f"no video in {where} of {self.store.uri('')} has a key that begins with {key}")
        return found

    def batch(
        self,
        batch: str,
        unreadable: Callable[[StoreError], object] | None = None,
        *,
        besides: Container[str] = (),
    ) -> Iterator[VideoRecord]:
        """The records of one batch, in the order of their names, read lazily.

        Args:
            unreadable: called for each record that cannot be read, which is left out. None: raise an error.
            besides: names of records to leave out.
        """
        return self._read((name for name in self._names(batch) if name not in besides), unreadable)

    def has(self, batch: str) -> bool:
        """Whether the batch holds a record."""
        return any(True for _ in self._names(batch))

    def all(self, unreadable: Callable[[StoreError], object] | None = None) -> Iterator[VideoRecord]:
        """The records of all batches, in the order of their names, read lazily; `unreadable` as above."""
        return self._read(self._names(None), unreadable)

    def batches(self) -> Iterator[str]:
        """The batches that hold at least one record, each once."""
        seen: set[str] = set()
        for name in self._names(None):
            batch = name.rpartition("/")[0]
            if batch not in seen:
                seen.add(batch)
                yield batch

    def names(self, batch: str) -> set[str]:
        """The names of the records of one batch, without reading them."""
        return set(self._names(batch))

    def _names(self, batch: str | None) -> Iterator[str]:
        for name in self.store.names(f"{batch}/" if batch else ""):
            match = _RECORD_NAME.fullmatch(name)
            if match and batch in (None, match["batch"]):
                yield name

    def _read(
        self, names: Iterable[str], unreadable: Callable[[StoreError], object] | None = None
    ) -> Iterator[VideoRecord]:
        """Read ahead a little, so that a thousand records do not cost a thousand sequential round trips."""
        ahead: deque[Future[Versioned | None]] = deque()

        def next_one() -> Versioned | None:
            try:
                return ahead.popleft().result()
            except StoreError as error:
                if unreadable is None:
                    raise
                unreadable(error)
                return None

        pool = ThreadPoolExecutor(READERS, thread_name_prefix="records")
        try:
            for name in names:
                ahead.append(pool.submit(self.get, name))
                if len(ahead) > READERS and (found := next_one()):
                    yield found.record
            while ahead:
                if found := next_one():
                    yield found.record
        finally:
            pool.shutdown(cancel_futures=True)


def record_name(record: VideoRecord) -> str:
    """Name of a record in the store."""
    return name_in(record.batch, record.request)


def name_in(batch: str, request: VideoRequest) -> str:
    """Name in the store of the record of a request within a batch."""
    return f"{stem(batch, request)}.json"


def parse(name: str, data: bytes, place: str = "") -> VideoRecord:
    """The record in the bytes of an object called `name`.

    Raises:
        StoreError: the bytes are not a record, one of a newer version, or one of another name.
    """
    place = place or name
    advice = "Restore it from a backup or a version of the object; removing it would allow paying for it again"
    try:
        value: object = json.loads(data)
    except (ValueError, RecursionError):
        raise StoreError(f"{place} should be the record of a video and is not JSON. {advice}") from None
    if isinstance(value, dict):
        value = upgraded(cast("dict[str, Any]", value))
    version = cast("dict[str, object]", value).get("version") if isinstance(value, dict) else None
    if isinstance(version, int) and version > RECORD_VERSION:
        raise StoreError(
            f"{place} was written by a newer prefect-omnivideo (record version {version}, this one reads "
            f"{RECORD_VERSION}). Upgrade prefect-omnivideo"
        )
    try:
        record = VideoRecord.model_validate(value)
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, e['loc'])) or 'record'}: {e['msg']}" for e in error.errors()[:3])
        raise StoreError(f"{place} should be the record of a video and is not ({faults}). {advice}") from None
    if record.key != record.request.key or record_name(record) != name:
        raise StoreError(
            f"{place} holds the record of another video ({record_name(record)}, key {record.key}): it was renamed, "
            f"moved or edited. {advice}"
        )
    return record
