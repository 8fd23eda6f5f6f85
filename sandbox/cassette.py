"""A recorded video, played back: the answers of a real gateway in the order in which they came.

Every POST is a new job that walks through the recorded status answers, the last one for good. Links to files lead to
clips and pictures of this server.
"""

import io
import json
import re
from pathlib import Path, PurePosixPath
from typing import Any, Final, cast
from urllib.parse import urlsplit

import av
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from prefect_omnivideo.sandbox.media import render

_PICTURES: Final = (".jpg", ".jpeg", ".png", ".webp", ".gif")
_LINK: Final = re.compile(r"https?://[^\s\"'<>\\]+")


class CassetteError(ValueError):
    """A file that is no cassette; the message says why."""


class Cassette:
    """The routes of one recorded gateway, to be mounted somewhere."""

    def __init__(self, path: Path | str) -> None:
        try:
            recorded: object = json.loads(Path(path).read_text("utf-8"))
            exchanges = cast("dict[str, list[dict[str, Any]]]", recorded)["exchanges"]
            self._submission = next(each for each in exchanges if each["asked"].startswith("POST"))
            self._statuses = [each for each in exchanges if each["asked"].startswith("GET")]
        except (OSError, ValueError, KeyError, TypeError, StopIteration) as error:
            raise CassetteError(f"{path} is no cassette of `omnivideo try`: {type(error).__name__}") from None
        if not self._statuses:
            raise CassetteError(f"{path} holds no answer about the job")
        self._asked = 0

    def routes(self) -> list[BaseRoute]:
        """Any path: files below `/file/`, else submissions and status queries."""
        return [
            Route("/file/{name}", self._file, methods=["GET"]),
            Route("/{path:path}", self._submit, methods=["POST"]),
            Route("/{path:path}", self._status, methods=["GET"]),
        ]

    async def _submit(self, request: Request) -> Response:
        await request.body()
        self._asked = 0
        return self._answer(self._submission, request)

    async def _status(self, request: Request) -> Response:
        recorded = self._statuses[min(self._asked, len(self._statuses) - 1)]
        self._asked += 1
        return self._answer(recorded, request)

    async def _file(self, request: Request) -> Response:
        if request.path_params["name"].endswith(_PICTURES):
            return Response(_picture(), media_type="image/jpeg")
        return Response(render(320, 180, 1.0, 3, sound=False), media_type="video/mp4")

    def _answer(self, recorded: dict[str, Any], request: Request) -> Response:
        own = f"{request.url.scheme}://{request.url.netloc}{request.scope['root_path']}"
        if isinstance(recorded["body"], str):
            return Response(recorded["body"], recorded["http"], headers=recorded["headers"])
        return JSONResponse(_own_links(recorded["body"], own), recorded["http"])


def _own_links(value: Any, own: str) -> Any:
    """The answer with its links leading here, each by the ending it had."""
    if isinstance(value, str):
        return _LINK.sub(lambda found: f"{own}/file/{PurePosixPath(urlsplit(found[0]).path).name or 'v.mp4'}", value)
    if isinstance(value, list):
        return [_own_links(item, own) for item in cast("list[Any]", value)]  # type: ignore[redundant-cast]  # not to pyright
    if isinstance(value, dict):
        return {name: _own_links(item, own) for name, item in cast("dict[str, Any]", value).items()}
    return value


def _picture() -> bytes:
    """A grey JPEG."""
    file = io.BytesIO()
    container: Any  # PyAV types streams and packets only in part
    with av.open(file, "w", format="mjpeg") as container:
        stream = container.add_stream("mjpeg", rate=1)
        stream.width, stream.height, stream.pix_fmt = 32, 32, "yuvj420p"
        container.mux(stream.encode(av.VideoFrame(32, 32, "yuvj420p")))
        container.mux(stream.encode(None))
    return file.getvalue()
