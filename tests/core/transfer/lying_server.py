"""A server that answers as it is told to, and transfers from it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, BinaryIO

import pytest
from pydantic import SecretStr

from prefect_omnivideo.core.errors import OmniVideoError
from prefect_omnivideo.core.storage.folder import Folder
from prefect_omnivideo.core.transfer.transfer import Source, Transferred, transfer

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
        self.clients: list[Any] = []
        """Address and port of the client of each request: one pair for each connection."""
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                number = len(outer.requests)
                outer.clients.append(self.client_address)
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
        # A body that is not as long as announced ends with the connection.
        handler.close_connection = not length or sent is not None or "Content_Length" in headers

    return send


def then_gone(respond: Callable[[BaseHTTPRequestHandler], None]) -> Callable[[BaseHTTPRequestHandler], None]:
    """The response of `respond`; the connection is closed after it, which nothing announced."""

    def send(handler: BaseHTTPRequestHandler) -> None:
        respond(handler)
        handler.close_connection = True

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


@contextmanager
def running() -> Generator[Server]:
    """A server for one test."""
    server = Server()
    try:
        yield server
    finally:
        server.stop()


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
