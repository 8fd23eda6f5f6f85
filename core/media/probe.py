"""Examines a stored video, and compares it with the request. Needs the `media` extra, PyAV."""

# pyright: reportUnknownMemberType=false
# PyAV annotates packets without their stream.

from __future__ import annotations

import math
from collections.abc import Generator
from contextlib import contextmanager
from importlib import import_module
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

from pydantic import JsonValue

from prefect_omnivideo.core.errors import NotAVideoError
from prefect_omnivideo.core.media.containers import HEAD, recognise
from prefect_omnivideo.core.media.poster import poster
from prefect_omnivideo.core.request import VideoRequest

if TYPE_CHECKING:
    from av.container import InputContainer

MediaFacts = dict[str, JsonValue]
"""Properties of a video, as far as known.

container and codec (names, such as mp4 and h264), duration (seconds), width and height (pixels), frame_rate (per
second), audio (whether there is any).
"""

_READ = 256 * 1024  # bytes at a time: each read may be a request to S3
# No formats that make FFmpeg open further files, as playlists do.
_FORMATS = "mov,matroska,webm,mpegts,avi,mpeg,flv,ogg,asf"
# FFmpeg decodes a picture to open a file, 50 ms for 1080p; where the head of the file says everything it need not.
_OPTIONS = {"format_whitelist": _FORMATS, "skip_frame": "all"}

_ASPECT_RATIOS = ("16:9", "9:16", "1:1", "4:3", "3:4", "21:9", "9:21", "3:2", "2:3", "5:4", "4:5", "2:1", "1:2")
_CLASSES = {"1k": 1080, "2k": 1440, "4k": 2160, "8k": 4320}  # as the height of a 16:9 picture


class Examined(NamedTuple):
    """What a video file shows."""

    facts: MediaFacts
    poster: bytes | None
    """A JPEG at most 640 pixels wide, if there is a picture that can be had at a bounded cost."""


def examine(file: BinaryIO, *, with_poster: bool = True) -> Examined | None:
    """Read the properties of a video file and its poster, opening it once; None without the `media` extra.

    Args:
        with_poster: False saves the cost of decoding a picture.

    Raises:
        NotAVideoError: it cannot be opened as a video at all.
    """
    container = open_video(file)
    if container is None:
        return None
    with container:
        facts = _facts(container)
        picture = poster(container) if with_poster else None
    return Examined({"container": _container_name(file), **facts}, picture)


def mismatches(request: VideoRequest, facts: MediaFacts) -> tuple[str, ...]:
    """How the video differs from the request, one sentence each; unknown properties are not compared.

    Gateways round to what their models support. So durations may differ by 0.5 s or 10 %, aspect ratios by 5 %, and a
    resolution class matches by the height of its shorter side or by its number of pixels, either within 10 %.
    """
    found: list[str] = []
    width, height, duration = (_number(facts, name) for name in ("width", "height", "duration"))
    if request.duration and duration and abs(duration - request.duration) > max(0.5, request.duration / 10):
        found.append(f"asked for {request.duration:g} s, got {duration:.3g} s")
    if width and height:
        got = f"{width:.0f}x{height:.0f}"
        if request.resolution and not _has_resolution(request.resolution, width, height):
            found.append(f"asked for {request.resolution}, got {min(width, height):.0f}p")
        if request.aspect_ratio and not _has_ratio(request.aspect_ratio, width, height):
            shape = next((ratio for ratio in _ASPECT_RATIOS if _has_ratio(ratio, width, height)), got)
            found.append(f"asked for {request.aspect_ratio}, got {shape}")
        if request.size and request.size != got:
            found.append(f"asked for {request.size}, got {got}")
    if request.sound is not None and isinstance(facts.get("audio"), bool) and request.sound != facts["audio"]:
        found.append("asked for sound, got none" if request.sound else "asked for no sound, got some")
    return tuple(found)


def can_read_pictures() -> bool:
    """Whether PyAV is installed."""
    try:
        return bool(import_module("av"))
    except ImportError:
        return False


def open_video(file: BinaryIO) -> InputContainer | None:
    """A video file, opened without decoding a picture of it; None without the `media` extra.

    Raises:
        NotAVideoError: it cannot be opened as a video at all.
    """
    try:
        import av
        from av.error import FFmpegError
    except ImportError:
        return None
    file.seek(0)
    try:
        return av.open(file, "r", buffer_size=_READ, options=_OPTIONS)
    except FFmpegError as error:
        raise NotAVideoError(f"not a video that can be opened: {error.strerror}") from error


@contextmanager
def readable() -> Generator[None]:
    """Decode pictures of a video.

    Raises:
        NotAVideoError: they are damaged.
    """
    from av.error import FFmpegError

    try:
        yield
    except FFmpegError as error:
        raise NotAVideoError(f"its pictures cannot be decoded: {error.strerror}") from error


def _facts(container: InputContainer) -> MediaFacts:
    facts: MediaFacts = {"audio": bool(container.streams.audio)}
    if container.duration is not None:
        facts["duration"] = round(container.duration / 1_000_000, 3)
    if container.streams.video:
        stream = container.streams.video[0]
        facts |= {"codec": stream.codec_context.name, "width": stream.width, "height": stream.height}
        if stream.average_rate:
            facts["frame_rate"] = round(float(stream.average_rate), 3)
    return facts


def _container_name(file: BinaryIO) -> str | None:
    file.seek(0)
    kind = recognise(file.read(HEAD))
    return kind and kind.ending.removeprefix(".")


def _number(facts: MediaFacts, name: str) -> float | None:
    value = facts.get(name)
    return float(value) if isinstance(value, int | float) else None


def _has_resolution(wanted: str, width: float, height: float) -> bool:
    name = wanted.lower()
    side = _CLASSES.get(name) or int(name[:-1])
    return _near(min(width, height), side, 0.1) or _near(width * height, side * side * 16 / 9, 0.1)


def _has_ratio(wanted: str, width: float, height: float) -> bool:
    across, down = map(int, wanted.split(":"))
    return down > 0 and _near(width / height, across / down, 0.05)


def _near(value: float, wanted: float, tolerance: float) -> bool:
    return math.isclose(value, wanted, rel_tol=0, abs_tol=wanted * tolerance)
