"""Bytes from lying, breaking and slow servers into a store: whole, or not at all."""

from __future__ import annotations

import hashlib
import logging
import threading
import tracemalloc
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, BinaryIO

import pytest
import stamina
import stamina.instrumentation
from pydantic import SecretStr

from prefect_omnivideo.providers.errors import (
    LinkExpiredError,
    NotAVideoError,
    OmniVideoError,
    StoreError,
    TransferError,
)
from prefect_omnivideo.store import download, links
from prefect_omnivideo.store.local import Folder
from prefect_omnivideo.store.transfer import Source, Transferred, transfer

KEY = "sk-the-key-that-must-not-leak"
SIGNATURE = "signature-that-must-not-leak"


def box(kind: bytes, content: bytes) -> bytes:
    return (8 + len(content)).to_bytes(4) + kind + content


def mp4(size: int = 300_000) -> bytes:
    """The outline of an MP4: transfers look at its top-level boxes alone."""
    pattern = bytes(range(256)) * (size // 256 + 1)
    return box(b"ftyp", b"isom\0\0\2\0isomiso2") + box(b"moov", b"m" * 1000) + box(b"mdat", pattern[:size])


VIDEO = mp4()
HALF = len(VIDEO) // 2


class Server:
    """Answers its nth request by calling the nth of `answers`, and beyond them the last."""

    def __init__(self) -> None:
        self.answers: list[Callable[[BaseHTTPRequestHandler], None]] = []
        self.requests: list[tuple[str, dict[str, str]]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                number = len(outer.requests)
                outer.requests.append((self.path, {name.lower(): value for name, value in self.headers.items()}))
                with suppress(OSError):  # the client may leave at any time
                    outer.answers[min(number, len(outer.answers) - 1)](self)

            def log_message(self, *_: object) -> None:
                pass

        self.httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.httpd.server_port}"
        self._thread = threading.Thread(target=self.httpd.serve_forever, args=(0.01,))
        self._thread.start()

    def stop(self) -> None:
        self.httpd.shutdown()
        self._thread.join()
        self.httpd.server_close()


def answer(
    body: bytes = VIDEO,
    status: int = 200,
    *,
    sent: int | None = None,
    length: bool = True,
    **headers: str,
) -> Callable[[BaseHTTPRequestHandler], None]:
    """A response, of which only `sent` bytes are sent. Underscores in header names stand for hyphens."""

    def send(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        if length and "Content_Length" not in headers:
            handler.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.end_headers()
        handler.wfile.write(body[:sent])

    return send


def rest(start: int = HALF, *, sent: int | None = None, **headers: str) -> Callable[[BaseHTTPRequestHandler], None]:
    """What a server gives that continues at `start`."""
    given = {"Content_Range": f"bytes {start}-{len(VIDEO) - 1}/{len(VIDEO)}", "ETag": '"a"'}
    fields: dict[str, Any] = given | headers
    return answer(VIDEO[start:], 206, sent=sent, **fields)


def redirect(url: str) -> Callable[[BaseHTTPRequestHandler], None]:
    return answer(b"", 302, Location=url)


class CountingFolder(Folder):
    """A folder that counts the writes begun in it and remembers their metadata."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.root = folder
        self.writes = 0

    seen: tuple[str, Mapping[str, str]] | None = None

    def write(self, name: str, source: BinaryIO, *, content_type: str, metadata: Mapping[str, str]) -> None:
        self.writes += 1
        self.seen = content_type, metadata
        super().write(name, source, content_type=content_type, metadata=metadata)


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    yield server
    server.stop()


@pytest.fixture
def other() -> Iterator[Server]:
    """Another origin: the same machine, another port."""
    server = Server()
    yield server
    server.stop()


@pytest.fixture
def store(tmp_path: Path) -> CountingFolder:
    return CountingFolder(tmp_path)


@pytest.fixture(autouse=True)
def _no_thread_left() -> Iterator[None]:
    yield
    assert not [thread for thread in threading.enumerate() if thread.name == "read-ahead"]


def source_at(server: Server, **changes: Any) -> Source:
    source = Source(f"{server.url}/v.mp4?sig={SIGNATURE}", server.url, SecretStr(KEY))
    return replace(source, **changes)


def bring(server: Server, store: Folder, **options: Any) -> Transferred:
    return transfer(source_at(server), store, "batch/video", **{"delay": 0, "timeout": 5} | options)


def refused(server: Server, store: CountingFolder, kind: type[OmniVideoError], **options: Any) -> str:
    """The message of the error that a transfer ends with, having left nothing behind and told no secret."""
    with pytest.raises(kind) as caught:
        bring(server, store, **options)
    assert type(caught.value) is kind
    assert not [path for path in store.root.rglob("*") if path.is_file()]
    message = repr(caught.value)
    assert KEY not in message
    assert SIGNATURE not in message
    return str(caught.value)


def content(store: Folder, name: str = "batch/video.mp4") -> bytes:
    with store.open(name) as file:
        return file.read()


def test_a_video_comes_home(server: Server, store: CountingFolder) -> None:
    server.answers = [answer(Content_Type="application/octet-stream")]
    done = bring(server, store, metadata={"job": "1"})
    assert content(store) == VIDEO
    assert (done.name, done.size, done.content_type, done.host) == (
        "batch/video.mp4",
        len(VIDEO),
        "video/mp4",
        "127.0.0.1",
    )
    assert done.sha256 == hashlib.sha256(VIDEO).hexdigest()
    assert done.seconds > 0
    assert store.seen == ("video/mp4", {"job": "1"})
    [(path, headers)] = server.requests
    assert path == f"/v.mp4?sig={SIGNATURE}"
    assert headers["accept-encoding"] == "identity"
    assert headers["authorization"] == f"Bearer {KEY}"
    assert "range" not in headers


def test_another_origin_never_gets_the_key(server: Server, other: Server, store: CountingFolder) -> None:
    other.answers = [answer()]
    source = source_at(server, url=f"{other.url}/v.mp4")
    transfer(source, store, "batch/video", delay=0)
    assert "authorization" not in other.requests[0][1]


def test_a_redirect_to_another_origin_loses_the_key_for_good(
    server: Server, other: Server, store: CountingFolder
) -> None:
    """Also when that origin leads back to the gateway."""
    server.answers = [redirect(f"{other.url}/away"), answer()]
    other.answers = [redirect(f"{server.url}/back")]
    bring(server, store)
    assert server.requests[0][1]["authorization"] == f"Bearer {KEY}"
    assert "authorization" not in other.requests[0][1]
    assert "authorization" not in server.requests[1][1]


def test_a_redirect_within_the_origin_keeps_the_key(server: Server, store: CountingFolder) -> None:
    server.answers = [redirect("/files/1"), answer()]
    bring(server, store)
    assert [path for path, _ in server.requests][1] == "/files/1"
    assert server.requests[1][1]["authorization"] == f"Bearer {KEY}"


def test_redirects_have_an_end(server: Server, store: CountingFolder) -> None:
    server.answers = [redirect("/again")]
    assert "more than 5 redirects" in refused(server, store, TransferError)
    assert len(server.requests) == 6


@pytest.mark.parametrize("location", ["ftp://127.0.0.1/v.mp4", "http://cdn.example:99999/", "http://me:pw@127.0.0.1/v"])
def test_every_hop_of_a_redirect_is_checked(server: Server, store: CountingFolder, location: str) -> None:
    server.answers = [redirect(location)]
    refused(server, store, TransferError)
    assert len(server.requests) == 1


def test_an_answer_from_inside_the_house_is_refused(
    server: Server, store: CountingFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name that was public when it was checked and leads home when it is connected to (DNS rebinding)."""
    monkeypatch.setattr(links, "_addresses", lambda _: ["93.184.216.34"])
    server.answers = [answer()]
    source = source_at(server, base_url="http://gateway.example")
    with pytest.raises(TransferError, match="private address"):
        transfer(source, store, "batch/video", delay=0)
    assert not list(store.names())
    assert "authorization" not in server.requests[0][1]


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


def test_connections_that_bring_enough_are_not_counted(
    server: Server, store: CountingFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A gateway that cuts every transfer after a while gives a long film in many parts."""
    monkeypatch.setattr(download, "ENOUGH", 10_000)
    part = 20_000

    def partly(handler: BaseHTTPRequestHandler) -> None:
        start = int(handler.headers.get("Range", "bytes=0-")[6:-1])
        (rest(start, sent=part) if start else answer(sent=part, ETag='"a"'))(handler)

    server.answers = [partly]
    bring(server, store, attempts=2)
    assert content(store) == VIDEO
    assert len(server.requests) > 10


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 524])
def test_a_passing_fault_is_tried_again(server: Server, store: CountingFolder, status: int) -> None:
    server.answers = [answer(b"later", status), answer()]
    bring(server, store)
    assert content(store) == VIDEO


def test_it_gives_up_after_five_attempts(server: Server, store: CountingFolder) -> None:
    server.answers = [answer(b"", 503)]
    message = refused(server, store, TransferError)
    assert message == f"{server.url[7:]}/v.mp4: answered 503; given up after 5 attempts"
    assert len(server.requests) == 5


def test_breaking_off_for_ever_is_given_up(server: Server, store: CountingFolder) -> None:
    server.answers = [answer(sent=HALF)]
    assert f"broke off after {HALF} bytes" in refused(server, store, TransferError)
    assert len(server.requests) == 5


def test_no_connection_is_tried_again_and_given_up(server: Server, store: CountingFolder) -> None:
    source = source_at(server, url="http://127.0.0.1:1/v.mp4")
    with pytest.raises(TransferError, match=r"could not be reached \(ConnectError\); given up after 3 attempts"):
        transfer(source, store, "batch/video", attempts=3, delay=0)


@pytest.fixture
def delays() -> Iterator[list[float]]:
    """Seconds of every pause between two attempts, which are real here."""
    found: list[float] = []
    before = stamina.instrumentation.get_on_retry_hooks()
    stamina.instrumentation.set_on_retry_hooks([lambda details: found.append(details.wait_for)])
    with stamina.set_testing(False):
        yield found
    stamina.instrumentation.set_on_retry_hooks(before)


def test_retry_after_goes_first(server: Server, store: CountingFolder, delays: list[float]) -> None:
    server.answers = [answer(b"", 503, Retry_After="0.001"), answer()]
    bring(server, store, delay=1000)
    assert delays == [0.001]


def test_a_long_retry_after_is_capped() -> None:
    error = download.InterruptedTransferError("busy", retry_after=86_400)
    assert download._delay(error) == download.LONGEST_DELAY


def test_delays_double_up_to_eight_times_the_first(server: Server, store: CountingFolder, delays: list[float]) -> None:
    server.answers = [answer(b"", 500)]
    refused(server, store, TransferError, attempts=6, delay=0.001)
    assert delays == [pytest.approx(0.001 * factor, abs=0.000_21) for factor in (1, 2, 4, 8, 8)]


@pytest.mark.parametrize("status", [403, 404, 410])
def test_a_dead_link_is_said_at_once(server: Server, store: CountingFolder, status: int) -> None:
    server.answers = [answer(b"gone", status)]
    refused(server, store, LinkExpiredError)
    assert len(server.requests) == 1


def test_a_link_that_dies_midway_is_said(server: Server, store: CountingFolder) -> None:
    server.answers = [answer(sent=HALF, ETag='"a"'), answer(b"", 403)]
    refused(server, store, LinkExpiredError)


def test_a_refused_key_is_named_by_its_account(server: Server, store: CountingFolder) -> None:
    server.answers = [answer(b"", 401)]
    assert f"the API key of {server.url} is not accepted" in refused(server, store, TransferError)
    assert len(server.requests) == 1


def test_any_other_refusal_is_final_and_quoted(server: Server, store: CountingFolder) -> None:
    server.answers = [answer(f'{{"message": "Task is not completed yet", "key": "{KEY}"}}'.encode(), 400)]
    message = refused(server, store, TransferError)
    assert "answered 400" in message
    assert "Task is not completed yet" in message
    assert len(server.requests) == 1


@pytest.mark.parametrize("expired", [True, False])
def test_after_its_time_a_refused_link_is_an_expired_one(server: Server, store: CountingFolder, expired: bool) -> None:
    moment = datetime.now(UTC) + timedelta(hours=-1 if expired else 1)
    source = source_at(server, expires_at=moment)
    for reply, otherwise in ((answer(b"", 400), TransferError), (answer(b"<html>expired"), NotAVideoError)):
        server.answers = [reply]
        with pytest.raises(TransferError) as caught:
            transfer(source, store, "batch/video", delay=0)
        assert type(caught.value) is (LinkExpiredError if expired else otherwise)


def test_a_link_past_its_time_is_tried_all_the_same(server: Server, store: CountingFolder) -> None:
    """Clocks differ, and the video is paid for."""
    server.answers = [answer()]
    transfer(source_at(server, expires_at=datetime(2020, 1, 1, tzinfo=UTC)), store, "batch/video", delay=0)
    assert content(store) == VIDEO


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
        (b'{"url": "https://x.example/v.mp4?sig=' + SIGNATURE.encode() + b'"}', "https://x.example/v.mp4?[hidden]"),
        (b"key " + KEY.encode(), "key [hidden]"),
        (b"token " + b"0123456789abcdef" * 300, "token [hidden]"),
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
    server.answers = [answer(cut, length=length)]
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


def test_an_encoding_nobody_asked_for_is_refused(server: Server, store: CountingFolder) -> None:
    server.answers = [answer(Content_Encoding="gzip")]
    assert "gzip" in refused(server, store, TransferError)


def test_a_silent_server_is_left(server: Server, store: CountingFolder) -> None:
    leave = threading.Event()
    server.answers = [lambda handler: (answer(sent=HALF)(handler), leave.wait(5))[0], answer()]
    bring(server, store, timeout=0.05)
    leave.set()
    assert content(store) == VIDEO


def test_what_the_store_raises_comes_out_and_ends_the_download(server: Server, tmp_path: Path) -> None:
    class Full(Folder):
        def write(self, name: str, source: BinaryIO, *, content_type: str, metadata: Mapping[str, str]) -> None:
            source.read(10)
            raise StoreError("no room")

    server.answers = [answer(mp4(20_000_000))]
    with pytest.raises(StoreError, match="no room"):
        bring(server, Full(tmp_path))
    assert len(server.requests) == 1


def test_a_store_that_stops_reading_is_found_out(server: Server, tmp_path: Path) -> None:
    class Lazy(Folder):
        def write(self, name: str, source: BinaryIO, *, content_type: str, metadata: Mapping[str, str]) -> None:
            source.read(10)

    server.answers = [answer()]
    with pytest.raises(StoreError, match="did not read it to its end"):
        bring(server, Lazy(tmp_path))


def test_nothing_secret_is_logged_or_shown(
    server: Server, store: CountingFolder, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    server.answers = [answer(b"", 500), answer(sent=HALF, ETag='"a"'), rest()]
    bring(server, store)
    assert caplog.records
    for text in (caplog.text, repr(source_at(server))):
        assert KEY not in text
        assert SIGNATURE not in text


def test_a_key_that_cannot_be_a_header_is_not_quoted(server: Server, store: CountingFolder) -> None:
    source = source_at(server, key=SecretStr(f"{KEY}\n"))
    with pytest.raises(TransferError, match="cannot be sent") as caught:
        transfer(source, store, "batch/video", delay=0)
    assert caught.value.__cause__ is None
    assert KEY not in str(caught.value)


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
