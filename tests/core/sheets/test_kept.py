"""Long lists of prompts in the store."""

from pathlib import Path

import pytest

from prefect_omnivideo.core.errors import RequestError, StoreError
from prefect_omnivideo.core.records.repository import Records
from prefect_omnivideo.core.request import VideoRequest
from prefect_omnivideo.core.sheets.kept import keep, load
from prefect_omnivideo.core.sheets.readers import read_table
from prefect_omnivideo.core.sheets.source import SheetFile
from prefect_omnivideo.core.storage.folder import Folder

REQUESTS = [
    VideoRequest(prompt="ein Apfel \u2028 \x85"),
    VideoRequest(prompt="b", take=2, options={"n": None, "odd": "\ud800"}, sound=False),
    VideoRequest(prompt="c", duration=8, images=("https://pictures.example/1.png",)),
    VideoRequest(options={"prompt": "native"}),
]


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


def test_a_list_is_what_it_was(folder: Folder) -> None:
    kept = keep(["a", *REQUESTS, {"prompt": "as a mapping", "take": 3}], folder)
    assert (len(kept), kept.begins[0]) == (6, "a")
    wanted = [VideoRequest(prompt="a"), *REQUESTS, VideoRequest(prompt="as a mapping", take=3)]
    assert [each.key for each in load(kept, folder)] == [each.key for each in wanted]
    assert load(kept, folder) == wanted
    assert keep(wanted, folder) == kept
    assert list(Records(folder).all()) == []


def test_it_is_a_sheet(folder: Folder) -> None:
    found = folder.read(keep(REQUESTS, folder).kept)
    assert found is not None
    rows = list(read_table(SheetFile("kept.jsonl", found[0])).rows)
    assert [row.faults for row in rows] == [[]] * len(REQUESTS)


def test_a_list_that_was_changed_or_removed_is_not_used(folder: Folder) -> None:
    kept = keep(REQUESTS, folder)
    folder.put(kept.kept, b'{"prompt": "another"}\n', content_type="application/jsonl")
    with pytest.raises(StoreError, match="is not the list"):
        load(kept, folder)
    with pytest.raises(StoreError, match="is gone"):
        load(kept.model_copy(update={"kept": "prompts/none.jsonl"}), folder)


def test_a_store_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(
        RequestError, match=r"prompts: a list of 4 prompts is too long for a parameter.*nothing was sub"
    ):
        keep(REQUESTS, Folder(tmp_path / "file"))
