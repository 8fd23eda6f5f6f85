"""A gallery on disk as a run leaves it: the page, small videos that play, posters and records."""

from __future__ import annotations

import io
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

from prefect_omnivideo.core.media.probe import examine
from prefect_omnivideo.core.money.amount import Amount
from prefect_omnivideo.core.records.model import StoredFile, VideoRecord, new_record
from prefect_omnivideo.core.records.repository import record_name
from prefect_omnivideo.core.records.sequence import Sequence as Joined
from prefect_omnivideo.core.reports.gallery import gallery
from prefect_omnivideo.core.reports.report import BatchReport
from prefect_omnivideo.core.request import VideoRequest
from prefect_omnivideo.sandbox.media import hue_of, render
from tests.core.records.samples import MOMENT, attempt

SUBJECTS = ("A paper boat crosses a puddle", "Rain on neon streets, slow tracking shot", "A lighthouse in a storm")
SHAPES = {"16:9": (320, 180), "9:16": (180, 320), "1:1": (240, 240)}


def made(
    prompt: str,
    *,
    batch: str = "autumn",
    take: int = 1,
    shape: str = "16:9",
    seconds: float = 1,
    minute: int = 0,
    name: str | None = None,
    has_poster: bool = True,
    model: str | None = None,
    gateway: str = "apimart",
) -> VideoRecord:
    """The record of a stored video.

    Args:
        minute: after which it was started.
        name: of its file, without the ending.
    """
    request = VideoRequest(prompt=prompt, take=take, aspect_ratio=shape, model=model)
    record = new_record(request, batch, attempt(gateway=gateway, started_at=MOMENT + timedelta(minutes=minute)))
    width, height = SHAPES[shape]
    stem = f"{batch}/{name}" if name else record.stem
    file = StoredFile(
        name=f"{stem}.mp4",
        uri=f"s3://videos/{stem}.mp4",
        size=3_400_000 + 100_000 * minute,
        sha256="0" * 64,
        content_type="video/mp4",
        source_host="cdn.example",
        transfer_seconds=1.0,
        media={"duration": seconds, "width": width, "height": height},
        poster=f"{stem}.jpg" if has_poster else None,
    )
    return record.submitted("task_1").finished(Amount.parse("0.25 USD")).stored((file,))


def album(count: int, batch: str = "autumn") -> list[VideoRecord]:
    """A mixed batch: of every ten prompts one has three takes, one is tall, one is square; some videos are missing."""
    records: list[VideoRecord] = []
    for number in range(count):
        prompt = f"{SUBJECTS[number % 3]}, scene {number // 10 + 1}.{number % 10}"
        match number % 10:
            case 1 | 2 | 3:
                prompt = f"{SUBJECTS[1]}, scene {number // 10 + 1}"
                records.append(made(prompt, batch=batch, take=number % 10, minute=number))
            case 5:
                records.append(made(prompt, batch=batch, shape="9:16", minute=number, seconds=2))
            case 7:
                records.append(made(prompt, batch=batch, shape="1:1", minute=number, model="omni-fast"))
            case _:
                records.append(made(prompt, batch=batch, minute=number))
    return records


def put(
    folder: Path,
    records: Sequence[VideoRecord],
    batch: str = "autumn",
    *,
    store: str | None = None,
    sequences: Sequence[Joined] = (),
) -> Path:
    """Write the page and everything it links, but what shots were joined into; the address of the page on disk."""
    report = BatchReport.model_validate(
        {"batch": batch, "records": records, "store": store or folder.as_uri(), "sequences": sequences}
    )
    page = folder / batch / "index.html"
    page.parent.mkdir(parents=True, exist_ok=True)
    page.write_text(gallery(report), encoding="utf-8")
    for record in records:
        (folder / record_name(record)).write_text(record.model_dump_json())
        for file in record.files:
            clip = _clip(record, file)
            (folder / file.name).write_bytes(clip)
            if file.poster:
                (folder / file.poster).write_bytes(_poster(clip))
    return page


def _clip(record: VideoRecord, file: StoredFile) -> bytes:
    width, height, seconds = (file.media[name] for name in ("width", "height", "duration"))
    assert isinstance(width, int)
    assert isinstance(height, int)
    assert isinstance(seconds, int | float)
    return render(width, height, float(seconds), hue_of(record.request.prompt), sound=False)


def _poster(clip: bytes) -> bytes:
    if clip not in _posters:
        examined = examine(io.BytesIO(clip))
        assert examined
        assert examined.poster
        _posters[clip] = examined.poster
    return _posters[clip]


_posters: dict[bytes, bytes] = {}
