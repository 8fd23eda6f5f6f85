"""Local media files: what they are, their hashes, and a copy of them in the store."""

from __future__ import annotations

import hashlib
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

from prefect_omnivideo.core.errors import Problem, RequestError, refuse
from prefect_omnivideo.core.media.types import HEAD, recognise
from prefect_omnivideo.core.storage.base import ObjectStore

FOLDER = "references"
"""Where files are staged, under the store's prefix. Nothing removes them: a lifecycle rule of the bucket may."""


@dataclass(frozen=True, slots=True)
class MediaFile:
    """An image, a video or audio on this machine.

    Attributes:
        content_type, ending: by its first bytes, whatever its name says.
        size: bytes.
        version: changes when the file is written to.
    """

    path: Path
    content_type: str
    ending: str
    size: int
    version: tuple[int, int, int]

    def check_unchanged(self) -> None:
        """Check that it was not written to since it was examined.

        Raises:
            RequestError: it was.
        """
        try:
            found = _version(self.path)
        except OSError:
            found = None
        if found != self.version:
            raise _changed(self.path)


def examine(path: Path, field: str, accepted: str) -> MediaFile:
    """The type of a file, by its first bytes.

    Args:
        field, accepted: named by the error.

    Raises:
        RequestError: it is missing, a folder, empty, unreadable or not a media file.
    """

    def refused(rule: str) -> RequestError:
        return refuse(field, rule, accepted)

    name = repr(str(path))
    try:
        mode = path.stat().st_mode
        version = _version(path)
        # Opening a named pipe would block.
        head = _beginning(path) if stat.S_ISREG(mode) else b""
    except FileNotFoundError:
        raise refused(f"there is no file {name}") from None
    except OSError as error:
        raise refused(f"{name} cannot be read: {error.strerror}") from None
    except ValueError:  # such as a null byte in it
        raise refused(f"{name} cannot be the name of a file") from None
    if not stat.S_ISREG(mode):
        raise refused(f"{name} is {'a folder' if stat.S_ISDIR(mode) else 'not a regular file'}")
    if not head:
        raise refused(f"{name} is empty")
    media = recognise(head)
    if media is None:
        raise refused(f"{name} is not an image, video or audio by its content")
    return MediaFile(path, media.content_type, media.ending, version[1], version)


def digest(file: MediaFile) -> str:
    """SHA-256 of a file, in hexadecimal digits.

    Raises:
        RequestError: it was changed or removed meanwhile.
    """
    try:
        with file.path.open("rb") as source:
            found = hashlib.file_digest(source, "sha256").hexdigest()
        file.check_unchanged()
    except OSError:
        raise _changed(file.path) from None
    return found


def stage(file: MediaFile, sha256: str, store: ObjectStore) -> str:
    """Put a file into the store under its hash, in constant memory, unless it is there.

    Returns:
        Its name in the store.

    Raises:
        RequestError: it was changed since it was hashed; nothing was staged.
        StoreError: the store refused.
    """
    name = f"{FOLDER}/{sha256}{file.ending}"
    if store.size(name) != file.size:
        with file.path.open("rb") as source:
            guarded = cast("BinaryIO", _Guarded(source, file.path, sha256))
            store.write(name, guarded, content_type=file.content_type, metadata={})
    return name


class _Guarded:
    """Fails at the end of a file whose content does not match its hash: other requests would get the wrong file."""

    def __init__(self, source: BinaryIO, path: Path, sha256: str) -> None:
        self._source, self._path, self._expected = source, path, sha256
        self._hash = hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        data = self._source.read(size)
        self._hash.update(data)
        if not data and self._hash.hexdigest() != self._expected:
            raise _changed(self._path)
        return data


def _changed(path: Path) -> RequestError:
    return RequestError(
        [Problem("references", f"{str(path)!r} was changed while it was read", "a file that does not change")]
    )


def _beginning(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(HEAD)


def _version(path: Path) -> tuple[int, int, int]:
    found = path.stat()
    return found.st_ino, found.st_size, found.st_mtime_ns
