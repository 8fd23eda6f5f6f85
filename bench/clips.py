"""Videos as gateways deliver them: 1080p and 720p, 5 and 8 s, 5 to 10 MB, with sound, in one group of pictures.

Made once, and kept beside the results.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from fractions import Fraction
from itertools import islice, pairwise
from pathlib import Path
from typing import Any, NamedTuple

import av

FOLDER = Path(__file__).parent / "results" / "clips"
FPS = 24
SAMPLE_RATE = 44_100


class Clip(NamedTuple):
    """One video."""

    width: int
    height: int
    seconds: int
    megabytes: float


CLIPS = (Clip(1920, 1080, 8, 8.8), Clip(1280, 720, 5, 5.5))


def clips() -> Path:
    """The folder with the clips; making them takes about half a minute."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for clip in CLIPS:
        path = FOLDER / f"{clip.height}p-{clip.seconds}s.mp4"
        if not path.exists():
            new = path.with_suffix(".new")
            _make(clip, new)
            new.replace(path)
    return FOLDER


def _make(clip: Clip, path: Path) -> None:
    """A zoom into a fractal under film grain, hard to compress as footage is, and a tone."""
    picture = f"mandelbrot=size={clip.width}x{clip.height}:rate={FPS}:maxiter=100"
    container: Any  # PyAV types streams and packets only in part
    with av.open(str(path), "w", format="mp4", options={"movflags": "+faststart"}) as container:
        video = container.add_stream("libx264", rate=FPS)
        video.width, video.height, video.pix_fmt = clip.width, clip.height, "yuv420p"
        video.bit_rate = int(clip.megabytes * 8e6 / clip.seconds) - 128_000
        video.options = {"preset": "veryfast", "g": "100000", "sc_threshold": "0"}
        sound = container.add_stream("aac", rate=SAMPLE_RATE, layout="stereo")
        grain, form = "noise=alls=3:allf=t", "aformat=sample_fmts=fltp:channel_layouts=stereo"
        for number, frame in enumerate(islice(_filtered(picture, grain, "format=yuv420p"), clip.seconds * FPS)):
            frame.pts, frame.time_base = number, Fraction(1, FPS)
            container.mux(video.encode(frame))
        container.mux(video.encode(None))
        for heard in _filtered(f"sine=frequency=441:sample_rate={SAMPLE_RATE}:duration={clip.seconds}", form):
            container.mux(sound.encode(heard))
        container.mux(sound.encode(None))


def _filtered(*filters: str) -> Iterator[Any]:
    """What a chain of filters makes."""
    graph: Any = av.filter.Graph()
    sink = "abuffersink" if filters[0].startswith("sine") else "buffersink"
    chain = [graph.add(name, options) for name, _, options in (each.partition("=") for each in (*filters, sink))]
    for before, after in pairwise(chain):
        before.link_to(after)
    graph.configure()
    with suppress(av.error.EOFError):
        while True:
            yield chain[-1].pull()
