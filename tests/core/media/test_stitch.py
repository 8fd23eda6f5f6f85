"""Videos joined into one, their last frames, and whether one begins with another."""

import io
import struct
import sys
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import pytest

from prefect_omnivideo.core.errors import NotAVideoError
from prefect_omnivideo.core.media.last_frame import last_frame
from prefect_omnivideo.core.media.likeness import begins_with
from prefect_omnivideo.core.media.stitch import Part, StitchError, stitch
from prefect_omnivideo.sandbox.media import render
from tests.core.media.test_media import facts_of, film


def joined(*videos: bytes, re_encode: bool = False, to: Path) -> tuple[list[float], bytes]:
    parts = [Part(f"shot {number}", lambda data=data: io.BytesIO(data)) for number, data in enumerate(videos, 1)]
    lengths = stitch(parts, to, re_encode=re_encode)
    return lengths, to.read_bytes()


def shades(data: bytes) -> list[int]:
    """The luma in the middle of every picture."""
    with av.open(io.BytesIO(data)) as container:
        return [bytes(frame.reformat(64, 64, "gray").planes[0])[64 * 32 + 32] for frame in container.decode(video=0)]


def moments(data: bytes, kind: str) -> list[Fraction]:
    with av.open(io.BytesIO(data)) as container:
        stream = next(stream for stream in container.streams if stream.type == kind)
        packets = [packet for packet in container.demux(stream) if packet.dts is not None]
        return [packet.dts * packet.time_base for packet in packets if packet.dts is not None]


def turned(data: bytes) -> bytes:
    """The same file, whose pictures players turn by a quarter with the clock."""
    matrix = data.index(b"tkhd") + 44
    quarter = struct.pack(">9i", 0, 1 << 16, 0, -(1 << 16), 0, 0, 0, 0, 1 << 30)
    return data[:matrix] + quarter + data[matrix + 36 :]


@pytest.fixture
def to(tmp_path: Path) -> Path:
    return tmp_path / "whole.mp4"


@pytest.mark.parametrize("sound", [True, False])
def test_the_whole_is_as_long_as_its_parts_and_shows_every_picture_unchanged(sound: bool, to: Path) -> None:
    parts = [render(320, 180, seconds, hue, sound=sound) for seconds, hue in ((4, 1), (5.5, 5), (3, 9))]
    lengths, whole = joined(*parts, to=to)
    assert lengths == [4, 5.5, 3]
    assert facts_of(whole)["duration"] == pytest.approx(12.5, abs=0.001)
    assert facts_of(whole)["audio"] is sound
    assert shades(whole) == [shade for part in parts for shade in shades(part)]
    for kind in ("video", *(["audio"] if sound else [])):
        assert moments(whole, kind) == sorted(set(moments(whole, kind))), "players need growing times"


def test_pictures_that_are_stored_out_of_order_are_played_in_order(to: Path) -> None:
    ramp, fall = film(seconds=3), film(seconds=2, shade=lambda number, line: 200 - 4 * number)
    lengths, whole = joined(ramp, fall, ramp, to=to)
    assert lengths == pytest.approx([3, 2, 3], abs=0.01)
    assert shades(whole) == [*shades(ramp), *shades(fall), *shades(ramp)]
    assert facts_of(whole)["duration"] == pytest.approx(8, abs=0.01)


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (lambda: film(180, 320), r"shot 2 has size 180x320 \(that of shot 1: 320x180\)"),
        (lambda: film(sound=True), r"shot 2 has sound aac, 44100 Hz, mono \(that of shot 1: none\)"),
        (lambda: render(320, 180, 2, 3, sound=False), "shot 2 has other codec settings"),
        (lambda: film(kind="webm"), r"shot 2 has codec vp8 \(that of shot 1: h264\)"),
        (lambda: turned(film()), r"shot 2 has rotation -90 degrees \(that of shot 1: 0 degrees\)"),
        (lambda: b"no video", "shot 2: not a video that can be opened"),
        (lambda: film(sound=True, picture=False), "shot 2: it has no pictures"),
        (lambda: film()[:2000], "shot 2"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(other: Callable[[], bytes], message: str, to: Path) -> None:
    with pytest.raises(StitchError, match=message):
        joined(film(), other(), to=to)


def test_what_does_not_fit_is_encoded_again_when_asked(to: Path) -> None:
    tall, silent, webm = render(180, 320, 2, 4, sound=True), film(seconds=3), film(seconds=2, kind="webm")
    lengths, whole = joined(tall, silent, webm, re_encode=True, to=to)
    facts = facts_of(whole)
    assert (facts["width"], facts["height"], facts["codec"], facts["audio"]) == (180, 320, "h264", True)
    assert lengths == pytest.approx([2, 3, 2], abs=0.05)
    assert facts["duration"] == pytest.approx(sum(lengths), abs=0.1)
    seen = shades(whole)
    assert len(seen) == 48 + 30 + 20
    assert seen[48:78] == pytest.approx(shades(silent), abs=6)
    with av.open(io.BytesIO(whole)) as container:
        samples = sum(frame.samples for frame in container.decode(audio=0))
    assert samples / 48_000 == pytest.approx(7, abs=0.1), "there is silence where a part has no sound"


def test_pictures_that_are_stored_turned_are_encoded_upright(to: Path) -> None:
    shaded = film(shade=lambda number, line: line)  # dark above, bright below
    for parts, size in (((film(), turned(shaded)), (320, 180)), ((turned(shaded), film()), (180, 320))):
        _, whole = joined(*parts, re_encode=True, to=to)
        with av.open(io.BytesIO(whole)) as container:
            frames = [frame.reformat(64, 64, "gray") for frame in container.decode(video=0)]
            assert (container.streams.video[0].width, container.streams.video[0].height) == size
        row = bytes(frames[-1 if parts[0] == film() else 0].planes[0])[64 * 32 : 64 * 32 + 64]
        assert row[28] > row[36] + 10, "a quarter with the clock: what was below is on the left"


def test_videos_that_match_are_never_encoded_again(to: Path) -> None:
    parts = [render(320, 180, 2, hue, sound=True) for hue in (1, 5)]
    assert joined(*parts, to=to)[1] == joined(*parts, re_encode=True, to=to)[1]


@pytest.mark.parametrize(("seconds", "kind"), [(0.1, "mp4"), (3, "mp4"), (3, "webm"), (9, "mp4")])
def test_the_last_frame_is_the_last_one(seconds: float, kind: str) -> None:
    data = film(seconds=seconds, kind=kind, shade=lambda number, line: 30 + 2 * number)
    image = last_frame(io.BytesIO(data))
    assert image.startswith(b"\xff\xd8\xff")
    with av.open(io.BytesIO(image)) as container:
        (frame,) = container.decode(video=0)
        assert (frame.width, frame.height) == (320, 180)
        assert bytes(frame.reformat(64, 64, "gray").planes[0])[2000] == pytest.approx(shades(data)[-1], abs=2)


@pytest.mark.parametrize("data", [b"no video", film(sound=True, picture=False)])
def test_no_last_frame(data: bytes) -> None:
    with pytest.raises(NotAVideoError):
        last_frame(io.BytesIO(data))


def test_an_extension_may_hold_what_it_extends() -> None:
    def moving(seconds: float, ahead: int = 0) -> bytes:
        return film(seconds=seconds, shade=lambda number, line: (line + 9 * (number + ahead)) % 180 + 20)

    start, longer, rest, other = moving(3), moving(7), moving(7, ahead=30), moving(7, ahead=11)
    assert begins_with(io.BytesIO(longer), io.BytesIO(start))
    assert not begins_with(io.BytesIO(rest), io.BytesIO(start)), "what follows, in a longer video"
    assert not begins_with(io.BytesIO(other), io.BytesIO(start))
    assert not begins_with(io.BytesIO(start), io.BytesIO(start)), "nothing was added"
    with pytest.raises(NotAVideoError):
        begins_with(io.BytesIO(longer), io.BytesIO(b"no video"))


def test_without_pyav_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch, to: Path) -> None:
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(StitchError, match=r"prefect-omnivideo\[media\]"):
        joined(b"x", to=to)
    with pytest.raises(NotAVideoError, match=r"prefect-omnivideo\[media\]"):
        last_frame(io.BytesIO(b"x"))
