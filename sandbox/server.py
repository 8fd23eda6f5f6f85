"""Runs the sandbox: in the foreground, or in a thread for tests."""

import socket
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send

from prefect_omnivideo.sandbox.app import create_app
from prefect_omnivideo.sandbox.connection import Protocol
from prefect_omnivideo.sandbox.faults import GATEWAYS, Injected
from prefect_omnivideo.sandbox.origin import create_origin
from prefect_omnivideo.sandbox.settings import Settings
from prefect_omnivideo.sandbox.state import Clock, State

_HOST = "127.0.0.1"
_BACKLOG = 2048


@dataclass(frozen=True)
class Sandbox:
    """A running sandbox. The gateways are below `url`; `media_url` is the origin of the finished videos."""

    settings: Settings
    url: str
    media_url: str
    state: State
    server: uvicorn.Server

    def base_url(self, gateway: str) -> str:
        """The base URL of `12ai`, `omnirouters`, `sora`, `apimart` or `jimmyai`."""
        if gateway not in GATEWAYS:
            raise ValueError(f"the gateways are {', '.join(GATEWAYS)}, not {gateway!r}")
        return f"{self.url}/{gateway}"

    @property
    def key(self) -> str:
        """The API key that every gateway accepts; `<key>-<anything>` is another account."""
        return self.settings.key

    def jobs(self) -> list[dict[str, Any]]:
        """The bill: every accepted submission, in order."""
        return self.state.book.bill()

    def injected(self) -> list[Injected]:
        """The faults that were injected, in order."""
        return list(self.state.faults.injected)

    def charged(self) -> dict[str, str]:
        """The sum of the bill, without what was refunded: decimal text by unit."""
        return self.state.charged()

    def stats(self) -> dict[str, Any]:
        """Counts per gateway, leaks and times, as `GET /_sandbox/stats` gives them."""
        return self.state.stats()

    def reset(self) -> None:
        """Forget jobs and counts."""
        self.state.reset()


def serve(settings: Settings) -> None:
    """Run until interrupted, after one line with the address and one for each gateway's base URL."""
    with _bound(settings, time.time) as (sandbox, sockets):
        print(f"sandbox ready on {sandbox.url}")
        for gateway in GATEWAYS:
            print(f"  {gateway:<12} {sandbox.base_url(gateway)}", flush=True)
        if settings.cassette:
            print(f"  {'cassette':<12} {sandbox.url}/cassette", flush=True)
        with suppress(KeyboardInterrupt):
            sandbox.server.run(sockets)


@contextmanager
def running(settings: Settings, clock: Clock = time.time) -> Generator[Sandbox]:
    """Run in a background thread for the length of a `with` block; `clock` (epoch seconds) drives jobs and links."""
    with _bound(settings, clock) as (sandbox, sockets):
        thread = threading.Thread(target=sandbox.server.run, args=(sockets,), name="omnivideo-sandbox", daemon=True)
        thread.start()
        try:
            yield sandbox
        finally:
            sandbox.server.should_exit = sandbox.server.force_exit = True
            thread.join()


@contextmanager
def _bound(settings: Settings, clock: Clock) -> Generator[tuple[Sandbox, list[socket.socket]]]:
    sockets: list[socket.socket] = []
    try:
        for port in (settings.port, settings.media_port):
            sockets.append(_listen(port))
        scheme = "https" if settings.certificate else "http"
        url, media_url = (f"{scheme}://{_HOST}:{listener.getsockname()[1]}" for listener in sockets)
        state = State(settings, media_url, clock)
        try:
            app = _by_port(create_app(state), create_origin(state), sockets[1].getsockname()[1])
            yield Sandbox(settings, url, media_url, state, _server(app, settings)), sockets
        finally:
            state.close()
    finally:
        for listener in sockets:
            listener.close()


def _listen(port: int) -> socket.socket:
    """A socket that already accepts connections, so that no client is too early."""
    # The protocol is explicit because only then asyncio sets TCP_NODELAY; without it an answer takes 40 ms longer.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((_HOST, port))
        listener.listen(_BACKLOG)
    except OSError:
        listener.close()
        raise
    return listener


def _by_port(gateways: ASGIApp, origin: ASGIApp, media_port: int) -> ASGIApp:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await (origin if scope["server"][1] == media_port else gateways)(scope, receive, send)

    return app


def _server(app: ASGIApp, settings: Settings) -> uvicorn.Server:
    return uvicorn.Server(
        uvicorn.Config(
            app,
            http=Protocol,
            ws="none",
            loop="asyncio",
            lifespan="off",
            log_config=None,
            log_level="critical",
            access_log=False,
            server_header=False,
            backlog=_BACKLOG,
            ssl_certfile=settings.certificate,
            timeout_keep_alive=600,  # closing an idle connection would look like an injected fault
        )
    )
