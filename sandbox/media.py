"""Real, playable MP4 files, rendered on demand.

One second of picture is encoded once and its packets are repeated, so the cost of a clip does not grow with its length.
"""

import colorsys
import math
import tempfile
import zlib
from array import array
from fractions import Fraction
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

import av
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

if TYPE_CHECKING:
    AnyPacket = Packet[Any]  # generic only for type checkers

FPS: Final = 24
"""Frames per second of every clip (docs/gateways.md, APIMart, Submit)."""

HUES: Final = 12
SAMPLE_RATE: Final = 44_100
AUDIO_FRAME: Final = 1024


def hue_of(prompt: str) -> int:
    """The hue (0 to 11) of a prompt's clip."""
    return zlib.crc32(prompt.encode()) % HUES


@lru_cache(maxsize=128)
def render(width: int, height: int, seconds: float, hue: int, *, sound: bool) -> bytes:
    """An H.264 MP4 of `width` x `height` pixels, `seconds` long: a white box moving over one colour, index first.

    With `sound` it also carries an AAC track, a quiet 441 Hz tone. Equal arguments give equal bytes.
    """
    with tempfile.NamedTemporaryFile(suffix=".mp4") as file:  # a real file: moving the index to the front reads it back
        container: Any  # PyAV types streams and packets only in part
        with av.open(file.name, "w", format="mp4", options={"movflags": "+faststart"}) as container:
            video: VideoStream = container.add_stream("libx264", rate=FPS)
            audio: AudioStream | None = container.add_stream("aac", rate=SAMPLE_RATE, layout="mono") if sound else None
            packets = _picture(video, width, height, hue, frames=max(1, round(seconds * FPS)))
            if audio is not None:
                packets += _tone(audio, samples=int(seconds * SAMPLE_RATE))
            for packet in sorted(packets, key=_start):
                container.mux(packet)
        return file.read()


def _start(packet: "AnyPacket") -> Fraction:
    return (packet.dts or 0) * packet.time_base


def _encode(stream: Any, frame: VideoFrame | AudioFrame | None) -> "list[AnyPacket]":
    return list(stream.encode(frame))


def _picture(stream: VideoStream, width: int, height: int, hue: int, frames: int) -> "list[AnyPacket]":
    stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
    stream.options = {
        "preset": "ultrafast",
        "tune": "zerolatency",
        "crf": "30",
        "x264-params": f"keyint={FPS}:threads=1",
    }
    tick = Fraction(1, FPS)
    loop: list[AnyPacket] = []
    for number in range(min(FPS, frames)):
        frame = _draw(width, height, hue, number)
        frame.pts, frame.time_base = number, tick
        loop += _encode(stream, frame)
    loop += _encode(stream, None)
    packets: list[AnyPacket] = []
    for number in range(frames):
        source = loop[number % FPS]
        packet: AnyPacket = Packet(bytes(source))
        packet.stream, packet.time_base = stream, tick
        packet.pts = packet.dts = number
        packet.duration = 1
        packet.is_keyframe = source.is_keyframe
        packets.append(packet)
    return packets


def _draw(width: int, height: int, hue: int, number: int) -> VideoFrame:
    red, green, blue = colorsys.hsv_to_rgb(hue / HUES, 0.6, 0.6)
    luma = 0.299 * red + 0.587 * green + 0.114 * blue
    frame = VideoFrame(width, height, "yuv420p")
    ground = int(16 + 219 * luma)
    box = min(width, height) // 4
    left = round((width - box) * (1 - math.cos(math.tau * number / FPS)) / 2)
    for index, plane in enumerate(frame.planes):
        stride = plane.line_size
        if index == 0:
            plain = bytes([ground]) * stride
            crossed = plain[:left] + b"\xeb" * box + plain[left + box :]
            above = (height - box) // 2
            plane.update(plain * above + crossed * box + plain * (height - box - above))
        else:
            chroma = 128 + 224 * ((blue - luma) / 1.772 if index == 1 else (red - luma) / 1.402)
            plane.update(bytes([int(chroma)]) * (stride * plane.height))
    return frame


def _tone(stream: AudioStream, samples: int) -> "list[AnyPacket]":
    period = array("f", (0.1 * math.sin(math.tau * step / 100) for step in range(100)))
    wave = (period * (AUDIO_FRAME // 50)).tobytes()
    packets: list[AnyPacket] = []
    for start in range(0, samples, AUDIO_FRAME):
        frame = AudioFrame("fltp", "mono", min(AUDIO_FRAME, samples - start))
        offset = start % 100 * 4
        frame.planes[0].update(
            wave[offset : offset + frame.planes[0].buffer_size].ljust(frame.planes[0].buffer_size, b"\0")
        )
        frame.sample_rate, frame.pts, frame.time_base = SAMPLE_RATE, start, Fraction(1, SAMPLE_RATE)
        packets += _encode(stream, frame)
    packets += _encode(stream, None)
    return packets
