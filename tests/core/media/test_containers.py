"""Containers by their first bytes, and the end of an MP4, with files that FFmpeg wrote."""

from __future__ import annotations

import io
from fractions import Fraction

import av
import pytest

from prefect_omnivideo.core.media import types
from prefect_omnivideo.core.media.containers import HEAD, MP4, QUICKTIME, Boxes, Container, recognise
from prefect_omnivideo.core.media.probe import examine

FRAGMENTED = {"movflags": "frag_keyframe+empty_moov+default_base_moof"}


def film(kind: str, codec: str, **options: str) -> bytes:
    """One second of a grey picture."""
    file = io.BytesIO()
    with av.open(file, "w", format=kind, options=options) as container:
        video = container.add_stream(codec, rate=25)
        video.width, video.height, video.pix_fmt = 320, 176, "yuv420p"
        for number in range(25):
            frame = av.VideoFrame(320, 176, "yuv420p")
            for plane in frame.planes:
                plane.update(bytes([128]) * plane.buffer_size)
            frame.pts, frame.time_base = number, Fraction(1, 25)
            container.mux(video.encode(frame))
        container.mux(video.encode(None))
    return file.getvalue()


def box(kind: bytes, content: bytes = b"") -> bytes:
    return (8 + len(content)).to_bytes(4) + kind + content


@pytest.mark.parametrize(
    ("kind", "codec", "content_type"),
    [
        ("mp4", "libx264", "video/mp4"),
        ("mov", "libx264", "video/quicktime"),
        ("webm", "libvpx", "video/webm"),
        ("matroska", "libx264", "video/x-matroska"),
        ("mpegts", "libx264", "video/mp2t"),
        ("avi", "mpeg4", "video/x-msvideo"),
        ("flv", "libx264", "video/x-flv"),
        ("mpeg", "mpeg1video", "video/mpeg"),
        ("vob", "mpeg2video", "video/mpeg"),
        ("asf", "wmv2", "video/x-ms-asf"),
        ("ogg", "libvpx", "video/ogg"),
    ],
)
def test_what_ffmpeg_writes(kind: str, codec: str, content_type: str) -> None:
    """Recognised, as a download and as a reference, and opened for its facts."""
    data = film(kind, codec)
    found = recognise(data[:HEAD])
    assert found is not None
    assert found.content_type == content_type
    assert types.recognise(data[:HEAD]) == found
    examined = examine(io.BytesIO(data))
    assert examined is not None
    assert (examined.facts["width"], examined.facts["height"]) == (320, 176)
    assert examined.poster


@pytest.mark.parametrize(
    ("head", "container"),
    [
        (box(b"styp", b"msdh") + box(b"moof"), MP4),
        (box(b"moof"), MP4),
        (box(b"sidx"), MP4),
        (box(b"free", bytes(20)) + box(b"ftyp", b"isom"), MP4),
        (box(b"uuid", bytes(16)) + box(b"skip") + box(b"ftyp", b"qt  "), QUICKTIME),
        (box(b"pnot", bytes(12)) + box(b"mdat"), QUICKTIME),
        (box(b"free", bytes(2 * HEAD))[:HEAD], QUICKTIME),
        (b"The free video you asked for", None),
        (b"The uuid is wrong", None),
        (b"\0\0\0\0free", None),
        (box(b"free") + b"no box at all", QUICKTIME),
        (b"OggS\0\2" + bytes(22) + b"\x80theora", Container("video/ogg", ".ogv")),
        (b"OggS\0\2" + bytes(22) + b"OpusHead", None),
        (b"", None),
    ],
)
def test_boxes_that_come_first(head: bytes, container: Container | None) -> None:
    assert recognise(head) == container


def ending(data: bytes) -> str | None:
    boxes = Boxes()
    for at in range(0, len(data), 1000):
        boxes.feed(data[at : at + 1000])
    return boxes.problem(length_known=True)


@pytest.mark.parametrize("first", [box(b"styp", b"msdhmsdh"), box(b"free", bytes(9)), box(b"uuid", bytes(16)), b""])
@pytest.mark.parametrize("options", [{}, FRAGMENTED], ids=["whole", "fragmented"])
def test_the_end_is_seen_behind_any_first_box(first: bytes, options: dict[str, str]) -> None:
    data = first + film("mp4", "libx264", **options)
    assert recognise(data[:HEAD]) == MP4
    assert ending(data) is None
    assert "bytes before its" in (ending(data[:-5]) or "")


def test_fragments_without_an_index_are_no_whole_file() -> None:
    """A segment of a stream plays only behind the index of that stream."""
    data = film("mp4", "libx264", **FRAGMENTED)
    segment = box(b"styp", b"msdhmsdh") + data[data.index(b"moof") - 4 :]
    assert recognise(segment[:HEAD]) == MP4
    assert ending(segment) == "it ends without an index ('moov')"
