"""A gateway of a few lines, for what the sandbox does not do: counting, stalling and trickling."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

Reply = Callable[["Received", asyncio.StreamWriter], Awaitable[None]]


@dataclass(frozen=True)
class Received:
    """A request, and which of the server's connections it came by."""

    method: str
    path: str
    headers: dict[str, str]
    connection: int


@dataclass
class Server:
    """What it heard so far."""

    url: str = ""
    received: list[Received] = field(default_factory=list[Received])
    in_flight: int = 0
    most_in_flight: int = 0


async def answer(writer: asyncio.StreamWriter, status: int, body: object, **headers: str) -> None:
    """Send a JSON answer."""
    data = json.dumps(body).encode()
    lines = [f"HTTP/1.1 {status} X", f"Content-Length: {len(data)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    writer.write("\r\n".join([*lines, "", ""]).encode() + data)
    await writer.drain()


async def as_apimart(request: Received, writer: asyncio.StreamWriter) -> None:
    """Every job is accepted, and never ends."""
    job = {"task_id": "task_1", "id": "task_1", "status": "processing"}
    await answer(writer, 200, {"code": 200, "data": [job] if request.method == "POST" else job})


@asynccontextmanager
async def serving(reply: Reply = as_apimart) -> AsyncGenerator[Server]:
    """Serve on a free port of 127.0.0.1."""
    server, connections, handlers = Server(), 0, set[asyncio.Task[None]]()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        number = connections
        try:
            while head := (await reader.readuntil(b"\r\n\r\n")).decode():
                first, *rest = head.strip().split("\r\n")
                headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in rest)}
                await reader.readexactly(int(headers.get("content-length", 0)))
                method, path, _ = first.split(" ")
                request = Received(method, path, headers, number)
                server.received.append(request)
                server.in_flight += 1
                server.most_in_flight = max(server.most_in_flight, server.in_flight)
                try:
                    await reply(request, writer)
                finally:
                    server.in_flight -= 1
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(handle(reader, writer))
        handlers.add(task)
        task.add_done_callback(handlers.discard)

    listener = await asyncio.start_server(connected, "127.0.0.1", 0)
    server.url = f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}"
    try:
        yield server
    finally:
        listener.close()
        for task in handlers:
            task.cancel()
        await asyncio.gather(*handlers, return_exceptions=True)
