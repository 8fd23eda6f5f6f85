"""The bytes of a job's video, and responses with all or a part of them."""

import asyncio
import hashlib
import re
import zlib
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from email.utils import formatdate
from functools import lru_cache
from pathlib import Path

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.types import Receive, Scope, Send

from prefect_omnivideo.sandbox.connection import hang_up
from prefect_omnivideo.sandbox.faults import Hit
from prefect_omnivideo.sandbox.jobs import Job
from prefect_omnivideo.sandbox.media import hue_of, render
from prefect_omnivideo.sandbox.settings import Settings

CHUNK = 256 * 1024
_ZEROS = bytes(CHUNK)


@dataclass(frozen=True, slots=True)
class Footage:
    """A clip, shared by many jobs, and a box of the job; the box ends in `padding` zero bytes, never in memory.

    `modified_at` is in epoch seconds.
    """

    clip: bytes
    box: bytes
    padding: int
    modified_at: float

    @property
    def size(self) -> int:
        """The length in bytes."""
        return len(self.clip) + len(self.box) + self.padding

    @property
    def etag(self) -> str:
        """A strong validator: equal for equal bytes."""
        return f'"{hashlib.sha256(_digest(self.clip) + self.box).hexdigest()[:32]}-{self.size:x}"'

    def read(self, start: int, stop: int, chunk: int = CHUNK) -> Iterator[bytes]:
        """The bytes from `start` up to, not including, `stop`."""
        while start < stop:
            end = min(start + min(chunk, CHUNK), stop)
            part = self.clip[start:end]
            if len(part) < end - start:  # past the clip: its end, if any, then the box and the zeros
                behind = max(0, start - len(self.clip))
                part += self.box[behind : behind + end - start - len(part)]
                part += _ZEROS[: end - start - len(part)]
            yield part
            start = end


@lru_cache(maxsize=256)
def _digest(clip: bytes) -> bytes:
    return hashlib.sha256(clip).digest()


async def footage(job: Job, index: int, settings: Settings) -> Footage:
    """The video of a job, with an id so that no two jobs share bytes.

    It is rendered in a thread, once per shape and colour, or one of the `clips`. The job's id and the padding up to
    `video_bytes` are in a `free` box at the end, which players skip.
    """
    clip = job.clip
    picture = (
        await asyncio.to_thread(_one_of, str(settings.clips), zlib.crc32(job.prompt.encode()))
        if settings.clips
        else await asyncio.to_thread(
            render, clip.width, clip.height, clip.seconds, hue_of(job.prompt), sound=clip.sound
        )
    )
    name = f"{job.id} {index}".encode()
    padding = max(0, (settings.video_bytes or 0) - len(picture) - 16 - len(name))
    box = (1).to_bytes(4, "big") + b"free" + (16 + len(name) + padding).to_bytes(8, "big") + name
    return Footage(picture, box, padding, job.ends_at or job.accepted_at)


def _one_of(folder: str, number: int) -> bytes:
    clips = _clips(folder)
    return clips[number % len(clips)]


@lru_cache(maxsize=4)
def _clips(folder: str) -> list[bytes]:
    return [path.read_bytes() for path in sorted(Path(folder).glob("*.mp4"))]


_RANGE = re.compile(r"bytes=(\d*)-(\d*)")


def _range(request: Request, film: Footage) -> tuple[int, int] | None:
    """The requested half-open range, None for the whole, an empty one if it cannot be satisfied (RFC 9110, 14.2)."""
    asked = _RANGE.fullmatch(request.headers.get("range", "").strip())
    condition = request.headers.get("if-range")
    if asked is None or asked.groups() == ("", "") or condition not in (None, film.etag, _date(film)):
        return None
    first, last = asked.groups()
    if not first:
        return max(0, film.size - int(last)), film.size if int(last) else 0
    return int(first), min(int(last) + 1, film.size) if last else film.size


def _date(film: Footage) -> str:
    return formatdate(film.modified_at, usegmt=True)


def respond(request: Request, film: Footage, hit: Hit | None = None) -> Response:
    """Respond to a GET or HEAD with the video or the requested range, or as the media fault `hit` demands."""
    match hit:
        case Hit("html-video"):
            return HTMLResponse("<html><body><h1>Please log in to continue</h1></body></html>")
        case Hit("json-video"):
            return JSONResponse({"error": {"message": "the file is being prepared", "type": "server_error"}})
        case _:
            pass
    headers = {"accept-ranges": "bytes", "etag": film.etag, "last-modified": _date(film), "content-type": "video/mp4"}
    part = _range(request, film)
    start, stop = part or (0, film.size)
    if start >= stop:
        return Response(status_code=416, headers=headers | {"content-range": f"bytes */{film.size}"})
    headers["content-length"] = str(stop - start)
    if part:
        headers["content-range"] = f"bytes {start}-{stop - 1}/{film.size}"
    return _Stream(film, start, stop, hit, 206 if part else 200, headers)


class _Stream(Response):
    """Streams a range in constant memory, at the client's pace; no background task, no copy."""

    def __init__(
        self, film: Footage, start: int, stop: int, hit: Hit | None, status: int, headers: dict[str, str]
    ) -> None:
        self.film, self.start, self.stop, self.hit = film, start, stop, hit
        if hit and hit.name == "truncate-silent":
            del headers["content-length"]
        self.status_code, self.background = status, None
        self.raw_headers = [(name.encode(), value.encode()) for name, value in headers.items()]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        cut = self.hit is not None and self.hit.name in ("truncate", "truncate-silent")
        stop = self.start + (self.stop - self.start) // 2 if cut else self.stop
        if scope["method"] != "HEAD":
            async for chunk in self._chunks(stop):
                if scope["state"]["transport"].is_closing():
                    return
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
            if self.hit and self.hit.name == "truncate":
                await hang_up(scope, receive)
                return
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _chunks(self, stop: int) -> AsyncIterator[bytes]:
        slow = self.hit.value if self.hit and self.hit.name == "slow-body" else 0
        for chunk in self.film.read(self.start, stop, max(1, int(slow / 10)) if slow else CHUNK):
            yield chunk
            if slow:
                await asyncio.sleep(len(chunk) / slow)
