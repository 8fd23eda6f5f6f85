"""Records: claimed once, changed only by whoever saw the latest version, and never mistaken."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from threading import Barrier
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prefect_omnivideo.core.errors import RecordConflictError, StoreError
from prefect_omnivideo.core.money.amount import Amount
from prefect_omnivideo.core.records.model import VideoRecord, VideoState, new_record
from prefect_omnivideo.core.records.repository import READERS, RECORD_VERSION, Records, parse, record_name
from prefect_omnivideo.core.request import VideoRequest
from prefect_omnivideo.core.storage.base import ETag, ObjectStore, json_bytes
from prefect_omnivideo.core.storage.folder import Folder
from tests.core.records.samples import attempt, record


def test_claims_once(store: ObjectStore) -> None:
    """The second claim gets what the first wrote."""
    records = Records(store)
    first, ours = records.claim(record(claim="a" * 32))
    second, theirs = records.claim(record(claim="b" * 32))
    assert (ours, theirs) == (True, False)
    assert second == first
    assert second.record.attempt.claim_id == "a" * 32


def test_one_of_many_claims(shared: ObjectStore) -> None:
    """Workers that claim the same video at the same moment agree on one."""
    start = Barrier(6)

    def claim(number: int) -> tuple[str, bool]:
        start.wait()
        found, ours = Records(shared).claim(record(claim=f"{number:032}"))
        return found.record.attempt.claim_id, ours

    with ThreadPoolExecutor(6) as pool:
        outcomes = list(pool.map(claim, range(6)))
    winners = [claim for claim, ours in outcomes if ours]
    assert len(winners) == 1
    assert {claim for claim, _ in outcomes} == set(winners)


def test_claim_of_a_record_that_vanishes(folder: Folder) -> None:
    """A record removed between the refusal and the look at it can be claimed."""

    class Vanishing(Folder):
        def create(self, name: str, data: bytes, *, content_type: str = "") -> ETag:
            try:
                return super().create(name, data)
            except RecordConflictError:
                self.delete(name)
                raise

    Records(folder).claim(record())
    assert Records(Vanishing(folder.path)).claim(record())[1]


def test_saves_only_the_latest(store: ObjectStore) -> None:
    records = Records(store)
    first, _ = records.claim(record())
    second = records.save(first.record.submitted("task_1"), first.etag)
    with pytest.raises(RecordConflictError):
        records.save(first.record.unknown(), first.etag)
    assert records.load("daily", first.record.request) == second


def test_update_meets_another(records: Records) -> None:
    """On a conflict the step is applied to what the other wrote, nothing of which is lost."""
    ours, _ = records.claim(record())
    records.save(ours.record.submitted("task_1"), ours.etag)
    updated = records.update(ours, lambda current: current.finished(Amount.parse("0.5 USD")))
    assert (updated.record.state, updated.record.attempt.task_id, updated.record.cost) == (
        "finished",
        "task_1",
        (Amount.parse("0.5 USD"),),
    )


def test_update_with_nothing_to_do(records: Records) -> None:
    current, _ = records.claim(record())
    assert records.update(current, lambda _: None) is current


def test_update_of_a_removed_record(records: Records) -> None:
    """The task id is in the error: nothing else holds it any more."""
    current, _ = records.claim(record())
    current = records.save(current.record.submitted("task_77"), current.etag)
    records.store.delete(record_name(current.record))
    with pytest.raises(StoreError, match="task_77"):
        records.update(current, lambda current: current.finished(None))


def test_finds_by_the_beginning_of_a_key(records: Records) -> None:
    video = record()
    records.claim(video)
    records.claim(record("another"))
    assert records.find(video.key[:6]).record == video
    assert records.find(video.key, "daily").record == video


def test_find_says_what_it_lacks(records: Records) -> None:
    """No key, no video, or more than one."""
    for batch in ("daily", "weekly"):
        records.claim(record(batch=batch))
    key = record().key
    with pytest.raises(StoreError, match=r"fits 2 videos: daily/.*weekly/"):
        records.find(key)
    assert records.find(key, "weekly").record.batch == "weekly"
    with pytest.raises(StoreError, match="no video in batch 'monthly'"):
        records.find(key, "monthly")
    for bad in ("", "xyz", key + "0", "*"):
        with pytest.raises(StoreError, match="is not a key"):
            records.find(bad)


def test_batches(store: ObjectStore) -> None:
    """A batch within a batch is another batch; other files are no records."""
    records = Records(store)
    for batch, prompt in (("a", "one"), ("a", "two"), ("a/b", "three"), ("c", "four")):
        records.claim(record(prompt, batch=batch))
    for other in ("a/report.json", "report.json", "d/settings.json", "a/x-0123.json", f"x-{'0' * 16}.json"):
        store.put(other, b"{}", content_type="application/json")
    assert [video.request.prompt for video in records.batch("a")] == ["one", "two"]
    assert sorted(records.batches()) == ["a", "a/b", "c"]
    assert sorted(video.request.prompt for video in records.all()) == ["four", "one", "three", "two"]


def test_reads_in_order_and_ahead(folder: Folder) -> None:
    """Many are read at the same time, but not more than asked for and a little."""

    class Counting(Folder):
        reads = 0

        def read(self, name: str) -> tuple[bytes, ETag] | None:
            self.reads += 1
            return super().read(name)

    folder.prove()
    store = Counting(folder.path)
    records = Records(store)
    for take in range(1, 61):
        records.claim(record(take=take))
    found = list(islice(records.batch("daily"), 5))
    assert store.reads <= 5 + READERS
    assert [record_name(video) for video in found] == list(islice(store.names(), 5))
    assert [record_name(video) for video in records.all()] == list(store.names())


def test_one_removed_while_reading(folder: Folder) -> None:
    records = Records(folder)
    videos = [records.claim(record(take=take))[0].record for take in range(1, 60)]
    reading = records.batch("daily")
    first = next(reading)
    last = list(folder.names())[-1]
    folder.delete(last)
    assert len([first, *reading]) == len(videos) - 1


def changed(change: Callable[[dict[str, Any]], None]) -> bytes:
    value = json.loads(json_bytes(record().model_dump(mode="json")))
    change(value)
    return json_bytes(value)


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "not JSON"),
        (b"\xff\xfe", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b"[]", "should be the record of a video"),
        (b"{}", "should be the record of a video"),
        (json_bytes(record().model_dump(mode="json"))[:-20], "not JSON"),
        (changed(lambda value: value.update(version=RECORD_VERSION + 1)), "Upgrade prefect-omnivideo"),
        (changed(lambda value: value.update(version="x")), "should be the record of a video"),
        (changed(lambda value: value.update(state="lost")), "state"),
        (changed(lambda value: value.update(surprise=1)), "surprise"),
        (changed(lambda value: value.update(attempts=[])), "attempts"),
        (changed(lambda value: value.update(batch="weekly")), "another video"),
        (changed(lambda value: value.update(key="0" * 16)), "another video"),
        (changed(lambda value: value["request"].update(prompt="a green apple")), "another video"),
    ],
)
def test_unreadable(records: Records, data: bytes, says: str) -> None:
    """What is no record, or not this one, is said with its name, and is never taken for an open claim."""
    name = record_name(record())
    records.store.put(name, data, content_type="application/json")
    for call in (lambda: records.get(name), lambda: records.claim(record()), lambda: list(records.all())):
        with pytest.raises(StoreError, match=says) as raised:
            call()
        assert record().key in str(raised.value)


def test_does_not_pay_for_what_cannot_be_read_back(records: Records) -> None:
    """A record that does not survive its own JSON is refused before anything is written."""
    video = record().model_copy(update={"key": "0" * 16})
    with pytest.raises(StoreError, match="another video"):
        records.claim(video)
    assert list(records.store.names()) == []


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(st.text(), st.none() | st.text(), st.dictionaries(st.text(), json_values, max_size=3), st.text())
def test_comes_back_as_it_was(prompt: str, negative: str | None, options: dict[str, Any], message: str) -> None:
    """Whatever text a record holds, its JSON gives the same record with the same key and name."""
    request = VideoRequest(prompt=prompt, negative_prompt=negative, options=options, duration=8)
    video = new_record(request, "daily", attempt()).submitted("task_1").failed("refused", message)
    again = parse(record_name(video), json_bytes(video.model_dump(mode="json")))
    assert again == video
    assert again.request.key == video.key


def test_lone_surrogates_come_back() -> None:
    """JSON from a gateway or a person may hold them."""
    video = record(options={"tail": ["\udc00", "x\ud800"]})
    assert parse(record_name(video), json_bytes(video.model_dump(mode="json"))) == video


def test_every_state_comes_back(records: Records) -> None:
    """The whole life of a video, through the store."""
    current, _ = records.claim(record())
    steps: list[Callable[[VideoRecord], VideoRecord]] = [
        lambda video: video.failed("no balance", "empty", accepted=False),
        lambda video: video.again(attempt(claim_id="1" * 32)),
        lambda video: video.submitted("task_1"),
        lambda video: video.finished(Amount.parse("1.5 USD")),
        lambda video: video.unknown(),
    ]
    for step in steps:
        current = records.update(current, step)
        assert records.load("daily", current.record.request) == current
    assert current.record.state is VideoState.UNKNOWN
    assert len(current.record.attempts) == 2
