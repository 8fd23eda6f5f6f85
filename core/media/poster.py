"""One picture of a video, at the cost of decoding hardly more than that picture."""

# pyright: reportUnknownMemberType=false
# PyAV annotates packets without their stream.

from __future__ import annotations

import io
from fractions import Fraction
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import av
    from av.container import InputContainer
    from av.video.codeccontext import VideoCodecContext

WIDTH = 640
MOST_PICTURES = 48
"""Pictures decoded in search of one that shows something: two seconds of a fade from black."""
MOST_BYTES = 2_000_000
"""Compressed bytes decoded for a poster, about 0.2 s of CPU; a video whose picture takes more gets none."""
FLAT = 32
"""A picture whose luma varies by less, of 255, is black or of one colour."""

_SAMPLE = 64  # pixels on a side; FFmpeg pads lines to this, so the plane holds nothing else


def poster(container: InputContainer) -> bytes | None:
    """The first picture that is not flat as JPEG, at most 640 pixels wide; the first one if all are flat.

    None if there is no picture, if it is damaged, or if it would cost too much.
    """
    from av.error import FFmpegError

    try:
        frame = _frame(container)
        return None if frame is None else jpeg(frame, at_most=WIDTH)
    except FFmpegError:  # the stream is damaged: the video is kept, without a picture
        return None


def _frame(container: InputContainer) -> av.VideoFrame | None:
    if not container.streams.video:
        return None
    decoder = container.streams.video[0].codec_context
    decoder.thread_count = 1  # not worth threads for one picture
    decoder.skip_frame = "DEFAULT"  # opening it skipped them all
    packet = next(container.demux(video=0))
    if packet.size > MOST_BYTES:
        return None
    # A decoder that puts pictures in order holds the first one back until the next ones came, or the end.
    alone = [*decoder.decode(packet), *decoder.decode(None)]
    if alone and not _is_flat(alone[0]):
        return alone[0]
    decoder.flush_buffers()
    container.seek(0)
    return _first_that_shows(container, decoder) or (alone[0] if alone else None)


def _first_that_shows(container: InputContainer, decoder: VideoCodecContext) -> av.VideoFrame | None:
    pictures = size = 0
    for packet in container.demux(video=0):
        size += packet.size
        if size > MOST_BYTES or pictures >= MOST_PICTURES:
            return None
        for frame in decoder.decode(packet):
            pictures += 1
            if not _is_flat(frame):
                return frame
    return None


def _is_flat(frame: av.VideoFrame) -> bool:
    luma = bytes(frame.reformat(_SAMPLE, _SAMPLE, "gray").planes[0])
    return max(luma) - min(luma) < FLAT


def jpeg(frame: av.VideoFrame, *, at_most: int) -> bytes:
    """A picture of a video as JPEG, `at_most` so many pixels wide."""
    import av

    scale = min(1.0, at_most / frame.width)
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
