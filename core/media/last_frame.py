"""The last picture of a video, for the next one to begin with. Needs the `media` extra, PyAV."""

# pyright: reportUnknownMemberType=false
# PyAV annotates packets without their stream.

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO

from prefect_omnivideo.core.errors import NotAVideoError
from prefect_omnivideo.core.media.poster import jpeg
from prefect_omnivideo.core.media.probe import open_video, readable

if TYPE_CHECKING:
    import av
    from av.container import InputContainer

WIDEST = 8192
"""Pixels; no gateway makes wider videos."""
TAIL = 2_000_000
"""Microseconds before the end at which decoding begins, or at the key frame before that."""


def last_frame(file: BinaryIO) -> bytes:
    """The last picture as JPEG in its full size.

    Raises:
        NotAVideoError: there is no picture, or it is damaged.
    """
    container = open_video(file)
    if container is None:
        raise NotAVideoError("the last frame cannot be read without PyAV: pip install 'prefect-omnivideo[media]'")
    with container, readable():
        frame = _from(container, (container.duration or 0) - TAIL) or _from(container, 0)
        if frame is None:
            raise NotAVideoError("it has no pictures")
        return jpeg(frame, at_most=WIDEST)


def _from(container: InputContainer, microseconds: int) -> av.VideoFrame | None:
    """The last picture after that moment; None if there is none."""
    if not container.streams.video:
        return None
    stream = container.streams.video[0]
    stream.codec_context.skip_frame = "DEFAULT"  # opening it skipped them all
    container.seek(max(0, microseconds))
    last = None
    for frame in container.decode(stream):
        last = frame
    return last
