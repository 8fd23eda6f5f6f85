"""A gateway that answers as live ones do (tests/core/answers/shapes), with real files behind every link.

It shares nothing with the code under test: it knows what a shape should come to from the shape alone.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
import socket
import threading
from collections import Counter
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import unquote, urlsplit

import av
import uvicorn
from av.video.frame import VideoFrame
from pydantic import JsonValue
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.types import Receive, Scope, Send

from prefect_omnivideo.sandbox.media import render

_FOLDER = Path(__file__).parents[1] / "core" / "answers" / "shapes"
_INLINE = re.compile(r"AAAAI[A-Za-z0-9+/=]{40,}")
PAGE = 299
"""In place of a content endpoint's HTTP status: 200 with a page instead of the video."""
_TYPES = {
    **dict.fromkeys((".mp4", ".mov", ".m4v", ".webm"), "video/mp4"),
    **dict.fromkeys((".jpg", ".jpeg", ".png", ".webp", ".gif"), "image/jpeg"),
    **dict.fromkeys((".mp3", ".wav"), "audio/mpeg"),
    ".ass": "text/plain",
}
_PAGE = b"<!doctype html><html><title>Task</title><p>The task is done.</html>"

Shape = dict[str, Any]


def shapes(name: str, *expected: str) -> list[Shape]:
    """The shapes of a file that mean one of these."""
    found: list[Shape] = json.loads((_FOLDER / f"{name}.json").read_text("utf-8"))
    return [shape for shape in found if expected_of(shape) in expected]


def expected_of(shape: Shape) -> str:
    """What a shape means: a status, or the outcome of a submission."""
    return str(shape["expect"].get("status") or shape["expect"]["outcome"])


@dataclass(frozen=True)
class File:
    """What a link gives."""

    content: bytes
    content_type: str

    @property
    def sha256(self) -> str:
        """In hexadecimal digits."""
        return hashlib.sha256(self.content).hexdigest()


@dataclass
class Work:
    """A prompt and what is made of it.

    Attributes:
        content: HTTP status of its content endpoint, where 200 brings the video; or `PAGE`.
        task_id: of the latest job.
        results: the files of the result, the best first.
        decoys: everything else behind a link of the answer.
    """

    shape: Shape
    content: int = 404
    task_id: str = ""
    results: list[File] = field(default_factory=list[File])
    decoys: list[File] = field(default_factory=list[File])
    answer: Any = None


@dataclass
class ForeignGateway:
    """What it makes, and what it was asked.

    Attributes:
        works: by prompt.
        bill: how often each prompt was posted.
        asked: paths of files that were fetched.
    """

    works: dict[str, Work] = field(default_factory=dict[str, Work])
    bill: Counter[str] = field(default_factory=Counter[str])
    asked: list[str] = field(default_factory=list[str])
    url: str = ""
    _jobs: dict[str, Work] = field(default_factory=dict[str, Work])
    _files: dict[str, File] = field(default_factory=dict[str, File])
    _submissions: dict[str, Iterator[Shape]] = field(default_factory=dict[str, Iterator[Shape]])

    def base_url(self, gateway: str) -> str:
        """The address of one of the gateways."""
        return f"{self.url}/{gateway}"

    def offer(self, shape: Shape, content: int = 404) -> str:
        """Answer with this shape to whoever submits the returned prompt."""
        prompt, expect, work = str(shape["name"]), shape["expect"], Work(shape, content)
        places: dict[str, str] = {}
        for link in expect.get("links", []):
            work.results.append(video(f"{prompt} {link}"))
            places[link] = self._publish(link, work.results[-1])
        for link in expect.get("decoys", []):
            work.decoys.append(_decoy(link))
            places[link] = self._publish(link, work.decoys[-1])
        if not work.results:
            work.results.append(video(prompt))
        film = base64.b64encode(work.results[0].content).decode() if expect.get("inline") else ""
        work.answer = rewritten(shape["body"], places, film)
        self.works[prompt] = work
        return prompt

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The ASGI application."""
        request = Request(scope, receive)
        response = await self._submitted(request) if request.method == "POST" else self._looked_up(request)
        await response(scope, receive, send)

    def _publish(self, link: str, file: File) -> str:
        """The address of a file: path and query as in the original, so that nothing in it tells more or less."""
        parts = urlsplit(link)
        number = f"/{len(self._files):06d}"
        self._files[number] = file
        return f"{self.url}{number}{parts.path}" + (f"?{parts.query}" if parts.query else "")

    async def _submitted(self, request: Request) -> Response:
        prompt = (await request.json())["prompt"]
        self.bill[prompt] += 1
        work = self.works[prompt]
        kind = work.shape["gateway"]
        if kind not in self._submissions:
            accepting = [each for each in shapes("submissions", "accepted") if "also" not in each["expect"]]
            self._submissions[kind] = cycle([each for each in accepting if each["gateway"] == kind])
        answer = next(self._submissions[kind])
        old = str(answer["expect"]["task_id"])
        work.task_id = f"{old}{len(self._jobs):03d}"
        self._jobs[work.task_id] = work
        body = json.loads(json.dumps(answer["body"]).replace(old, work.task_id))
        return JSONResponse(body, answer["http"], answer.get("headers"))

    def _looked_up(self, request: Request) -> Response:
        path: str = request.scope["raw_path"].decode()
        if file := self._files.get(path[:7]):
            self.asked.append(path)
            return Response(file.content, media_type=file.content_type)
        is_content = path.endswith("/content")
        work = self._jobs.get(unquote(path.removesuffix("/content").rpartition("/")[2]))
        if work is None:
            return JSONResponse({"detail": "Not Found"}, 404)
        if not is_content:
            return JSONResponse(work.answer, work.shape["http"], work.shape.get("headers"))
        if work.content == 200:
            return Response(work.results[0].content, media_type="video/mp4")
        if work.content == PAGE:
            return HTMLResponse(_PAGE)
        return JSONResponse(
            {"error": {"message": "Failed to fetch video content", "type": "server_error"}}, work.content
        )


@contextmanager
def running() -> Generator[ForeignGateway]:
    """Serve on a free port of 127.0.0.1, in a thread."""
    gateway = ForeignGateway()
    with socket.create_server(("127.0.0.1", 0), backlog=512) as listener:
        gateway.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        server = uvicorn.Server(uvicorn.Config(gateway, log_level="critical", access_log=False, lifespan="off"))
        thread = threading.Thread(target=server.run, args=([listener],))
        thread.start()
        try:
            yield gateway
        finally:
            server.should_exit = True
            thread.join()


def rewritten(value: JsonValue, places: Mapping[str, str], film: str) -> JsonValue:
    """An answer with other links, and with `film` in place of a video in base64."""
    if isinstance(value, dict):
        return {name: rewritten(item, places, film) for name, item in value.items()}
    if isinstance(value, list):
        return [rewritten(item, places, film) for item in value]
    if not isinstance(value, str):
        return value
    inner: JsonValue = None
    with suppress(ValueError):
        inner = json.loads(value)
    if isinstance(inner, dict | list):
        return json.dumps(rewritten(inner, places, film))
    forms = {form: new for link, new in places.items() for form, new in _forms(link, new)}
    if forms:
        longest_first = sorted(forms, key=len, reverse=True)
        value = re.sub("|".join(map(re.escape, longest_first)), lambda found: forms[found[0]], value)
    return _INLINE.sub(film, value) if film else value


def _forms(link: str, new: str) -> list[tuple[str, str]]:
    return [(link, new), (html.escape(link), html.escape(new))]


def video(name: str) -> File:
    """A small MP4 like no other: its name stands in a `free` box at the end."""
    text = name.encode()
    return File(render(160, 90, 0.5, 3, sound=False) + (8 + len(text)).to_bytes(4, "big") + b"free" + text, "video/mp4")


def _decoy(link: str) -> File:
    """What such a link gives: another video, a picture, a sound, JSON or a page."""
    place = urlsplit(link)
    content_type = _TYPES.get(PurePosixPath(place.path).suffix.lower(), "")
    if content_type == "video/mp4":
        return video(link)
    if content_type == "image/jpeg" or "image" in place.netloc:
        return File(_picture(), "image/jpeg")
    if content_type:
        return File(b"ID3\x03\0\0\0\0\0\0" + b"\xff\xfb\x90\0" * 500, content_type)
    if re.search(r"api|queue|hook|callback|source", link):
        return File(json.dumps({"id": link}).encode(), "application/json")
    return File(_PAGE, "text/html")


def _picture() -> bytes:
    encoder: Any = av.CodecContext.create("mjpeg", "w")
    encoder.width, encoder.height, encoder.pix_fmt, encoder.framerate = 64, 64, "yuvj420p", 1
    return b"".join(bytes(packet) for packet in encoder.encode(VideoFrame(64, 64, "yuvj420p")))
