"""Joins videos into one file, without encoding them again where their streams match. Needs the `media` extra, PyAV."""

# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false, reportUnknownVariableType=false
# PyAV annotates packets without their stream.

from __future__ import annotations

import hashlib
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple

from prefect_omnivideo.core.errors import NotAVideoError, OmniVideoError
from prefect_omnivideo.core.media.encoding import encode, rotation_of
from prefect_omnivideo.core.media.probe import can_read_pictures, open_video

if TYPE_CHECKING:
    from av.container import InputContainer, OutputContainer

AnyStream = Any  # generic only for type checkers


class StitchError(OmniVideoError):
    """Videos cannot be joined into one; they stay as they are."""


class Part(NamedTuple):
    """One of the videos to join."""

    title: str
    """What messages call it."""
    open: Callable[[], BinaryIO]


def stitch(parts: Sequence[Part], target: Path, *, re_encode: bool = False) -> list[float]:
    """Join videos into an MP4 file.

    Args:
        target: the file to write. It holds nothing useful if this raises.
        re_encode: encode those whose streams do not match again, all to the shape of the first.

    Returns:
        The length of each part, in seconds.

    Raises:
        StitchError: their streams do not match, naming the part and what differs; or one cannot be read.
        StoreError: one cannot be read for now.
    """
    if not can_read_pictures():
        raise StitchError("videos cannot be joined without PyAV: pip install 'prefect-omnivideo[media]'")
    import av
    from av.error import FFmpegError

    try:
        unlike = _differences(parts)
        if unlike and not re_encode:
            raise StitchError(f"they cannot be joined without encoding them again: {'; '.join(unlike)}")
        with av.open(str(target), "w", format="mp4", options={"movflags": "+faststart"}) as output:
            if unlike:
                return encode([partial(_opened, part) for part in parts], output)
            return _copy(parts, output)
    except (FFmpegError, NotAVideoError) as error:
        raise StitchError(f"they cannot be joined: {getattr(error, 'strerror', None) or error}") from error


@contextmanager
def _opened(part: Part) -> Generator[InputContainer]:
    with part.open() as file:
        try:
            container = open_video(file)
        except NotAVideoError as error:
            raise NotAVideoError(f"{part.title}: {error}") from error
        assert container is not None
        with container:
            if not container.streams.video or not container.duration:
                raise NotAVideoError(f"{part.title}: it has no pictures, or no known length")
            yield container


def _traits(container: InputContainer) -> dict[str, str]:
    """What must be the same in all parts of a stream."""
    video = container.streams.video[0]
    context = video.codec_context
    traits = {"codec": context.name, "size": f"{video.width}x{video.height}", "pixel format": context.pix_fmt or ""}
    traits["rotation"] = f"{rotation_of(container)} degrees"
    traits["codec settings"] = _digest(context.extradata)
    traits["sound"] = "none"
    if container.streams.audio:
        audio = container.streams.audio[0].codec_context
        traits["sound"] = f"{audio.name}, {audio.sample_rate} Hz, {audio.layout.name}"
        traits["sound settings"] = _digest(audio.extradata)
    return traits


def _digest(data: bytes | None) -> str:
    return hashlib.sha256(data or b"").hexdigest()[:8]


def _differences(parts: Sequence[Part]) -> list[str]:
    """In what each part differs from the first."""
    found: list[str] = []
    first: dict[str, str] = {}
    for part in parts:
        with _opened(part) as container:
            traits = _traits(container)
        first = first or traits
        differing = [name for name in first if traits.get(name, first[name]) != first[name]]
        plain = [name for name in differing if not name.endswith("settings")]
        words = [f"{name} {traits[name]} (that of {parts[0].title}: {first[name]})" for name in plain]
        words = words or [f"other {name}" for name in differing]  # follow from the others, if there are any
        found += [f"{part.title} has {', '.join(words)}"] if words else []
    return found


def _copy(parts: Sequence[Part], output: OutputContainer) -> list[float]:
    """Put the packets of all parts one after the other, at the moments that the parts before them leave."""
    streams: dict[str, AnyStream] = {}
    latest: dict[str, Fraction] = {}
    lengths: list[float] = []
    offset = Fraction(0)
    for part in parts:
        with _opened(part) as container:
            length = Fraction(container.duration or 0, 1_000_000)
            start = Fraction(max(0, container.start_time or 0), 1_000_000)
            chosen = [container.streams.video[0], *container.streams.audio[:1]]
            if not streams:
                streams = {stream.type: output.add_stream_from_template(stream) for stream in chosen}
            for packet in container.demux(chosen):
                if packet.dts is None or packet.pts is None:  # the last one, which is empty
                    continue
                kind, tick = packet.stream.type, packet.time_base
                begins = packet.pts * tick - start
                # What an encoder puts before the beginning was heard at the end of the part before.
                if kind == "audio" and offset and begins < 0:
                    continue
                shift = round((offset - start) / tick)
                packet.pts, packet.dts = packet.pts + shift, packet.dts + shift
                if kind in latest and packet.dts * tick <= latest[kind]:
                    packet.dts = latest[kind] // tick + 1
                    packet.pts = max(packet.pts, packet.dts)
                latest[kind] = packet.dts * tick
                packet.stream = streams[kind]
                output.mux(packet)
        offset += length
        lengths.append(float(length))
    return lengths
