"""A proxy in front of an S3 server that injects faults."""

import asyncio
import random
import socket
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
import uvicorn

from prefect_omnivideo.sandbox.connection import Protocol, hang_up

TROUBLES = {"500": 0.05, "503": 0.05, "500 after": 0.05, "no answer": 0.05, "slow": 0.05}
"""Probability of each fault. In "500 after" and "no answer" the write has happened all the same."""
SLOW = (0.2, 2.0)
"""Seconds."""
_HOP_BY_HOP = frozenset({b"connection", b"content-length", b"expect", b"keep-alive", b"transfer-encoding"})


@dataclass
class S3Proxy:
    """An ASGI application; it keeps the Host header, which is part of every signature."""

    endpoint_url: str
    rng: random.Random
    url: str = ""
    down_until: float = 0.0
    struck: dict[str, int] = field(default_factory=lambda: dict.fromkeys(TROUBLES, 0))

    def go_down(self, seconds: float) -> None:
        """Answer 503 to everything for a while."""
        self.down_until = time.monotonic() + seconds

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        body, more = b"", True
        while more:
            event = await receive()
            body, more = body + event.get("body", b""), event.get("more_body", False)
        if time.monotonic() < self.down_until:
            await _refuse(send, 503)
            return
        trouble = self._draw()
        if trouble == "slow":
            await asyncio.sleep(self.rng.uniform(*SLOW))
        if trouble in ("500", "503"):
            await _refuse(send, int(trouble))
            return
        status, headers, content = await self._forward(scope, body)
        if trouble == "500 after":
            await _refuse(send, 500)
        elif trouble == "no answer":
            await hang_up(scope, receive)
        else:
            await send({"type": "http.response.start", "status": status, "headers": headers})
            await send({"type": "http.response.body", "body": content})

    def _draw(self) -> str:
        drawn = self.rng.random()
        for trouble, share in TROUBLES.items():
            if drawn < share:
                self.struck[trouble] += 1
                return trouble
            drawn -= share
        return ""

    async def _forward(self, scope: Any, body: bytes) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
        query = scope["query_string"]
        url = httpx.URL(self.endpoint_url).copy_with(raw_path=scope["raw_path"] + (b"?" + query if query else b""))
        headers = [(name, value) for name, value in scope["headers"] if name not in _HOP_BY_HOP]
        if scope["method"] in ("PUT", "POST"):
            headers.append((b"content-length", b"%d" % len(body)))
        async with httpx.AsyncHTTPTransport() as transport:
            answer = await transport.handle_async_request(
                httpx.Request(scope["method"], url, headers=headers, content=body)
            )
            content = b"".join([part async for part in answer.stream])  # type: ignore[union-attr]  # an async stream
        kept = [(name.lower(), value) for name, value in answer.headers.raw if name.lower() not in _HOP_BY_HOP]
        length = answer.headers.get("content-length", "0") if scope["method"] == "HEAD" else str(len(content))
        return answer.status_code, [*kept, (b"content-length", length.encode())], content


async def _refuse(send: Any, status: int) -> None:
    code = {500: "InternalError", 503: "SlowDown"}[status]
    body = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>injected</Message></Error>".encode()
    headers = [(b"content-type", b"application/xml"), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


@contextmanager
def s3_proxy(endpoint_url: str, rng: random.Random) -> Generator[S3Proxy]:
    """A proxy that runs in a thread for the length of a `with` block."""
    proxy = S3Proxy(endpoint_url, rng)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        proxy.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        server = uvicorn.Server(uvicorn.Config(proxy, http=Protocol, ws="none", lifespan="off", log_config=None))
        thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
        thread.start()
        try:
            yield proxy
        finally:
            server.should_exit = server.force_exit = True
            thread.join()
