"""`omnivideo choose` copies what a file of marks keeps."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from prefect_omnivideo.cli.commands import app
from prefect_omnivideo.core.choosing.copies import stem
from prefect_omnivideo.core.records.model import VideoRecord
from prefect_omnivideo.core.storage.folder import Folder
from tests.core.choosing.test_copies import put
from tests.core.records.samples import record


def omnivideo(*words: str) -> int:
    code = app(["choose", *words], result_action="return_value")
    assert isinstance(code, int)
    return code


def marks(folder: Path, *given: tuple[VideoRecord, str], batch: str = "Autumn-campaign") -> str:
    file = folder / "marks.json"
    listed = [{"key": video.key, "mark": mark} for video, mark in given]
    file.write_text(json.dumps({"batch": batch, "store": None, "marks": listed}))
    return str(file)


def test_what_is_marked_keep_is_copied_and_the_rest_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store = Folder(tmp_path / "videos")
    first, second, pear = put(
        store,
        record(batch="Autumn-campaign"),
        record(batch="Autumn-campaign", take=2),
        record("pear", batch="Autumn-campaign"),
    )
    file = marks(tmp_path, (second, "keep"), (first, "reject"), (pear, "again"))
    words = ("Autumn campaign", "--store", str(store.path), "--choices", file)
    assert omnivideo(*words) == 0
    said = capsys.readouterr().out
    copy = f"chosen/Autumn-campaign/{stem(first.request)}.mp4"
    assert f"a red apple (take 2): {store.uri(copy)}" in said
    assert "1 video chosen: 1 copied, 0 already there. No take is kept of 1 prompt." in said
    assert "flow Generate videos from a sheet" in said
    assert store.size(copy) == second.files[0].size
    assert omnivideo(*words) == 0
    assert "0 copied, 1 already there" in capsys.readouterr().out
    store.delete(second.files[0].name)
    store.delete(copy)
    assert omnivideo(*words) == 1
    assert "a red apple (take 2): " in capsys.readouterr().err


@pytest.mark.parametrize(
    ("batch", "choices", "says"),
    [
        ("nothing", "marks.json", "there is no batch nothing in"),
        ("Autumn-campaign", "absent.json", "choices: "),
        ("Autumn-campaign", "http://x/marks.json", "choices: http:// is not supported"),
        ("Autumn-campaign", "other.json", "the file has the marks of the batch other"),
        ("Autumn-campaign", "bad.json", "file of marks not acceptable"),
    ],
)
def test_what_cannot_be_used_is_refused_and_nothing_is_copied(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    batch: str,
    choices: str,
    says: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    store = Folder(tmp_path / "videos")
    (video,) = put(store, record(batch="Autumn-campaign"))
    marks(tmp_path, (video, "keep"), batch="other")
    (tmp_path / "marks.json").rename(tmp_path / "other.json")
    marks(tmp_path, (video, "keep"))
    (tmp_path / "bad.json").write_text("[]")
    assert omnivideo(batch, "--store", str(store.path), "--choices", choices) == 2
    assert says in capsys.readouterr().err
    assert list(store.names("chosen")) == []
