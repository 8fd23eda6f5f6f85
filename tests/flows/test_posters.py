"""When the pictures of videos are made: with the video, by the sweep, or never."""

from pathlib import Path
from unittest.mock import Mock

import pytest

from prefect_omnivideo import LocalVideoStore
from prefect_omnivideo.core.media import probe
from prefect_omnivideo.core.records.repository import Records
from prefect_omnivideo.flows import collect_videos, generate_videos
from prefect_omnivideo.flows.run import verdict
from prefect_omnivideo.sandbox import Sandbox
from tests.accounts import credentials

pytestmark = pytest.mark.usefixtures("prefect_server")


def pictures(folder: Path) -> list[str]:
    return sorted(path.stem for path in folder.rglob("*.jpg"))


@pytest.mark.parametrize("batch", ["", "b"], ids=["all batches", "one batch"])
async def test_the_sweep_makes_posters_once_and_draws_the_gallery_anew(
    sandbox: Sandbox, tmp_path: Path, batch: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, account = LocalVideoStore(folder=tmp_path, posters="later"), credentials(sandbox, "jimmyai")
    report = await generate_videos(["one", "two"], account, store, batch="b")
    assert pictures(tmp_path) == []
    assert all(file.poster is None and file.media["codec"] for record in report.stored for file in record.files)
    announce = Mock()
    monkeypatch.setattr(verdict, "announce_batch", announce)
    written = (tmp_path / "b" / "report.json").read_bytes()
    await collect_videos(batch, account, store)
    records = list(Records(store.open()).batch("b"))
    assert [record.files[0].poster for record in records] == [f"{record.stem}.jpg" for record in records]
    page = (tmp_path / "b" / "index.html").read_text()
    assert all(f"{name}.jpg" in page for name in pictures(tmp_path))
    assert len(pictures(tmp_path)) == 2
    if not batch:
        assert not announce.called, "the batch was finished before"
        assert (tmp_path / "b" / "report.json").read_bytes() == written

    monkeypatch.setattr(probe, "examine", Mock(side_effect=AssertionError("again")))
    await collect_videos(batch, account, store)
    assert [record.files[0].poster for record in Records(store.open()).batch("b")] == [
        f"{record.stem}.jpg" for record in records
    ]


async def test_a_video_without_a_picture_is_tried_once_and_an_error_stops_nothing(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, account = LocalVideoStore(folder=tmp_path, posters="later"), credentials(sandbox, "jimmyai")
    await generate_videos(["one"], account, store, batch="b")
    monkeypatch.setattr(probe, "poster", Mock(side_effect=RuntimeError("no decoder")))
    await collect_videos("", account, store)
    assert [record.files[0].poster for record in Records(store.open()).batch("b")] == [None]
    monkeypatch.setattr(probe, "poster", Mock(return_value=None))
    await collect_videos("", account, store)
    assert [record.files[0].poster for record in Records(store.open()).batch("b")] == [""]
    assert pictures(tmp_path) == []


async def test_posters_are_never_made_where_nobody_wants_them(sandbox: Sandbox, tmp_path: Path) -> None:
    store, account = LocalVideoStore(folder=tmp_path, posters="never"), credentials(sandbox, "jimmyai")
    report = await generate_videos(["one"], account, store, batch="b")
    await collect_videos("", account, store)
    assert report.stored[0].files[0].media["codec"]
    assert pictures(tmp_path) == []
