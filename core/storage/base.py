"""The interface of a store: named objects with conditional, atomic writes."""

from __future__ import annotations

import json
import string
import uuid
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from threading import Lock
from typing import BinaryIO, Literal
from urllib.parse import quote, urlsplit

from prefect_omnivideo.core.errors import RecordConflictError, StoreError

ETag = str
"""Version of an object: the ETag on S3, a hash of the content in a folder. Opaque to callers."""

JSON = "application/json"

Posters = Literal["at once", "later", "never"]
"""When the picture of a video is made: with the video, by a sweep, or not at all."""

LEFTOVER_AGE = 24 * 3600.0
"""Seconds after which a partial object counts as a leftover: far longer than any transfer."""

ADVICE = "Use a store that honours conditional writes: docs/stores.md names some"

_SEGMENT_BYTES = 255
_OF_A_URL = frozenset("-._~:/?#[]@!$&'*+,;=%" + string.ascii_letters + string.digits)
_proven: set[str] = set()
_proving = Lock()


class ObjectStore(ABC):
    """Named objects, read and written by many threads and many machines at once.

    Names are relative and "/"-separated (`checked_name`). Every method raises `StoreError` when the store refuses or
    cannot be reached; the message says what to do.
    """

    public_url: str = ""
    """Address at which a web server shows the store, without a slash at its end; empty if none does."""
    posters: Posters = "at once"
    """When pictures of its videos are made."""
    saved_as: str = ""
    """The saved block whose keys open it, such as `s3-video-store/prod`; empty if it has no keys of its own."""

    @abstractmethod
    def create(self, name: str, data: bytes, *, content_type: str = JSON) -> ETag:
        """Write an object that must not exist yet; durable when this returns.

        Raises:
            RecordConflictError: it exists already, and stays as it is.
        """

    @abstractmethod
    def replace(self, name: str, data: bytes, etag: ETag, *, content_type: str = JSON) -> ETag:
        """Write an object only if it is still `etag`; durable when this returns.

        Raises:
            RecordConflictError: it was changed or removed since.
        """

    @abstractmethod
    def put(self, name: str, data: bytes, *, content_type: str) -> None:
        """Write an object, overwriting any existing one."""

    @abstractmethod
    def read(self, name: str) -> tuple[bytes, ETag] | None:
        """The whole object and its ETag, or None when there is none."""

    @abstractmethod
    def names(self, prefix: str = "") -> Iterator[str]:
        """Names that begin with `prefix`, lazily, in a stable order."""

    @abstractmethod
    def write(self, name: str, source: BinaryIO, *, content_type: str, metadata: Mapping[str, str]) -> None:
        """Stream `source` into an object in constant memory.

        The object appears under its name only when it is complete. What `source.read` raises is passed on unchanged,
        and nothing is left behind. `metadata` is stored if the store supports it.
        """

    @abstractmethod
    def copy(self, source: str, name: str) -> None:
        """Copy an object within the store, with its content type and metadata, overwriting any existing one.

        The copy appears under its name only when it is complete, and is independent of the source. Its bytes do not
        pass through this process where the store can copy by itself.
        """

    @abstractmethod
    def open(self, name: str, *, head: bytes = b"") -> BinaryIO:
        """The object as a seekable file for reading; the caller closes it.

        Args:
            head: its first bytes, if the caller knows them: a remote store need not be asked for them again.
        """

    @abstractmethod
    def size(self, name: str) -> int | None:
        """Bytes, or None when there is no such object."""

    @abstractmethod
    def delete(self, name: str) -> None:
        """Remove an object; nothing happens when there is none."""

    @abstractmethod
    def uri(self, name: str) -> str:
        """Permanent address: `s3://bucket/prefix/name` or `file:///folder/name`."""

    @abstractmethod
    def link(self, name: str, *, seconds: int) -> str:
        """Address for a browser: a presigned URL that is valid for `seconds`, or the `file://` address."""

    def address(self, name: str) -> str:
        """Where people find an object: on the web if a server shows the store, otherwise its permanent address."""
        return web_address(self.public_url, name) or self.uri(name)

    @abstractmethod
    def clean(self, *, older_than: float = LEFTOVER_AGE) -> int:
        """Remove the leftovers of writes that were interrupted `older_than` seconds ago. Returns their number."""

    def check(self) -> None:
        """Verify that the store is writable and honours conditional writes, on which paying once depends.

        Creates a small object, verifies that a second creation is refused, replaces it, verifies that a replacement
        with the old ETag is refused, and deletes it. Its ETag must be the same to writers and to readers.

        Raises:
            StoreError: what fails, and what to do.
        """
        probe = f"omnivideo-check-{uuid.uuid4().hex}.json"
        first = self.create(probe, b"1")
        try:
            self._must_refuse(lambda: self.create(probe, b"2"), "creates an object that exists already (If-None-Match)")
            self._must_agree(probe, first)
            second = self.replace(probe, b"3", first)
            self._must_refuse(lambda: self.replace(probe, b"4", first), "replaces an object that changed (If-Match)")
            found = self.read(probe)
            if found is None or found[0] != b"3":
                raise StoreError(f"{self.uri(probe)}: the written object cannot be read back; use another store")
            self._must_agree(probe, second)
        finally:
            self.delete(probe)
        _proven.add(self.place)

    def prove(self) -> None:
        """`check`, once per process and location: to be called before anything is paid for.

        Raises:
            StoreError: as `check` does.
        """
        with _proving:
            if self.place not in _proven:
                self.check()

    @property
    def place(self) -> str:
        """Unique identity of this location."""
        return self.uri("")

    def dangers(self) -> list[str]:
        """External ways in which records may be removed, each in one sentence; a lost record is paid again."""
        return []

    def _must_agree(self, name: str, written: ETag) -> None:
        found = self.read(name)
        if found is None or found[1] != written:
            raise StoreError(
                f"{self.uri('')}: an object that was written as ETag {written} is read as {found and found[1]}; a "
                f"record could not be changed after that. Check whether a proxy or a cache changes ETags. {ADVICE}"
            )

    def _must_refuse(self, write: Callable[[], object], fault: str) -> None:
        try:
            write()
        except RecordConflictError:
            return
        raise StoreError(
            f"{self.uri('')}: this store {fault}; without that condition one video could be paid twice. {ADVICE}"
        )


def checked_name(name: str) -> str:
    """The name itself, if it is valid.

    Relative, "/"-separated; every segment has 1 to 255 bytes of UTF-8, no control characters and no backslash, and
    does not begin with a dot (`..`, and the names of partial files).

    Raises:
        StoreError: it is not valid.
    """
    fault = _fault(name)
    if fault:
        raise StoreError(f"{name!r} cannot be the name of an object: {fault}")
    return name


def web_address(public_url: str, name: str) -> str:
    """Address of an object of a store that a web server shows; empty if none does."""
    return public_url and f"{public_url}/{quote(name)}"


def checked_public_url(url: str) -> str:
    """The public address of a store, without a slash at its end.

    Raises:
        ValueError: it is not an address of the web, or holds credentials.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or not set(url) <= _OF_A_URL:
        raise ValueError("the public URL must look like https://host or https://host/path")
    if "@" in parts.netloc:
        raise ValueError("the public URL must not contain a user name or password: it is shown to everybody")
    if "?" in url or "#" in url:
        raise ValueError("the public URL must not contain a query (?) or a fragment (#): names are added to its end")
    return url.rstrip("/")


def checked_prefix(prefix: str) -> str:
    """The prefix itself, if it is empty or the beginning of a valid name; may end with "/"."""
    if prefix:
        checked_name(prefix.removesuffix("/"))
    return prefix


def json_bytes(value: object, *, indent: int | None = 2) -> bytes:
    """JSON in UTF-8, indented or in one line; the same bytes for the same value."""
    text = json.dumps(value, indent=indent, ensure_ascii=False, allow_nan=False)
    # A lone surrogate has no UTF-8 form; backslashreplace writes it as a JSON escape.
    return text.encode("utf-8", "backslashreplace") + b"\n"


def _fault(name: str) -> str:
    if any(ord(char) < 0x20 or 0x7F <= ord(char) < 0xA0 or char == "\\" for char in name):
        return "it contains a control character or a backslash"
    try:
        segments = name.encode().split(b"/")
    except UnicodeEncodeError:
        return "it is not valid Unicode"
    if b"" in segments:
        return "it is empty, begins or ends with '/', or contains '//'"
    if any(segment.startswith(b".") for segment in segments):
        return "a part of it begins with a dot"
    if any(len(segment) > _SEGMENT_BYTES for segment in segments):
        return f"a part of it is longer than {_SEGMENT_BYTES} bytes"
    return ""
