"""Closing a connection without a response, which no HTTP framework offers."""

import asyncio
from typing import cast

from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol


class Protocol(H11Protocol):
    """HTTP/1.1 that gives requests access to their connection, as `scope["state"]["transport"]`."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in the class above it
        """Put the connection into the state of each of its requests."""
        self.app_state = {**self.app_state, "transport": transport}
        super().connection_made(transport)


async def hang_up(scope: Scope, receive: Receive) -> None:
    """Send what is buffered, close the connection, and wait until it is closed."""
    cast("asyncio.Transport", scope["state"]["transport"]).close()
    while (await receive())["type"] != "http.disconnect":
        pass


class HangUp(Response):
    """No response: the connection is closed."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Close the connection."""
        await hang_up(scope, receive)
