"""A store in memory, safe for threads."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

from prefect_omnivideo.core.errors import RecordConflictError
from prefect_omnivideo.core.storage.base import JSON, ETag, ObjectStore


class MemoryStore(ObjectStore):
    """Small objects, kept as long as the test runs."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.objects: dict[str, bytes] = {}
        self._etags: dict[str, ETag] = {}
        self.writes = 0

    def create(self, name: str, data: bytes, *, content_type: str = JSON) -> ETag:
        with self._lock:
            if name in self.objects:
                raise RecordConflictError(name)
            return self._put(name, data)

    def replace(self, name: str, data: bytes, etag: ETag, *, content_type: str = JSON) -> ETag:
        with self._lock:
            if self._etags.get(name) != etag:
                raise RecordConflictError(name)
            return self._put(name, data)

    def read(self, name: str) -> tuple[bytes, ETag] | None:
        with self._lock:
            return (self.objects[name], self._etags[name]) if name in self.objects else None

    def names(self, prefix: str = "") -> Iterator[str]:
        with self._lock:
            return iter(sorted(name for name in self.objects if name.startswith(prefix)))

    def size(self, name: str) -> int | None:
        return len(self.objects[name]) if name in self.objects else None

    def delete(self, name: str) -> None:
        with self._lock:
            self.objects.pop(name, None)
            self._etags.pop(name, None)

    def uri(self, name: str) -> str:
        return f"memory:{id(self)}/{name}"

    def prove(self) -> None:
        """Known to be good."""

    def _put(self, name: str, data: bytes) -> ETag:
        self.writes += 1
        self.objects[name], self._etags[name] = data, str(self.writes)
        return self._etags[name]

    def put(self, *args: Any, **kwargs: Any) -> Any:
        raise NotImplementedError

    write = copy = open = link = clean = put
