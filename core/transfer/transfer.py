"""Transfer from a link into the store: one pass over the bytes, in constant memory whatever the size."""

from __future__ import annotations

import io
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from prefect_omnivideo.core.errors import StoreError
from prefect_omnivideo.core.media.containers import Container
from prefect_omnivideo.core.storage.base import ObjectStore
from prefect_omnivideo.core.transfer.download import Download
from prefect_omnivideo.core.transfer.fetch import Source

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

__all__ = ["MAX_BYTES", "Source", "Transferred", "transfer"]

MAX_BYTES = 4 * 1024**3
"""Default limit of one file, in bytes."""

BUFFER = 1024 * 1024
HEAD = 512 * 1024
"""First bytes of a video that are remembered: if its properties stand before its pictures, it can be examined without
being read back."""


@dataclass(frozen=True)
class Transferred:
    """A video that is in the store now.

    Attributes:
        name: its name there, with the container's ending.
        size: bytes.
        sha256: hexadecimal digits, of the downloaded bytes.
        content_type: by the container, whatever the server said.
        host: of the link; the rest of the link may hold a signature.
        seconds: from the first request until it was visible.
        head: its first bytes, at most `HEAD`.
    """

    name: str
    size: int
    sha256: str
    content_type: str
    host: str
    seconds: float
    head: bytes = field(default=b"", repr=False)


def transfer(
    source: Source,
    store: ObjectStore,
    name: str,
    *,
    max_bytes: int = MAX_BYTES,
    metadata: Mapping[str, str] | None = None,
    timeout: float = 60.0,
    attempts: int = 5,
    delay: float = 5.0,
) -> Transferred:
    """Download a finished video into the store, under `name` and the ending of its container.

    It appears there only when it is complete. A broken download is resumed, or started over.

    Args:
        source: where to fetch it.
        store: where to put it.
        name: its name in the store, without an ending.
        max_bytes: a file larger than this is refused as soon as that is known.
        metadata: stored with the object if the store supports it.
        timeout: seconds without data after which a connection counts as broken.
        attempts: how often in a row it may fail without progress.
        delay: seconds before the second attempt; doubled each time, up to eight times as long. A server's
            `Retry-After` takes precedence.

    Raises:
        LinkExpiredError: answered 403, 404 or 410; poll the job again for a new link.
        NotAVideoError: the bytes are not a video: an error page, JSON, nothing at all.
        TransferError: everything else that is wrong with the link or the bytes.
        StoreError: the store refused.
    """
    started = time.monotonic()
    download = Download(source, max_bytes=max_bytes, timeout=timeout, attempts=attempts, delay=delay)
    pieces = download.pieces()
    try:
        container = next(pieces)
        while True:
            assert isinstance(container, Container)
            body = _Body(pieces)
            try:
                store.write(
                    name + container.ending,
                    io.BufferedReader(body, BUFFER),
                    content_type=container.content_type,
                    metadata=metadata or {},
                )
                break
            except _BegunAgainError as again:
                container = again.container
    finally:
        pieces.close()
    if not download.is_complete:
        raise StoreError(f"{name}{container.ending} is incomplete: the store did not read it to its end")
    return Transferred(
        name=name + container.ending,
        size=download.size,
        sha256=download.sha256,
        content_type=container.content_type,
        host=source.host,
        seconds=time.monotonic() - started,
        head=bytes(body.head),
    )


class _BegunAgainError(Exception):
    """The bytes written to the store so far are invalid."""

    def __init__(self, container: Container) -> None:
        super().__init__(container)
        self.container = container


class _Body(io.RawIOBase):
    """The pieces as a file. Readers want `BufferedReader` around it: S3's treats a short read as the end."""

    def __init__(self, pieces: Iterator[Container | bytes]) -> None:
        self._pieces = pieces
        self._rest = memoryview(b"")
        self.head = bytearray()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        while not self._rest:
            piece = next(self._pieces, None)
            if piece is None:
                return 0
            if isinstance(piece, Container):
                raise _BegunAgainError(piece)
            self._rest = memoryview(piece)
            self.head += self._rest[: HEAD - len(self.head)]
        target = memoryview(buffer)
        taken = min(len(target), len(self._rest))
        target[:taken] = self._rest[:taken]
        self._rest = self._rest[taken:]
        return taken
