"""Whether a video begins with another one: an extension may hold the video it extends, or only what follows it."""

# pyright: reportUnknownMemberType=false
# PyAV annotates packets without their stream.

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO

from prefect_omnivideo.core.media.probe import open_video, readable

if TYPE_CHECKING:
    from av.container import InputContainer

LEAST_ADDED = 2.0
"""Seconds that an extension adds at least; gateways document three and more."""
LOOKED_AT = (0.05, 0.35, 0.65, 0.95)
"""Where the pictures are compared, as parts of the shorter video."""
ALIKE = 3.0
"""Most that two pictures may differ on average, of 255: encoding a picture once more changes it by about one."""
_SIDE = 64  # pixels; FFmpeg pads lines to this, so the plane holds nothing else


def begins_with(longer: BinaryIO, shorter: BinaryIO) -> bool:
    """Whether the pictures of the shorter video are those at the beginning of the longer one.

    Raises:
        NotAVideoError: one of them cannot be read.
    """
    one, other = open_video(longer), open_video(shorter)
    if one is None or other is None:
        return False
    with one, other, readable():
        seconds = (other.duration or 0) / 1e6
        if not seconds or (one.duration or 0) / 1e6 < seconds + LEAST_ADDED:
            return False
        moments = [part * seconds for part in LOOKED_AT]
        pairs = ((_picture(one, moment), _picture(other, moment)) for moment in moments)
        return all(a is not None and b is not None and _difference(a, b) <= ALIKE for a, b in pairs)


def _picture(container: InputContainer, moment: float) -> bytes | None:
    """The picture at a moment, in grey."""
    if not container.streams.video:
        return None
    stream = container.streams.video[0]
    stream.codec_context.skip_frame = "DEFAULT"  # opening it skipped them all
    container.seek(int(moment * 1_000_000))
    found = None
    for frame in container.decode(stream):
        if found is not None and (frame.time or 0) > moment:
            break
        found = frame
    return None if found is None else bytes(found.reformat(_SIDE, _SIDE, "gray").planes[0])


def _difference(one: bytes, other: bytes) -> float:
    return sum(abs(a - b) for a, b in zip(one, other, strict=True)) / len(one)
