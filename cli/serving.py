"""The web server behind `omnivideo serve`: the start page, the galleries and the videos of one store, for reading.

Pages and records are small and pass through. A video is streamed from a folder, with ranges, so that a player can seek;
from S3 it is a redirect to a presigned URL, made at that moment, which ends soon and is written nowhere.
"""

from __future__ import annotations

import mimetypes
import re
from urllib.parse import urlsplit

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import MutableHeaders
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import FileResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from prefect_omnivideo.core.choosing.copies import COPY_KEY_LENGTH
from prefect_omnivideo.core.errors import StoreError
from prefect_omnivideo.core.reports.start_page import PAGE, collected, start_page
from prefect_omnivideo.core.request import KEY_LENGTH
from prefect_omnivideo.core.storage.base import ObjectStore, checked_name
from prefect_omnivideo.core.storage.folder import Folder

LINK_SECONDS = 900
"""Validity of a presigned URL: long enough to watch a video and to seek in it."""

_KEY = rf"-([0-9a-f]{{{KEY_LENGTH}}}|[0-9a-f]{{{COPY_KEY_LENGTH}}})"
_PASSED_ON = re.compile(rf"index\.html|.+/(index\.html|report\.json|compare\.(html|json)|[^/]+{_KEY}\.json)")
_MEDIA = re.compile(rf".+/[^/]+{_KEY}(-\d+)?\.(?!json$)\w{{1,8}}")
_TYPES = {"html": "text/html; charset=utf-8", "json": "application/json"}
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    # The pages have stricter policies of their own; both apply.
    "Content-Security-Policy": "frame-ancestors 'none'; object-src 'none'; base-uri 'none'; form-action 'none'",
}


def viewer(store: ObjectStore, hosts: list[str]) -> Starlette:
    """The application.

    Args:
        store: what is shown; nothing is written to it.
        hosts: names under which it may be asked for: any other one is a page elsewhere that tries to read through a
            browser on this machine.
    """

    async def show(request: Request) -> Response:
        # Starlette has decoded the path once, as a browser has encoded it once.
        name: str = request.path_params["name"] or PAGE
        try:
            checked_name(name)
        except StoreError:
            return _missing()
        if _PASSED_ON.fullmatch(name):
            return await run_in_threadpool(_page, store, name)
        if _MEDIA.fullmatch(name):
            return await run_in_threadpool(_medium, store, name)
        return _missing()

    guard = Middleware(TrustedHostMiddleware, allowed_hosts=hosts, www_redirect=False)
    return Starlette(routes=[Route("/{name:path}", show)], middleware=[Middleware(_Careful), guard])


def _page(store: ObjectStore, name: str) -> Response:
    found = _inside(store, name) and store.read(name)
    if found:
        data = _open_to_videos(found[0], store, name) if name.endswith(".html") else found[0]
    elif name == PAGE:  # of a store in which no run has ended since it has a start page
        data = start_page(collected(store).values()).encode()
    else:
        return _missing()
    return Response(data, headers={"Content-Type": _TYPES[name.rpartition(".")[2]], "Cache-Control": "no-cache"})


def _open_to_videos(page: bytes, store: ObjectStore, name: str) -> bytes:
    """The page, whose policy lets pictures and videos come from where a redirect leads, too."""
    if isinstance(store, Folder):
        return page
    parts = urlsplit(store.link(name, seconds=LINK_SECONDS))
    for kind in (b"media-src 'self'", b"img-src 'self'"):
        # The policy stands before everything that is not ours, in which quotes are escaped.
        page = page.replace(kind, kind + f" {parts.scheme}://{parts.netloc}".encode(), 1)
    return page


def _medium(store: ObjectStore, name: str) -> Response:
    if not _inside(store, name) or store.size(name) is None:
        return _missing()
    if isinstance(store, Folder):
        kind = mimetypes.guess_type(name)[0] or ""
        if not kind.startswith(("video/", "image/", "audio/")) or "svg" in kind:  # which may hold scripts
            kind = "application/octet-stream"
        return FileResponse(store.path / name, media_type=kind, headers={"Cache-Control": "no-cache"})
    return RedirectResponse(store.link(name, seconds=LINK_SECONDS), 307, headers={"Cache-Control": "no-store"})


def _inside(store: ObjectStore, name: str) -> bool:
    """Whether the object is in the store: a symbolic link may lead out of a folder."""
    return not isinstance(store, Folder) or (store.path / name).resolve().is_relative_to(store.path.resolve())


def _missing() -> Response:
    return PlainTextResponse("There is no such page or video.\n", 404)


class _Careful:
    """Adds the security headers to every answer, and says when the store cannot be read, without a traceback."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self._app(scope, receive, send)

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(_HEADERS)
            await send(message)

        try:
            await self._app(scope, receive, guarded)
        except StoreError as error:
            await PlainTextResponse(f"The store cannot be read: {error}\n", 502)(scope, receive, guarded)
        return None
