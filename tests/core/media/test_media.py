"""What a stored video says about itself, held against what was asked for."""

import io
import sys
from collections.abc import Callable
from fractions import Fraction

import av
import pytest

from prefect_omnivideo.core.errors import NotAVideoError
from prefect_omnivideo.core.media import poster as poster_file
from prefect_omnivideo.core.media.probe import MediaFacts, examine, mismatches
from prefect_omnivideo.core.request import VideoRequest


def film(
    width: int = 320,
    height: int = 180,
    seconds: float = 2.0,
    *,
    sound: bool = False,
    kind: str = "mp4",
    picture: bool = True,
    shade: Callable[[int, int], int] = lambda number, line: 40 + 4 * number,
) -> bytes:
    """A real film of grey pictures, ten a second.

    Args:
        shade: the luma of a line of a picture; by default each picture is a little lighter than the one before.
    """
    file = io.BytesIO()
    with av.open(file, "w", format=kind) as container:
        audio = container.add_stream("aac", rate=44_100, layout="mono") if sound else None
        if picture:
            video = container.add_stream("libvpx" if kind == "webm" else "libx264", rate=10)
            video.width, video.height, video.pix_fmt = width, height, "yuv420p"
            video.codec_context.time_base = Fraction(1, 10)
            for number in range(round(seconds * 10)):
                frame = av.VideoFrame(width, height, "yuv420p")
                for index, plane in enumerate(frame.planes):
                    lines = (bytes([128 if index else shade(number, line)]) for line in range(plane.height))
                    plane.update(b"".join(line * plane.line_size for line in lines))
                frame.pts, frame.time_base = number, Fraction(1, 10)
                container.mux(video.encode(frame))
            container.mux(video.encode(None))
        if audio is not None:
            for start in range(0, int(seconds * 44_100), 1024):
                samples = av.AudioFrame("fltp", "mono", 1024)
                samples.planes[0].update(bytes(samples.planes[0].buffer_size))
                samples.sample_rate, samples.pts = 44_100, start
                container.mux(audio.encode(samples))
            container.mux(audio.encode(None))
    return file.getvalue()


def facts_of(data: bytes) -> MediaFacts:
    examined = examine(io.BytesIO(data))
    assert examined is not None
    return examined.facts


def poster_of(data: bytes) -> bytes | None:
    examined = examine(io.BytesIO(data))
    assert examined is not None
    return examined.poster


def test_the_facts_are_read() -> None:
    assert facts_of(film()) == {
        "container": "mp4",
        "codec": "h264",
        "duration": 2.0,
        "width": 320,
        "height": 180,
        "frame_rate": 10.0,
        "audio": False,
    }


def test_sound_and_other_containers_are_known() -> None:
    assert facts_of(film(sound=True))["audio"] is True
    facts = facts_of(film(kind="webm"))
    assert (facts["container"], facts["codec"]) == ("webm", "vp8")


def test_a_file_without_picture_has_facts_and_no_poster() -> None:
    data = film(sound=True, picture=False)
    assert "width" not in facts_of(data)
    assert poster_of(data) is None


@pytest.mark.parametrize(
    "data",
    [b"", b"<html>no</html>", b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n", film()[:100]],
    ids=["empty", "html", "playlist", "cut off"],
)
def test_what_cannot_be_opened_is_no_video(data: bytes) -> None:
    with pytest.raises(NotAVideoError):
        examine(io.BytesIO(data))


def test_a_damaged_film_still_has_facts_and_no_poster_is_no_error() -> None:
    data = bytearray(film())
    begin = data.index(b"mdat") + 4
    data[begin : data.index(b"moov") - 4] = bytes(data.index(b"moov") - 4 - begin)
    assert facts_of(bytes(data))["width"] == 320
    assert poster_of(bytes(data)) is None


@pytest.mark.parametrize(
    ("size", "expected"), [((1280, 720), (640, 360)), ((320, 180), (320, 180)), ((720, 1280), (640, 1138))]
)
def test_poster_is_a_jpeg_of_at_most_640_pixels(size: tuple[int, int], expected: tuple[int, int]) -> None:
    picture = poster_of(film(*size, seconds=0.3))
    assert picture is not None
    assert picture.startswith(b"\xff\xd8")
    with av.open(io.BytesIO(picture), "r") as container:
        frame = next(container.decode(video=0))
        assert (frame.width, frame.height) == expected


def striped(number: int, line: int) -> int:
    """Two stripes; the upper one of each picture is a little lighter than that of the one before."""
    return 40 + 4 * number if line < 90 else 220


def fading_in(number: int, line: int) -> int:
    """Black, and after one second two stripes."""
    return striped(number, line) if number >= 10 else 16


def white(number: int, line: int) -> int:
    return 220


@pytest.mark.parametrize(
    ("shade", "luma"),
    [(striped, striped(0, 0)), (fading_in, striped(10, 0)), (white, 220)],
    ids=["the first picture", "the first that is not black", "the first of many flat ones"],
)
def test_poster_shows_something(shade: Callable[[int, int], int], luma: int) -> None:
    picture = poster_of(film(shade=shade))
    assert picture is not None
    with av.open(io.BytesIO(picture), "r") as container:
        plane = next(container.decode(video=0)).planes[0]
        # JPEG is full range: 16..235 is stretched to 0..255.
        assert abs(bytes(plane)[45 * plane.line_size + 160] - (luma - 16) * 255 / 219) < 6


def test_a_poster_decodes_one_picture_where_one_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    looked_at: list[object] = []
    monkeypatch.setattr(poster_file, "_is_flat", lambda frame: looked_at.append(frame))
    assert poster_of(film(shade=striped))
    assert len(looked_at) == 1


def test_the_search_for_a_poster_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    looked_at: list[object] = []
    monkeypatch.setattr(poster_file, "_is_flat", lambda frame: looked_at.append(frame) or True)
    assert poster_of(film(seconds=8, shade=white)), "the first one is better than none"
    assert poster_file.MOST_PICTURES < len(looked_at) < poster_file.MOST_PICTURES + 10


def test_a_picture_that_costs_too_much_is_no_poster(monkeypatch: pytest.MonkeyPatch) -> None:
    data = film(shade=striped)
    monkeypatch.setattr(poster_file, "MOST_BYTES", 10)
    assert poster_of(data) is None


def test_without_the_extra_nothing_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "av", None)
    assert examine(io.BytesIO(b"whatever")) is None


FACTS: MediaFacts = {"width": 1280, "height": 720, "duration": 5.1, "audio": False}


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        ({"resolution": "1080p"}, "asked for 1080p, got 720p"),
        ({"resolution": "4K"}, "asked for 4K, got 720p"),
        ({"duration": 10}, "asked for 10 s, got 5.1 s"),
        ({"duration": 4.5}, "asked for 4.5 s, got 5.1 s"),
        ({"aspect_ratio": "9:16"}, "asked for 9:16, got 16:9"),
        ({"size": "1920x1080"}, "asked for 1920x1080, got 1280x720"),
        ({"sound": True}, "asked for sound, got none"),
    ],
)
def test_a_difference_is_said(asked: dict[str, object], sentence: str) -> None:
    assert mismatches(VideoRequest(prompt="x", **asked), FACTS) == (sentence,)


def test_every_difference_is_said() -> None:
    request = VideoRequest(prompt="x", resolution="1080p", duration=10, aspect_ratio="1:1", sound=True)
    assert len(mismatches(request, FACTS)) == 4
    assert mismatches(VideoRequest(prompt="x", sound=False), FACTS | {"audio": True}) == (
        "asked for no sound, got some",
    )


@pytest.mark.parametrize(
    ("asked", "facts"),
    [
        ({}, {}),
        ({"duration": 5}, {}),
        ({"duration": 30}, {"duration": 32.9}),
        ({"resolution": "720P"}, {"width": 720, "height": 1280}),
        ({"resolution": "720p", "aspect_ratio": "16:9"}, {"width": 1248, "height": 704}),
        ({"resolution": "720p", "aspect_ratio": "1:1"}, {"width": 960, "height": 960}),
        ({"resolution": "720p", "aspect_ratio": "21:9"}, {"width": 1504, "height": 640}),
        ({"resolution": "480p", "aspect_ratio": "16:9"}, {"width": 832, "height": 480}),
        ({"resolution": "2k"}, {"width": 2560, "height": 1440}),
        ({"resolution": "4k"}, {"width": 3840, "height": 2160}),
        ({"size": "1280x720", "sound": False}, {}),
    ],
)
def test_rounding_is_no_difference(asked: dict[str, object], facts: MediaFacts) -> None:
    """Models draw 1248x704 for 720p, or as many pixels in another shape."""
    assert mismatches(VideoRequest(prompt="x", **asked), FACTS | facts) == ()


def test_an_unusual_shape_is_named_by_its_pixels() -> None:
    request = VideoRequest(prompt="x", aspect_ratio="16:9")
    assert mismatches(request, {"width": 500, "height": 100}) == ("asked for 16:9, got 500x100",)


def test_nothing_known_is_nothing_compared() -> None:
    request = VideoRequest(prompt="x", resolution="1080p", duration=10, aspect_ratio="1:1", sound=True)
    assert mismatches(request, {}) == ()
