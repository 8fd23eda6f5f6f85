"""What every store promises, asked of each of them."""

from __future__ import annotations

import io
import json
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from threading import Barrier
from typing import BinaryIO, cast

import pytest
from botocore.exceptions import NoRegionError
from hypothesis import given
from hypothesis import strategies as st

from prefect_omnivideo.core.errors import RecordConflictError, StoreError
from prefect_omnivideo.core.storage.base import JSON, ETag, ObjectStore, checked_name, json_bytes
from prefect_omnivideo.core.storage.folder import Folder

MIB = 1024 * 1024


class Stream:
    """A source of zeros that gives less than it is asked for, and may break."""

    def __init__(self, size: int, *, error: BaseException | None = None) -> None:
        self.left = size
        self.error = error

    def read(self, size: int = -1) -> bytes:
        given = min(self.left, size if size >= 0 else self.left, 100_000)
        if not given and self.error:
            raise self.error
        self.left -= given
        return bytes(given)


def stream(size: int, *, error: BaseException | None = None) -> BinaryIO:
    return cast("BinaryIO", Stream(size, error=error))


def test_creates_once(store: ObjectStore) -> None:
    """The first creation stays, whoever comes second."""
    version = store.create("daily/a.json", b"first")
    with pytest.raises(RecordConflictError):
        store.create("daily/a.json", b"second")
    assert store.read("daily/a.json") == (b"first", version)


def test_replaces_what_was_read(store: ObjectStore) -> None:
    """Only who saw the latest version may replace it."""
    first = store.create("a.json", b"1")
    second = store.replace("a.json", b"2", first)
    with pytest.raises(RecordConflictError):
        store.replace("a.json", b"3", first)
    assert store.read("a.json") == (b"2", second)


def test_does_not_replace_what_is_gone(store: ObjectStore) -> None:
    version = store.create("a.json", b"1")
    store.delete("a.json")
    with pytest.raises(RecordConflictError):
        store.replace("a.json", b"2", version)
    assert store.read("a.json") is None


def test_put_overwrites(store: ObjectStore) -> None:
    store.put("index.html", b"1", content_type="text/html")
    store.put("index.html", b"22", content_type="text/html")
    assert (store.read("index.html") or (b"",))[0] == b"22"
    assert store.size("index.html") == 2


def test_absent(store: ObjectStore) -> None:
    """What is not there is None, nothing to delete, and an error to open."""
    assert store.read("daily/none.json") is None
    assert store.size("daily/none.json") is None
    assert list(store.names("daily/")) == []
    store.delete("daily/none.json")
    with pytest.raises(StoreError, match=r"none\.json"):
        store.open("daily/none.json")


def test_names(store: ObjectStore) -> None:
    """A prefix need not be a folder; names within a folder are in order."""
    names = ["b/x.json", "a/z.json", "a.json", "a/é.json", "a/b/c.json", "ab.json"]
    for name in names:
        store.create(name, b"{}")
    assert sorted(store.names()) == sorted(names)
    assert list(store.names("a/")) == ["a/b/c.json", "a/z.json", "a/é.json"]
    assert list(store.names("ab")) == ["ab.json"]
    assert list(store.names("a/z.json/x")) == []


def test_names_are_lazy(store: ObjectStore) -> None:
    for number in range(3):
        store.create(f"{number}.json", b"{}")
    assert list(islice(store.names(), 2)) == ["0.json", "1.json"]


def test_writes_streams(store: ObjectStore) -> None:
    """Whole, with short reads, below and above the size of a part."""
    for size in (0, 1, 300_000, 8 * MIB, 20 * MIB + 7):
        store.write("a/b.mp4", stream(size), content_type="video/mp4", metadata={"key": "0123", "by": "Äpfel\n"})
        assert store.size("a/b.mp4") == size
        with store.open("a/b.mp4") as file:
            assert file.seek(0, io.SEEK_END) == size
            file.seek(max(0, size - 3))
            assert file.read() == bytes(min(3, size))


def test_broken_stream_leaves_nothing(store: ObjectStore) -> None:
    """The source's own error comes out, whatever it is; there is no object, and nothing to clean up."""
    for error in (ValueError("broken"), OSError("broken"), KeyboardInterrupt(), StoreError("other"), NoRegionError()):
        for size in (0, 300_000, 20 * MIB):
            with pytest.raises(type(error)) as raised:
                store.write("a/b.mp4", stream(size, error=error), content_type="video/mp4", metadata={})
            assert raised.value is error
    assert store.read("a/b.mp4") is None
    assert leftovers(store) == []


def test_broken_stream_keeps_what_was_there(store: ObjectStore) -> None:
    store.put("a.mp4", b"before", content_type="video/mp4")
    with pytest.raises(ValueError, match="broken"):
        store.write("a.mp4", stream(9 * MIB, error=ValueError("broken")), content_type="video/mp4", metadata={})
    assert (store.read("a.mp4") or (b"",))[0] == b"before"


def test_streams_in_constant_memory(shared: ObjectStore) -> None:
    """A video larger than four parts never takes the memory of four."""
    tracemalloc.start()
    try:
        shared.write("large.mp4", stream(64 * MIB), content_type="video/mp4", metadata={})
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert shared.size("large.mp4") == 64 * MIB
    assert peak < 4 * 8 * MIB


def test_one_creator_wins(shared: ObjectStore) -> None:
    """Of many who create at the same moment exactly one does, and its bytes are there."""
    for round_ in range(3):
        name, start = f"race/{round_}.json", Barrier(5)

        def create(number: int, name: str = name, start: Barrier = start) -> int | None:
            start.wait()
            try:
                shared.create(name, str(number).encode() * 1000)
            except RecordConflictError:
                return None
            return number

        with ThreadPoolExecutor(5) as pool:
            winners = [number for number in pool.map(create, range(5)) if number is not None]
        assert len(winners) == 1
        assert (shared.read(name) or (b"",))[0] == str(winners[0]).encode() * 1000


def test_no_update_is_lost(shared: ObjectStore) -> None:
    """Whoever replaces only what they read can count together."""
    shared.create("count.json", b"0")

    def count(_: int) -> None:
        while True:
            found = shared.read("count.json")
            assert found
            try:
                shared.replace("count.json", str(int(found[0]) + 1).encode(), found[1])
            except RecordConflictError:
                continue
            return

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(count, range(24)))
    assert (shared.read("count.json") or (b"",))[0] == b"24"


def test_check_passes_and_leaves_nothing(store: ObjectStore) -> None:
    store.check()
    assert list(store.names()) == []


def test_check_refuses_a_place_that_overwrites(folder: Folder) -> None:
    """A server that ignores If-None-Match would let one video be paid twice."""

    class Careless(Folder):
        def create(self, name: str, data: bytes, *, content_type: str = JSON) -> ETag:
            self.put(name, data, content_type=content_type)
            return "any"

    with pytest.raises(StoreError, match="If-None-Match"):
        Careless(folder.path).check()
    assert list(folder.names()) == []


def test_check_refuses_a_place_that_replaces_blindly(folder: Folder) -> None:
    """A server that ignores If-Match would lose updates."""

    class Careless(Folder):
        def replace(self, name: str, data: bytes, etag: ETag, *, content_type: str = JSON) -> ETag:
            self.put(name, data, content_type=content_type)
            return "any"

    with pytest.raises(StoreError, match="If-Match"):
        Careless(folder.path).check()


BAD_NAMES = ["", "/a", "a/", "a//b", "..", "a/../b", "./a", ".a", "a\0b", "a\nb", "a\\b", "a/" + "x" * 256, "\ud800"]


def test_refuses_names(store: ObjectStore) -> None:
    """A name that could leave the store, or that some store cannot hold."""
    for name in BAD_NAMES:
        with pytest.raises(StoreError, match="cannot be the name"):
            store.create(name, b"")
        with pytest.raises(StoreError, match="cannot be the name"):
            store.write(name, io.BytesIO(), content_type="video/mp4", metadata={})
        if name:
            with pytest.raises(StoreError, match="cannot be the name"):
                list(store.names(name + "/"))


@given(st.text())
def test_names_stay_inside(text: str) -> None:
    """A name is refused, or it is a path below the store."""
    folder = Folder("/videos")
    try:
        name = checked_name(text)
    except StoreError:
        return
    assert (folder.path / name).resolve().is_relative_to(folder.path)


@given(
    st.dictionaries(st.text(), st.one_of(st.text(), st.integers(), st.floats(allow_nan=False, allow_infinity=False)))
)
def test_json_comes_back(value: dict[str, object]) -> None:
    assert json.loads(json_bytes(value)) == value


def test_json_takes_lone_surrogates() -> None:
    """They are legal in JSON and have no UTF-8 form."""
    assert json.loads(json_bytes({"a": "x\ud800y", "ü": "\udfff"})) == {"a": "x\ud800y", "ü": "\udfff"}
    assert "ü".encode() in json_bytes({"a": "ü"})


def leftovers(store: ObjectStore) -> list[object]:
    """What half-written objects have left behind."""
    if isinstance(store, Folder):
        return [path for path in store.path.rglob("*") if path.is_file() and path.name != ".lock"]
    client, bucket = vars(store)["_client"], vars(store)["bucket"]
    uploads: list[object] = client.list_multipart_uploads(Bucket=bucket, Prefix=vars(store)["prefix"]).get(
        "Uploads", []
    )
    return uploads


def test_copies_and_replaces(store: ObjectStore) -> None:
    """A copy is independent of its source, and replaces what was there."""
    store.write("a/video.mp4", io.BytesIO(b"one" * 100), content_type="video/mp4", metadata={"prompt": "hé"})
    store.put("b/copy.mp4", b"old", content_type="text/plain")
    store.copy("a/video.mp4", "b/copy.mp4")
    store.put("a/video.mp4", b"changed", content_type="video/mp4")
    found = store.read("b/copy.mp4")
    assert found
    assert found[0] == b"one" * 100
    assert set(store.names()) == {"a/video.mp4", "b/copy.mp4"}


def test_what_is_not_there_cannot_be_copied(store: ObjectStore) -> None:
    store.put("b/copy.mp4", b"old", content_type="text/plain")
    with pytest.raises(StoreError, match=r"a/video\.mp4"):
        store.copy("a/video.mp4", "b/copy.mp4")
    found = store.read("b/copy.mp4")
    assert found
    assert found[0] == b"old"
