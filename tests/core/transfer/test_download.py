"""Bytes from breaking and lying servers: whole, or not at all."""

from __future__ import annotations

import hashlib
import threading
import tracemalloc
from collections.abc import Callable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any, BinaryIO

import httpx
import pytest

from prefect_omnivideo.core.errors import LinkExpiredError, NotAVideoError, TransferError
from prefect_omnivideo.core.storage.folder import Folder
from prefect_omnivideo.core.transfer import download
from tests.core.transfer.lying_server import (
    HALF,
    KEY,
    SIGNATURE,
    VIDEO,
    CountingFolder,
    Server,
    answer,
    box,
    bring,
    content,
    mp4,
    refused,
    rest,
    running,
    source_at,
)


@pytest.fixture
def server() -> Iterator[Server]:
    with running() as server:
        yield server


@pytest.fixture
def store(tmp_path: Path) -> CountingFolder:
    return CountingFolder(tmp_path)


@pytest.mark.parametrize(
    ("validator", "condition"),
    [({"ETag": '"a"'}, '"a"'), ({"Last_Modified": "Sat, 01 Aug 2026 00:00:00 GMT"}, "Sat, 01 Aug 2026 00:00:00 GMT")],
)
def test_a_broken_download_is_continued(
    server: Server, store: CountingFolder, validator: dict[str, Any], condition: str
) -> None:
    """The store's write goes on: it never learns of the break."""
    server.answers = [answer(sent=HALF, **validator), rest()]
    done = bring(server, store)
    assert content(store) == VIDEO
    assert done.sha256 == hashlib.sha256(VIDEO).hexdigest()
    assert store.writes == 1
    headers = server.requests[1][1]
    assert (headers["range"], headers["if-range"]) == (f"bytes={HALF}-", condition)


def test_a_break_within_the_first_bytes_is_continued(server: Server, store: CountingFolder) -> None:
    server.answers = [answer(sent=100, ETag='"a"'), rest(100)]
    bring(server, store)
    assert content(store) == VIDEO


@pytest.mark.parametrize("validator", [{}, {"ETag": 'W/"a"'}])
def test_without_a_strong_validator_it_begins_again(
    server: Server, store: CountingFolder, validator: dict[str, Any]
) -> None:
    server.answers = [answer(sent=HALF, **validator), answer()]
    bring(server, store)
    assert content(store) == VIDEO
    assert store.writes == 2
    assert "range" not in server.requests[1][1]


def test_a_server_that_ignores_ranges_gives_the_file_anew(server: Server, store: CountingFolder) -> None:
    """So does one whose file has changed in between: both answer 200 with the whole file."""
    changed = mp4(200_000)
    server.answers = [answer(sent=HALF, ETag='"a"'), answer(changed, ETag='"b"')]
    done = bring(server, store)
    assert content(store) == changed
    assert (done.size, done.sha256) == (len(changed), hashlib.sha256(changed).hexdigest())
    assert (len(server.requests), store.writes) == (2, 2)


@pytest.mark.parametrize(
    "wrong",
    [
        rest(Content_Range=f"bytes 0-{HALF}/{len(VIDEO)}"),
        rest(Content_Range=f"bytes {HALF}-{len(VIDEO)}/{len(VIDEO) + 1}"),
        rest(Content_Range="nonsense"),
        rest(ETag='"b"'),
        answer(b"", 416),
    ],
    ids=["elsewhere", "another length", "nonsense", "another file", "416"],
)
def test_a_continuation_that_does_not_fit_is_dropped(
    server: Server, store: CountingFolder, wrong: Callable[[BaseHTTPRequestHandler], None]
) -> None:
    server.answers = [answer(sent=HALF, ETag='"a"'), wrong, answer()]
    bring(server, store)
    assert content(store) == VIDEO
    assert "range" not in server.requests[2][1]


@pytest.mark.parametrize("announced", [True, False], ids=["parts", "breaks"])
def test_connections_that_bring_enough_are_not_counted(
    server: Server, store: CountingFolder, monkeypatch: pytest.MonkeyPatch, announced: bool
) -> None:
    """A gateway that cuts every transfer after a while, or gives no larger parts, gives a long film in many."""
    monkeypatch.setattr(download, "ENOUGH", 10_000)
    part = 20_000

    def partly(handler: BaseHTTPRequestHandler) -> None:
        start = int(handler.headers.get("Range", "bytes=0-")[6:-1])
        length: dict[str, Any] = {"Content_Length": str(len(VIDEO[start:][:part]))} if announced and start else {}
        (rest(start, sent=part, **length) if start else answer(sent=part, ETag='"a"'))(handler)

    server.answers = [partly]
    bring(server, store, attempts=2)
    assert content(store) == VIDEO
    assert len(server.requests) > 10


def test_breaking_off_for_ever_is_given_up(
    server: Server, store: CountingFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a first connection brings counts for nothing when it cannot be continued."""
    monkeypatch.setattr(download, "ENOUGH", 1000)
    server.answers = [*[answer(sent=HALF)] * 5, answer(b"", 404)]
    assert f"broke off after {HALF} of {len(VIDEO)} bytes" in refused(server, store, TransferError)
    assert len(server.requests) == 5


def test_a_link_that_dies_midway_is_said(server: Server, store: CountingFolder) -> None:
    server.answers = [answer(sent=HALF, ETag='"a"'), answer(b"", 403)]
    refused(server, store, LinkExpiredError)


def test_a_runaway_is_stopped_by_its_announced_length(server: Server, store: CountingFolder) -> None:
    server.answers = [answer()]
    assert "larger than the limit of 1000 bytes" in refused(server, store, TransferError, max_bytes=1000)
    assert store.writes == 0


def test_a_runaway_is_stopped_at_the_limit(server: Server, store: CountingFolder) -> None:
    """A server that announces no length and never ends."""
    stopped = threading.Event()

    def endless(handler: BaseHTTPRequestHandler) -> None:
        answer(length=False)(handler)
        try:
            while True:
                handler.wfile.write(bytes(65536))
        except OSError:
            stopped.set()

    server.answers = [endless]
    assert "limit of 1000000 bytes" in refused(server, store, TransferError, max_bytes=1_000_000)
    assert stopped.wait(5)
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("body", "quoted"),
    [
        (b"<html><body>Access   denied</body></html>" + b" " * 9000, "<html><body>Access denied</body></html>"),
        (b'{"error": "task is running"}', "task is running"),
        (b'{"url": "https://x.example/v.mp4?sig=' + SIGNATURE.encode() + b'"}', "https://x.example/v.mp4?***"),
        (b"key " + KEY.encode(), "key ***"),
        (b"token " + b"0123456789abcdef" * 300, "token ***"),
        (b"", "an empty answer"),
        (b"\x89PNG\r\n\x1a\n" + bytes(100), "PNG"),
        (b"GIF89a" + bytes(100), "GIF89a"),
    ],
)
def test_what_is_no_video_is_an_error(server: Server, store: CountingFolder, body: bytes, quoted: str) -> None:
    server.answers = [answer(body, Content_Type="video/mp4")]
    message = refused(server, store, NotAVideoError)
    assert quoted in message
    assert len(message) < 300
    assert (len(server.requests), store.writes) == (1, 0)


@pytest.mark.parametrize(
    ("head", "ending", "content_type"),
    [
        (b"\x1a\x45\xdf\xa3\x9f\x42\x86\x81\x01\x42\x82\x84webm", ".webm", "video/webm"),
        (b"\x1a\x45\xdf\xa3\xa3\x42\x86\x81\x01\x42\x82\x88matroska", ".mkv", "video/x-matroska"),
        (box(b"ftyp", b"qt  \0\0\0\0") + box(b"moov", b""), ".mov", "video/quicktime"),
        (box(b"wide", b"") + box(b"mdat", b"x") + box(b"moov", b""), ".mov", "video/quicktime"),
        (b"RIFF\0\0\0\0AVI LIST", ".avi", "video/x-msvideo"),
        ((b"G" + bytes(187)) * 4, ".ts", "video/mp2t"),
    ],
)
def test_the_container_decides_ending_and_type(
    server: Server, store: CountingFolder, head: bytes, ending: str, content_type: str
) -> None:
    server.answers = [answer(head, Content_Type="text/html")]
    done = bring(server, store)
    assert (done.name, done.content_type) == (f"batch/video{ending}", content_type)
    assert content(store, done.name) == head


@pytest.mark.parametrize("length", [True, False], ids=["announced", "unannounced"])
@pytest.mark.parametrize(
    ("cut", "said"),
    [
        (VIDEO[:HALF], "before its 'mdat' box does"),
        (box(b"ftyp", b"isom") + box(b"mdat", bytes(5000)), "without an index"),
        (VIDEO[:20], "before its 'ftyp' box does"),
    ],
)
def test_a_file_cut_off_silently_is_noticed(
    server: Server, store: CountingFolder, length: bool, cut: bytes, said: str
) -> None:
    """The server says that this was all; the boxes of the MP4 know better."""
    server.answers = [answer(cut, length=length, ETag='"a"')]
    assert said in refused(server, store, TransferError)
    assert len(server.requests) == 5
    server.answers.append(answer())
    bring(server, store)
    assert content(store) == VIDEO
    assert all("range" not in headers for _, headers in server.requests)


def test_stray_bytes_behind_a_file_of_known_length_are_its_own(server: Server, store: CountingFolder) -> None:
    for tail in (b"\0\0\0", b"\0\0\0\3junk", bytes(64)):
        server.answers = [answer(VIDEO + tail)]
        bring(server, store)
        assert content(store) == VIDEO + tail


def test_a_header_cut_off_in_a_file_of_unknown_length_is_noticed(server: Server, store: CountingFolder) -> None:
    server.answers = [answer(VIDEO + b"\0\0\1", length=False)]
    assert "inside a box header" in refused(server, store, TransferError)


def test_large_and_open_boxes_are_walked(server: Server, store: CountingFolder) -> None:
    head = box(b"ftyp", b"isom") + box(b"moov", b"")
    for tail in (b"\0\0\0\1mdat" + (16 + 9000).to_bytes(8) + bytes(9000), b"\0\0\0\0mdat" + bytes(9000)):
        server.answers = [answer(head + tail, length=False)]
        bring(server, store)
        assert content(store) == head + tail


def test_an_announced_length_that_lies_is_noticed(server: Server, store: CountingFolder) -> None:
    server.answers = [answer(Content_Length=str(len(VIDEO) + 1)), answer(Content_Length=str(HALF)), answer()]
    bring(server, store)
    assert content(store) == VIDEO
    assert len(server.requests) == 3


def test_the_bytes_are_stored_as_they_come(server: Server, store: CountingFolder) -> None:
    """Nothing is decoded: no encoding was asked for, and objects in S3 carry wrong ones for ever."""
    server.answers = [answer(Content_Encoding="aws-chunked")]
    bring(server, store)
    assert content(store) == VIDEO


def test_a_silent_server_is_left(server: Server, store: CountingFolder) -> None:
    leave = threading.Event()
    server.answers = [lambda handler: (answer(sent=HALF)(handler), leave.wait(5))[0], answer()]
    bring(server, store, timeout=0.05)
    leave.set()
    assert content(store) == VIDEO


def test_memory_does_not_grow_with_the_file(server: Server, store: CountingFolder) -> None:
    size = 300 * 1024 * 1024
    block = bytes(1024 * 1024)

    def large(handler: BaseHTTPRequestHandler) -> None:
        answer(
            box(b"ftyp", b"isom") + box(b"moov", b"") + b"\0\0\0\1mdat" + (16 + size).to_bytes(8),
            Content_Length=str(12 + 8 + 16 + size),
        )(handler)
        for _ in range(size // len(block)):
            handler.wfile.write(block)

    class Sink(Folder):
        largest = 0

        def write(self, name: str, source: BinaryIO, *, content_type: str, metadata: Mapping[str, str]) -> None:
            while part := source.read(8 * 1024 * 1024):
                self.largest = max(self.largest, len(part))

    server.answers = [large]
    sink = Sink(store.root)
    tracemalloc.start()
    try:
        done = bring(server, sink)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert done.size > size
    assert sink.largest == 8 * 1024 * 1024  # a short read would make S3 take the rest for one part
    assert peak < 64 * 1024 * 1024


@pytest.mark.parametrize(("in_network", "in_store"), [(90.0, 0.0), (0.0, 90.0)], ids=["network", "store"])
def test_only_what_the_network_takes_counts_as_slow(server: Server, in_network: float, in_store: float) -> None:
    """A store that takes its time must not break off a good connection."""
    clock = 0.0
    made = download.Download(source_at(server), max_bytes=10**9, timeout=1, attempts=1, delay=0, now=lambda: clock)

    def arriving() -> Iterator[bytes]:
        nonlocal clock
        for _ in range(3):
            clock += in_network
            yield b"few"

    def read() -> None:
        nonlocal clock
        for _ in vars(download.Download)["_paced"](made, arriving()):
            clock += in_store

    if in_network:
        with pytest.raises(httpx.ReadTimeout):
            read()
    else:
        read()
