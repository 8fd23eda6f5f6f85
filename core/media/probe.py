"""Examines a stored video, and compares it with the request. Needs the `media` extra, PyAV."""

# pyright: reportUnknownMemberType=false
# PyAV annotates packets without their stream.

from __future__ import annotations

import io
import math
from fractions import Fraction
from typing import TYPE_CHECKING, BinaryIO

from pydantic import JsonValue

from prefect_omnivideo.core.errors import NotAVideoError
from prefect_omnivideo.core.media.containers import HEAD, recognise
from prefect_omnivideo.core.request import VideoRequest

if TYPE_CHECKING:
    import av
    from av.container import InputContainer

MediaFacts = dict[str, JsonValue]
"""Properties of a video, as far as known.

container and codec (names, such as mp4 and h264), duration (seconds), width and height (pixels), frame_rate (per
second), audio (whether there is any).
"""

POSTER_WIDTH = 640
POSTER_TIME = 1.0
"""Seconds; in shorter videos the middle."""

_READ = 256 * 1024  # bytes at a time: each read may be a request to S3
# No formats that make FFmpeg open further files, as playlists do.
_FORMATS = "mov,matroska,webm,mpegts,avi,mpeg,flv,ogg,asf"

_ASPECT_RATIOS = ("16:9", "9:16", "1:1", "4:3", "3:4", "21:9", "9:21", "3:2", "2:3", "5:4", "4:5", "2:1", "1:2")
_CLASSES = {"1k": 1080, "2k": 1440, "4k": 2160, "8k": 4320}  # as the height of a 16:9 picture


def probe(file: BinaryIO) -> MediaFacts | None:
    """Read the properties of a video file; None without the `media` extra.

    Raises:
        NotAVideoError: it cannot be opened as a video at all.
    """
    container = _open(file)
    if container is None:
        return None
    with container:
        facts: MediaFacts = {"container": _container_name(file), "audio": bool(container.streams.audio)}
        if container.duration is not None:
            facts["duration"] = round(container.duration / 1_000_000, 3)
        if container.streams.video:
            stream = container.streams.video[0]
            facts |= {"codec": stream.codec_context.name, "width": stream.width, "height": stream.height}
            if stream.average_rate:
                facts["frame_rate"] = round(float(stream.average_rate), 3)
        return facts


def poster(file: BinaryIO) -> bytes | None:
    """One picture of the video as JPEG, at most 640 pixels wide; None without the `media` extra, or without a picture.

    Raises:
        NotAVideoError: it cannot be opened as a video at all.
    """
    container = _open(file)
    if container is None:
        return None
    from av.error import FFmpegError

    with container:
        try:
            frame = _frame(container)
            return None if frame is None else _jpeg(frame)
        except FFmpegError:  # the stream is damaged: the video is kept, without a picture
            return None


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


def _open(file: BinaryIO) -> InputContainer | None:
    try:
        import av
        from av.error import FFmpegError
    except ImportError:
        return None
    file.seek(0)
    try:
        return av.open(file, "r", buffer_size=_READ, options={"format_whitelist": _FORMATS})
    except FFmpegError as error:
        raise NotAVideoError(f"not a video that can be opened: {error.strerror}") from error


def _frame(container: InputContainer) -> av.VideoFrame | None:
    if not container.streams.video:
        return None
    end = (container.duration or 0) / 1_000_000
    moment = min(POSTER_TIME, end / 2)
    container.streams.video[0].codec_context.thread_count = 1  # not worth threads for one picture
    container.seek(int(moment * 1_000_000))
    frame = None
    for frame in container.decode(video=0):
        if frame.pts is None or frame.time >= moment:  # some containers have frames without timestamps
            break
    return frame


def _jpeg(frame: av.VideoFrame) -> bytes:
    import av

    scale = min(1.0, POSTER_WIDTH / frame.width)
    width, height = (max(2, round(side * scale / 2) * 2) for side in (frame.width, frame.height))
    image = io.BytesIO()
    with av.open(image, "w", format="mjpeg") as container:
        stream = container.add_stream("mjpeg", rate=1, options={"qmin": "3", "qmax": "3"})  # of 1 (best) to 31
        stream.width, stream.height, stream.pix_fmt = width, height, "yuvj420p"
        picture = frame.reformat(width, height, "yuvj420p")
        picture.pts, picture.time_base = 0, Fraction(1)
        container.mux(stream.encode(picture))
        container.mux(stream.encode(None))
    return image.getvalue()


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
