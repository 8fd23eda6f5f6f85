"""A folder on disk as a store."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import shutil
import time
import uuid
from collections.abc import Generator, Iterator, Mapping
from pathlib import Path
from typing import BinaryIO

from typing_extensions import override

from prefect_omnivideo.core.errors import RecordConflictError, StoreError
from prefect_omnivideo.core.storage.base import (
    JSON,
    LEFTOVER_AGE,
    ETag,
    ObjectStore,
    checked_name,
    checked_prefix,
)

_CHUNK = 1024 * 1024
_HALF_WRITTEN = ".part"
_LOCK = ".lock"

_WHAT_TO_DO = {
    errno.EACCES: "give this user the right to write there, or choose another folder",
    errno.EPERM: "this user or this file system does not allow it; choose another folder",
    errno.EROFS: "the file system is read-only; choose another folder",
    errno.ENOSPC: "the disk is full; free some space and run again",
    errno.EDQUOT: "the disk quota is used up; free some space and run again",
    errno.ENOTDIR: "a part of the path is a file, not a folder; choose another folder",
    errno.EEXIST: "a file has the name of a folder that is needed; move the file away",
    errno.EISDIR: "a folder has this name; move the folder away",
    errno.ENAMETOOLONG: "the path is too long for this file system; choose a folder with a shorter path",
    errno.ENOTSUP: "this file system has no hard links, which are needed to pay once; choose another folder",
    errno.EMFILE: "too many files are open; lower the number of transfers or raise `ulimit -n`",
}


class Folder(ObjectStore):
    """A folder, created by the first write. Safe for many threads and processes on a POSIX file system."""

    def __init__(self, path: str | Path, public_url: str = "") -> None:
        self.path = Path(path).expanduser().absolute()
        self.public_url = public_url

    def __repr__(self) -> str:
        return f"Folder({str(self.path)!r})"

    @override
    def create(self, name: str, data: bytes, *, content_type: str = JSON) -> ETag:
        target = self._target(name)
        with _explained(target), self._half_written(target, data) as half:
            try:
                # A hard link to a complete file: exclusive like O_EXCL, and never visible half-written.
                os.link(half, target)
            except FileExistsError:
                raise RecordConflictError(f"{target} exists already") from None
        _sync(target.parent)
        return _etag(data)

    @override
    def replace(self, name: str, data: bytes, etag: ETag, *, content_type: str = JSON) -> ETag:
        target = self._target(name)
        with _explained(target), self._half_written(target, data) as half, self._locked():
            found = self.read(name)
            if found is None or found[1] != etag:
                raise RecordConflictError(f"{target} was changed by another process")
            half.replace(target)
        _sync(target.parent)
        return _etag(data)

    @override
    def put(self, name: str, data: bytes, *, content_type: str) -> None:
        target = self._target(name)
        with _explained(target), self._half_written(target, data) as half:
            half.replace(target)
        _sync(target.parent)

    @override
    def read(self, name: str) -> tuple[bytes, ETag] | None:
        target = self._target(name)
        with _explained(target):
            try:
                data = target.read_bytes()
            except FileNotFoundError:
                return None
        return data, _etag(data)

    @override
    def names(self, prefix: str = "") -> Iterator[str]:
        parent = checked_prefix(prefix).rpartition("/")[0]
        for file in _files(self.path / parent):
            name = file.relative_to(self.path).as_posix()
            if name.startswith(prefix) and not any(part.startswith(".") for part in name.split("/")):
                yield name

    @override
    def write(self, name: str, source: BinaryIO, *, content_type: str, metadata: Mapping[str, str]) -> None:
        target = self._target(name)
        with _explained(target):
            half = self._new_half(target)
            file = half.open("wb")
        try:
            with file:
                # Outside `_explained`: an OSError of the source is not a disk error.
                while chunk := source.read(_CHUNK):
                    with _explained(target):
                        file.write(chunk)
                with _explained(target):
                    _flush(file)
            with _explained(target):
                half.replace(target)
        finally:
            half.unlink(missing_ok=True)
        _sync(target.parent)

    @override
    def copy(self, source: str, name: str) -> None:
        target = self._target(name)
        with self.open(source) as file, _explained(target):
            half = self._new_half(target)
            try:
                # Not a hard link: somebody who edits the copy would change the source.
                with half.open("wb") as copied:
                    shutil.copyfileobj(file, copied, _CHUNK)
                    _flush(copied)
                half.replace(target)
            finally:
                half.unlink(missing_ok=True)
        _sync(target.parent)

    @override
    def open(self, name: str, *, head: bytes = b"") -> BinaryIO:
        target = self._target(name)
        with _explained(target):
            try:
                return target.open("rb")
            except FileNotFoundError:
                raise StoreError(f"{target} does not exist") from None

    @override
    def size(self, name: str) -> int | None:
        target = self._target(name)
        with _explained(target):
            try:
                return target.stat().st_size
            except FileNotFoundError:
                return None

    @override
    def delete(self, name: str) -> None:
        target = self._target(name)
        with _explained(target):
            target.unlink(missing_ok=True)

    @override
    def uri(self, name: str) -> str:
        return (self.path / name).as_uri()

    @override
    def link(self, name: str, *, seconds: int) -> str:
        return self.uri(name)

    @override
    def clean(self, *, older_than: float = LEFTOVER_AGE) -> int:
        removed = 0
        for file in _files(self.path):
            if not (file.name.startswith(".") and file.name.endswith(_HALF_WRITTEN)):
                continue
            with _explained(file), contextlib.suppress(FileNotFoundError):
                if time.time() - file.stat().st_mtime > older_than:
                    file.unlink()
                    removed += 1
        return removed

    def _target(self, name: str) -> Path:
        return self.path / checked_name(name)

    def _new_half(self, target: Path) -> Path:
        _make_folder(target.parent)
        return target.parent / f".{uuid.uuid4().hex}{_HALF_WRITTEN}"

    @contextlib.contextmanager
    def _half_written(self, target: Path, data: bytes) -> Generator[Path]:
        """A complete and durable file beside the target, removed afterwards unless it was renamed."""
        half = self._new_half(target)
        try:
            with half.open("wb") as file:
                file.write(data)
                _flush(file)
            yield half
        finally:
            half.unlink(missing_ok=True)

    @contextlib.contextmanager
    def _locked(self) -> Generator[None]:
        # Imported here: Windows has no fcntl, and users of S3 do not need it.
        import fcntl

        # A separate file, as NFS cannot lock a folder. The lock ends when the file is closed or the process dies.
        with (self.path / _LOCK).open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def _etag(data: bytes) -> ETag:
    return hashlib.sha256(data).hexdigest()


def _files(folder: Path) -> Iterator[Path]:
    with _explained(folder):
        try:
            entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
        except (FileNotFoundError, NotADirectoryError):
            return
    for entry in entries:
        if entry.is_dir(follow_symlinks=False):
            yield from _files(folder / entry.name)
        else:
            yield folder / entry.name


def _make_folder(folder: Path) -> None:
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    for path in missing:
        _sync(path.parent)


def _flush(file: BinaryIO) -> None:
    file.flush()
    os.fsync(file.fileno())


def _sync(folder: Path) -> None:
    """Make the names in a folder durable, as fsync of a file does not."""
    with _explained(folder):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


@contextlib.contextmanager
def _explained(path: Path) -> Generator[None]:
    try:
        yield
    except OSError as error:
        hint = _WHAT_TO_DO.get(error.errno or 0, "check the disk and its file system")
        raise StoreError(f"{path}: {error.strerror or error}; {hint}") from error
