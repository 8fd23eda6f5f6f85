"""Chosen videos lie under names that stay, beside what says which video each is a copy of; money is counted once."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from threading import Barrier, Thread
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prefect_omnivideo.core.budget.evidence import usage_of_batch
from prefect_omnivideo.core.choosing.copies import Chosen, ChosenVideo, carry_out, stem
from prefect_omnivideo.core.choosing.takes import Choice, takes_of
from prefect_omnivideo.core.errors import RecordConflictError, RequestError, StoreError
from prefect_omnivideo.core.prices.learned import learn_costs, learned
from prefect_omnivideo.core.records.model import VideoRecord
from prefect_omnivideo.core.records.repository import Records, record_name
from prefect_omnivideo.core.reports.spending import Spending, totals
from prefect_omnivideo.core.reports.start_page import collected, relist_batches
from prefect_omnivideo.core.request import VideoRequest
from prefect_omnivideo.core.sheets.expansion import expand
from prefect_omnivideo.core.sheets.readers import read_table
from prefect_omnivideo.core.sheets.source import read
from prefect_omnivideo.core.storage.base import ObjectStore, json_bytes
from prefect_omnivideo.core.storage.folder import Folder
from tests.core.records.samples import MOMENT, record, stored


def put(store: ObjectStore, *videos: VideoRecord) -> list[VideoRecord]:
    """Stored videos as a run leaves them: each with bytes and a poster of its own."""
    made: list[VideoRecord] = []
    for video in videos:
        files = [
            file.model_copy(update={"size": len(_bytes(file.name)), "sha256": file.name.rpartition("-")[2]})
            for file in stored(video, poster=True).files
        ]
        done = stored(video).model_copy(update={"files": tuple(files)})
        for file in files:
            store.write(file.name, io.BytesIO(_bytes(file.name)), content_type="video/mp4", metadata={})
            assert file.poster
            store.put(file.poster, b"poster of " + file.name.encode(), content_type="image/jpeg")
        store.put(record_name(done), json_bytes(done.model_dump(mode="json")), content_type="application/json")
        made.append(done)
    return made


def _bytes(name: str) -> bytes:
    return f"video {name}".encode() * (1 + len(name) % 7)


def choose(store: ObjectStore, *kept: VideoRecord, to: str = "chosen", **more: Any) -> tuple[Chosen, list[ChosenVideo]]:
    announced: list[ChosenVideo] = []
    choice = Choice(kept, 0, "Ada", "form", MOMENT, **more)
    return carry_out(choice, store, "daily", to, announced.append), announced


def content(store: ObjectStore, name: str) -> bytes:
    found = store.read(name)
    assert found
    return found[0]


def test_the_copy_has_a_name_that_stays_and_says_what_it_is_of(store: ObjectStore) -> None:
    first, second = put(store, record(), record(take=2))
    before = {name: content(store, name) for name in store.names()}
    done, announced = choose(store, second)
    (copy,) = done.videos
    (file,) = copy.files
    assert announced == [copy]
    assert file.name == f"chosen/daily/{stem(first.request)}.mp4" == f"chosen/daily/{stem(second.request)}.mp4"
    assert content(store, file.name) == _bytes(second.files[0].name)
    assert file.poster
    assert content(store, file.poster) == b"poster of " + second.files[0].name.encode()
    beside = ChosenVideo.model_validate_json(content(store, f"chosen/daily/{stem(first.request)}.json"))
    assert beside == copy
    assert (beside.copy_of, beside.take, beside.chosen_by, beside.is_complete) == (record_name(second), 2, "Ada", True)
    assert beside.video == second
    assert file.uri == store.uri(file.name)
    # Again, nothing happens; another choice takes its place, and every object of before is as it was.
    done, announced = choose(store, second)
    assert (done.copied, announced, done.videos) == (0, [], (copy,))
    done, announced = choose(store, first)
    assert (done.copied, len(announced), done.earlier) == (1, 1, ())
    assert content(store, file.name) == _bytes(first.files[0].name)
    assert {name: content(store, name) for name in before} == before
    assert len(set(store.names("chosen/"))) == 3


def test_what_is_no_longer_chosen_stays_and_is_told(folder: Folder) -> None:
    apple, pear = put(folder, record("apple"), record("pear"))
    choose(folder, apple, pear)
    done, _ = choose(folder, pear)
    assert done.earlier == (folder.uri(f"chosen/daily/{stem(apple.request)}.mp4"),)
    assert folder.size(f"chosen/daily/{stem(apple.request)}.mp4")


def test_no_list_of_videos_counts_a_copy(store: ObjectStore) -> None:
    """Not jobs, sweep, start page, spending, budgets or learned prices: what was paid once is counted once."""
    videos = put(store, record(), record(take=2), record("pear"))
    records = Records(store)
    learn_costs(store, videos)

    def lists() -> dict[str, Any]:
        relist_batches(store)
        spending = Spending("batch")
        for each in records.all():
            spending.add(each)
        return {
            "jobs": [record_name(each) for each in records.all()],
            "batches": list(records.batches()),
            "start page": sorted(collected(store)),
            "index": content(store, "batches.json"),
            "spending": [str(line) for line in totals(spending.lines)],
            "usage": [usage_of_batch(records.batch(batch)) for batch in ("daily", "chosen/daily")],
            "prices": learned(store),
            "of the key": records.find(videos[1].key).record.batch,
        }

    before = lists()
    choose(store, *videos[1:])
    assert lists() == before
    assert list(records.batch("chosen/daily")) == []
    assert not records.has("chosen/daily")


@given(prompt=st.text(min_size=1, max_size=60), take=st.integers(1, 10**6))
def test_a_copy_is_never_called_like_a_video_or_a_record(prompt: str, take: int) -> None:
    request = VideoRequest(prompt=prompt, take=take)
    names = {f"{stem(request)}{number}{ending}" for number in ("", "-2") for ending in (".mp4", ".json", ".jpg")}
    paid = {f"{request.slug}-{request.key}{number}{ending}" for number in ("", "-2") for ending in (".mp4", ".json")}
    assert names.isdisjoint(paid)

    class Listed:
        def names(self, prefix: str) -> Sequence[str]:
            return [f"chosen/daily/{name}" for name in names]

    assert Records(Listed()).names("chosen/daily") == set()  # type: ignore[arg-type]


def test_a_copy_into_the_batch_itself_touches_no_video(folder: Folder) -> None:
    """Whatever the folder is called, paid videos and their records are safe."""
    (video,) = put(folder, record(batch="daily"))
    before = {name: content(folder, name) for name in folder.names()}
    carry_out(Choice([video], 0, "", "f", MOMENT), folder, "daily", "daily")
    carry_out(Choice([video], 0, "", "f", MOMENT), folder, "daily", "x")
    assert {name: content(folder, name) for name in before} == before


@pytest.mark.parametrize("to", ["", "/", "..", "../x", "a//b", "a b", "Käse", "{date}", "x/"])
def test_a_folder_that_is_none_is_refused(folder: Folder, to: str) -> None:
    (video,) = put(folder, record())
    with pytest.raises(RequestError, match="to: "):
        choose(folder, video, to=to)
    assert list(folder.names("chosen")) == []


def test_a_video_that_was_changed_or_is_gone_is_told_and_the_others_are_copied(store: ObjectStore) -> None:
    apple, pear, plum = put(store, record("apple"), record("pear"), record("plum"))
    store.delete(apple.files[0].name)
    store.put(pear.files[0].name, b"cut", content_type="video/mp4")
    done, announced = choose(store, apple, pear, plum)
    assert [video.copy_of for video in done.videos] == [record_name(plum)] == [video.copy_of for video in announced]
    assert len(done.problems) == 2
    assert any("it was changed since" in problem for problem in done.problems)
    assert done.summary() == "3 videos chosen: 1 copied, 0 already there, 2 could not be copied."
    # Mended, and run again: what was not complete is copied.
    put(store, record("apple"), record("pear"))
    assert choose(store, apple, pear, plum)[0].copied == 2


def test_an_interrupted_copy_is_noticed_and_made_again(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    """The bytes are those of the new choice and the record is of the old one: for a moment, or after a kill."""
    first, second = put(folder, record(), record(take=2))
    choose(folder, first)
    whole = Folder.replace

    def dies(self: Folder, name: str, data: bytes, etag: str, **more: Any) -> str:
        if b'"is_complete": true' in data:
            raise KeyboardInterrupt
        return whole(self, name, data, etag, **more)

    monkeypatch.setattr(Folder, "replace", dies)
    with pytest.raises(KeyboardInterrupt):
        choose(folder, second)
    monkeypatch.undo()
    done, announced = choose(folder, first)
    assert (done.copied, len(announced)) == (1, 1)
    assert content(folder, done.videos[0].files[0].name) == _bytes(first.files[0].name)


def test_two_choices_at_once_leave_one_of_them_whole(folder: Folder) -> None:
    first, second = put(folder, record(), record(take=2))
    for _ in range(20):
        barrier = Barrier(2)

        def work(video: VideoRecord, barrier: Barrier = barrier) -> None:
            barrier.wait()
            choose(folder, video)

        threads = [Thread(target=work, args=(video,)) for video in (first, second)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        name = f"chosen/daily/{stem(first.request)}"
        beside = ChosenVideo.model_validate_json(content(folder, f"{name}.json"))
        video = first if beside.take == 1 else second
        assert beside.is_complete
        assert content(folder, f"{name}.mp4") == _bytes(video.files[0].name)


def test_what_somebody_else_wrote_there_is_replaced(folder: Folder) -> None:
    (video,) = put(folder, record())
    folder.put(f"chosen/daily/{stem(video.request)}.json", b"[]", content_type="application/json")
    assert choose(folder, video)[0].copied == 1


def test_a_copy_that_was_removed_is_made_again(folder: Folder) -> None:
    (video,) = put(folder, record())
    done, _ = choose(folder, video)
    folder.delete(done.videos[0].files[0].name)
    assert choose(folder, video)[0].copied == 1


def test_a_conflict_that_never_ends_is_an_error(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    (video,) = put(folder, record())

    def conflict(*_: Any, **__: Any) -> str:
        raise RecordConflictError("changed")

    monkeypatch.setattr(Folder, "create", conflict)
    done, _ = choose(folder, video)
    assert "changed" in done.problems[0]
    assert issubclass(RecordConflictError, StoreError)


PROMPTS = [
    "a red apple",
    "two  blanks",
    "line\nbreak",
    "=1+1",
    "{product} in {style}",
    "null",
    "Ä\u200f🎬",
    '"quoted", x',
]


@pytest.mark.parametrize("prompt", PROMPTS)
def test_the_sheet_of_wanted_takes_makes_these_takes(folder: Folder, prompt: str) -> None:
    videos = put(folder, record(prompt, aspect_ratio="9:16", options={"watermark": False}), record("other"))
    again = [takes.request.model_copy(update={"take": takes.next_take}) for takes in takes_of(videos)]
    done, _ = choose(folder, again=again)
    assert Path(done.sheet).is_file()
    assert done.sheet in done.how_to_make()
    found = expand(read_table(read(done.sheet, at_most=10**6)), None, [], "stop", None)
    assert [request.key for request in found.requests] == [request.key for request in again]
    assert done.summary() == "0 videos chosen: 0 copied, 0 already there. Another take is wanted of 2 prompts."
