"""A remote object as a file that fetches only what is read."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import TYPE_CHECKING

from typing_extensions import override

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer


class RangedFile(io.RawIOBase):
    """A seekable file in which every read is one request. Wrap it in `io.BufferedReader`.

    Args:
        size: length in bytes.
        fetch: returns the bytes from a first position up to, not including, a second one.
        head: its first bytes, as far as they are known: they are not fetched.
    """

    def __init__(self, size: int, fetch: Callable[[int, int], bytes], head: bytes = b"") -> None:
        self._size = size
        self._fetch = fetch
        self._head = head
        self._at = 0

    @override
    def readable(self) -> bool:
        return True

    @override
    def seekable(self) -> bool:
        return True

    @override
    def tell(self) -> int:
        return self._at

    @override
    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        if start + offset < 0:
            raise ValueError(f"cannot seek to {-start - offset} bytes before the beginning")
        self._at = start + offset
        return self._at

    @override
    def readinto(self, buffer: WriteableBuffer, /) -> int:
        target = memoryview(buffer)
        data = self._read(len(target))
        target[: len(data)] = data
        return len(data)

    @override
    def readall(self) -> bytes:
        return self._read(self._size) + self._read(self._size)  # the head, and what follows it

    def _read(self, most: int) -> bytes:
        stop = min(self._at + most, self._size)
        data = self._head[self._at : stop]
        if not data and self._at < stop:
            data = self._fetch(self._at, stop)
        self._at += len(data)
        return data
