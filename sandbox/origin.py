"""The media origin, which to a client is another host than the gateways.

Its links contain their own signature. A key must not be sent here, so a request with an Authorization header is refused
and recorded as a leak (docs/gateways.md, The new-api family, Content).
"""

from typing import Final

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from prefect_omnivideo.sandbox.footage import footage, respond
from prefect_omnivideo.sandbox.state import State

_MOVED: Final = "/moved"


def create_origin(state: State) -> ASGIApp:
    """The origin's ASGI application."""

    async def media(request: Request) -> Response:
        claim = state.links.read(request.path_params["token"])
        job = state.book.get(claim[0]) if claim else None
        if claim is None or job is None:
            return PlainTextResponse("no such file\n", 404)
        _, index, expires_at = claim
        state.counts[job.gateway]["media"] += 1
        if state.clock() >= expires_at:
            return PlainTextResponse("this link has expired\n", 403)
        moved = request.url.path.startswith(_MOVED)
        hit = state.faults.take("media", job.gateway, job.prompt, but="redirect" if moved else "")
        if hit and hit.name == "link-403":
            return PlainTextResponse("access denied\n", 403)
        if hit and hit.name == "redirect":
            return RedirectResponse(_MOVED + request.url.path, 302)
        job.downloads += request.method == "GET"
        return respond(request, await footage(job, index, state.settings), hit)

    async def upload(request: Request) -> Response:
        file = state.uploads.get(request.path_params["name"])
        return (
            FileResponse(file.path, media_type=file.content_type) if file else PlainTextResponse("no such file\n", 404)
        )

    paths = ("/media/{token}.mp4", _MOVED + "/media/{token}.mp4")
    routes = Starlette(routes=[*(Route(path, media) for path in paths), Route("/uploads/{name}", upload)])

    async def guard(scope: Scope, receive: Receive, send: Send) -> None:
        if any(name == b"authorization" for name, _ in scope["headers"]):
            state.leaks.append(scope["path"])
            refusal = PlainTextResponse("only one authorization mechanism is allowed: the link carries its own\n", 400)
            await refusal(scope, receive, send)
        else:
            await routes(scope, receive, send)

    return guard
