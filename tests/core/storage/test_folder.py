"""What a folder does beyond what every store does."""

from __future__ import annotations

import errno
import io
import os
from pathlib import Path
from typing import BinaryIO, cast

import pytest

from prefect_omnivideo.core.errors import StoreError
from prefect_omnivideo.core.storage.folder import Folder


def broken(code: int) -> object:
    def fail(*_: object, **__: object) -> None:
        raise OSError(code, os.strerror(code))

    return fail


@pytest.mark.parametrize(
    ("call", "code", "advice"),
    [
        ("fsync", errno.ENOSPC, "free some space"),
        ("fsync", errno.EDQUOT, "quota"),
        ("fsync", errno.EIO, "check the disk"),
        ("link", errno.EPERM, "choose another folder"),
        ("link", errno.ENOTSUP, "hard links"),
    ],
)
def test_says_what_to_do(folder: Folder, monkeypatch: pytest.MonkeyPatch, call: str, code: int, advice: str) -> None:
    """An error of the disk names the file and the way out, and leaves nothing behind."""
    folder.put("a/other.json", b"{}", content_type="application/json")
    monkeypatch.setattr(os, call, broken(code))
    with pytest.raises(StoreError, match=rf"a/b\.json: .*{advice}"):
        folder.create("a/b.json", b"{}")
    monkeypatch.undo()
    assert [path.name for path in folder.path.rglob("*") if path.is_file()] == ["other.json"]


def test_full_disk_while_streaming(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    """The disk's error is told apart from the source's."""
    folder.path.mkdir()
    monkeypatch.setattr(os, "fsync", broken(errno.ENOSPC))
    with pytest.raises(StoreError, match=r"a\.mp4: .*free some space"):
        folder.write("a.mp4", io.BytesIO(b"1"), content_type="video/mp4", metadata={})
    assert [path for path in folder.path.rglob("*") if path.is_file()] == []


@pytest.mark.parametrize("method", ["create", "put", "read", "size", "open", "delete", "write"])
def test_no_raw_error(tmp_path: Path, method: str) -> None:
    """Where a file stands in the way of a folder, every call says so in its own error."""
    (tmp_path / "file").touch()
    folder = Folder(tmp_path / "file" / "videos")
    calls = {
        "create": lambda: folder.create("a.json", b""),
        "put": lambda: folder.put("a.json", b"", content_type="application/json"),
        "read": lambda: folder.read("a.json"),
        "size": lambda: folder.size("a.json"),
        "open": lambda: folder.open("a.json"),
        "delete": lambda: folder.delete("a.json"),
        "write": lambda: folder.write("a.json", io.BytesIO(), content_type="video/mp4", metadata={}),
    }
    with pytest.raises(StoreError, match="not a folder"):
        calls[method]()


def test_half_written_is_hidden(folder: Folder) -> None:
    """While a video is written, nothing can be seen of it."""
    seen: list[list[str]] = []

    class Watched:
        def __init__(self) -> None:
            self.chunks = [b"1", b"2"]

        def read(self, _: int) -> bytes:
            seen.append([*folder.names()])
            assert folder.size("a/b.mp4") is None
            return self.chunks.pop() if self.chunks else b""

    folder.write("a/b.mp4", cast("BinaryIO", Watched()), content_type="video/mp4", metadata={})
    assert seen == [[], [], []]
    assert list(folder.names()) == ["a/b.mp4"]


def test_clean_takes_old_leftovers_alone(folder: Folder) -> None:
    """What a killed process left a day ago goes; what may still be written, and everything else, stays."""
    folder.put("a/b.mp4", b"1", content_type="video/mp4")
    for name, age in (("a/.old.part", 25), ("a/.new.part", 1), ("a/.other", 25)):
        path = folder.path / name
        path.touch()
        os.utime(path, (path.stat().st_atime, path.stat().st_mtime - age * 3600))
    os.utime(folder.path / "a/b.mp4", (0, 0))
    assert folder.clean() == 1
    assert sorted(path.name for path in (folder.path / "a").iterdir()) == [".new.part", ".other", "b.mp4"]


def test_addresses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A relative folder has an absolute address, fit for a browser."""
    monkeypatch.chdir(tmp_path)
    store = Folder("my videos")
    assert store.uri("a b#1.mp4") == f"file://{tmp_path}/my%20videos/a%20b%231.mp4"
    assert store.link("x.mp4", seconds=60) == store.uri("x.mp4")


def test_reading_makes_no_folder(folder: Folder) -> None:
    assert folder.read("a/b.json") is None
    assert list(folder.names()) == []
    assert folder.clean() == 0
    assert not folder.path.exists()
