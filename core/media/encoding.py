"""Encodes videos of different shapes into one, in the shape of the first. Needs the `media` extra, PyAV."""

# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false, reportUnknownVariableType=false
# PyAV annotates packets without their stream.

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from fractions import Fraction
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    import av
    from av.container import InputContainer, OutputContainer
    from av.filter import Graph

Open = Callable[[], AbstractContextManager["InputContainer"]]

TICK = Fraction(1, 90_000)
_SOUND_RATE = 48_000
_SOUND_FRAME = 1024
_QUALITY = {"crf": "18", "preset": "veryfast"}
_UPRIGHT = {-90: ("transpose=clock",), 90: ("transpose=cclock",), 180: ("hflip", "vflip"), -180: ("hflip", "vflip")}
"""What players do with pictures that are stored turned."""


def encode(parts: Sequence[Open], output: OutputContainer) -> list[float]:
    """Encode all parts one after the other: H.264, and AAC if one of them has sound.

    Pictures of another shape get bars; a part without sound is silent.

    Returns:
        The length of each part, in seconds.
    """
    from av.video.frame import VideoFrame

    has_sound = any(_has_sound(part) for part in parts)
    with parts[0]() as first:
        shape = first.streams.video[0]
        width, height, rate = shape.width, shape.height, shape.average_rate or Fraction(24)
        if rotation_of(first) in (-90, 90):
            width, height = height, width
    video: Any = output.add_stream("libx264", rate=rate, options=_QUALITY)
    video.width, video.height, video.pix_fmt = width - width % 2, height - height % 2, "yuv420p"
    video.codec_context.time_base = TICK
    sound = _Sound(output) if has_sound else None
    lengths: list[float] = []
    offset = Fraction(0)
    latest = -1
    for part in parts:
        with part() as container:
            for stream in (*container.streams.video[:1], *container.streams.audio[:1]):
                stream.codec_context.skip_frame = "DEFAULT"  # opening it skipped them all
            length = Fraction(container.duration or 0, 1_000_000)
            graph: Graph | None = None
            chosen = [container.streams.video[0], *(container.streams.audio[:1] if sound else ())]
            for frame in container.decode(*chosen):
                if not isinstance(frame, VideoFrame):
                    if sound:
                        sound.add(frame)
                    continue
                graph = graph or _graph(frame, video.width, video.height)
                for picture in _filtered(graph, frame):
                    latest = max(latest + 1, round((offset + _moment(picture)) / TICK))
                    picture.pts, picture.time_base, picture.pict_type = latest, TICK, 0
                    output.mux(video.encode(picture))
        offset += length
        lengths.append(float(length))
        if sound:
            sound.fill(offset)
    output.mux(video.encode(None))
    if sound:
        sound.close()
    return lengths


def rotation_of(container: InputContainer) -> int:
    """By how many degrees, counted against the clock, players turn the pictures; 0 if there are none."""
    container.streams.video[0].codec_context.skip_frame = "DEFAULT"  # opening it skipped them all
    frame = next(container.decode(video=0), None)
    return frame.rotation if frame else 0


def _has_sound(part: Open) -> bool:
    with part() as container:
        return bool(container.streams.audio)


def _moment(frame: av.VideoFrame) -> Fraction:
    return max(Fraction(0), (frame.pts or 0) * (frame.time_base or TICK))


def _graph(like: av.VideoFrame, width: int, height: int) -> Graph:
    """Turns pictures upright and scales them into a frame, with bars where the shapes differ."""
    from av.filter import Graph

    graph = Graph()
    source = graph.add_buffer(width=like.width, height=like.height, format=like.format, time_base=like.time_base)
    turns = [graph.add(*each.split("=")) for each in _UPRIGHT.get(like.rotation, ())]
    fit = graph.add("scale", f"{width}:{height}:force_original_aspect_ratio=decrease")
    bars = graph.add("pad", f"{width}:{height}:(ow-iw)/2:(oh-ih)/2")
    plain = graph.add("format", "yuv420p")
    graph.link_nodes(source, *turns, fit, bars, plain, graph.add("buffersink")).configure()
    return graph


def _filtered(graph: Graph, frame: av.VideoFrame) -> Iterable[av.VideoFrame]:
    from av.error import BlockingIOError as NothingYet

    graph.push(frame)
    while True:
        try:
            yield cast("av.VideoFrame", graph.pull())
        except NothingYet:
            return


class _Sound:
    """The sound track: what the parts have, and silence elsewhere."""

    def __init__(self, output: OutputContainer) -> None:
        from av.audio.resampler import AudioResampler

        self._output = output
        self._stream: Any = output.add_stream("aac", rate=_SOUND_RATE, layout="stereo")
        self._resampler_type = AudioResampler
        self._resampler = self._fresh()
        self._samples = 0

    def _fresh(self) -> Any:
        return self._resampler_type(format="fltp", layout="stereo", rate=_SOUND_RATE, frame_size=_SOUND_FRAME)

    def add(self, frame: Any) -> None:
        """Some sound of the current part."""
        frame.pts = None
        for piece in self._resampler.resample(frame):
            self._put(piece)

    def fill(self, until: Fraction) -> None:
        """The part has ended: its rest, and silence until that moment."""
        for piece in self._resampler.resample(None):
            self._put(piece)
        self._resampler = self._fresh()
        while (missing := round(until * _SOUND_RATE) - self._samples) > 0:
            self._put(_silence(min(missing, _SOUND_FRAME)))

    def close(self) -> None:
        """Write what the encoder still holds."""
        self._output.mux(self._stream.encode(None))

    def _put(self, piece: Any) -> None:
        piece.pts, piece.time_base, piece.sample_rate = self._samples, Fraction(1, _SOUND_RATE), _SOUND_RATE
        self._samples += piece.samples
        self._output.mux(self._stream.encode(piece))


def _silence(samples: int) -> Any:
    from av.audio.frame import AudioFrame

    frame = AudioFrame("fltp", "stereo", samples)
    for plane in frame.planes:
        plane.update(bytes(plane.buffer_size))
    return frame
