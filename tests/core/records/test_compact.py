"""Packed records are what they were, and small."""

import tracemalloc
from datetime import timedelta

import pytest
from pydantic import TypeAdapter, ValidationError

from prefect_omnivideo.core.records.compact import Packed, PackedRecords, RecordsField, in_order, pack
from prefect_omnivideo.core.records.model import Place, VideoRecord, VideoState
from prefect_omnivideo.core.records.repository import parse, record_name
from tests.core.records.samples import MOMENT, record, stored

RECORDS = (
    stored(record("one")),
    record("two").submitted("task_2"),
    record("海 \u2028", options={"note": "\ud800"}).unknown(),
)


def test_a_record_comes_out_as_it_went_in() -> None:
    """Whatever characters its prompt holds; in one line."""
    for each in RECORDS:
        packed = pack(each)
        assert packed.record == each
        assert b"\n" not in packed.text
        assert parse(record_name(each), packed.text) == each


def test_it_is_a_sequence_of_records() -> None:
    packed = PackedRecords(map(pack, RECORDS))
    assert packed == RECORDS
    assert packed != RECORDS[:2]
    assert packed != 3
    assert (len(packed), packed[0], packed[-1]) == (3, RECORDS[0], RECORDS[-1])
    assert packed[1:] == RECORDS[1:]
    assert RECORDS[1] in packed
    assert packed.having(VideoState.STORED, VideoState.UNKNOWN) == (RECORDS[0], RECORDS[2])
    assert not PackedRecords()


def test_it_is_a_field_like_a_list_of_records() -> None:
    adapter = TypeAdapter(RecordsField)
    packed = adapter.validate_python(list(RECORDS[:2]))
    assert packed == RECORDS[:2]
    assert adapter.validate_python(packed) is packed
    assert adapter.validate_json(adapter.dump_json(packed)) == packed
    with pytest.raises(ValidationError, match="prompt"):
        adapter.validate_python([{**RECORDS[0].model_dump(mode="json"), "request": {"prompt": 1}}])


def test_records_of_other_lists_come_before_and_after_the_list_of_this_run() -> None:
    """And those asked for by themselves when they were made; the list keeps its order, whatever it was before."""

    def placed(prompt: str, day: int, position: int | None) -> tuple[str, Packed]:
        moment = MOMENT + timedelta(days=day)
        place = Place(asked_at=moment, position=position) if position else None
        return prompt, pack(record(prompt).model_copy(update={"place": place, "created_at": moment}))

    others = dict(placed(*each) for each in [("c", 1, 10), ("z", 9, 1), ("b", 1, 2), ("single", 2, None), ("a", 1, 1)])
    listed = dict(placed(*each) for each in [("new", 5, 1), ("seen before", 1, 5)])
    assert list(in_order({}, others)) == ["a", "b", "c", "single", "z"]
    assert list(in_order(listed, others)) == ["a", "b", "c", "single", "new", "seen before", "z"]
    assert list(in_order(dict(reversed(listed.items())), others)) == [
        "a", "b", "seen before", "c", "single", "new", "z",
    ]  # fmt: skip


def test_it_takes_a_fraction_of_the_memory() -> None:
    text = [pack(stored(record(f"prompt {number}"))).text for number in range(200)]

    def bytes_of(made: type[VideoRecord] | type[Packed]) -> int:
        tracemalloc.start()
        kept = [Packed(VideoState.STORED, line, RECORDS[0].order).record for line in text]
        held = [pack(each) for each in kept] if made is Packed else kept
        del kept
        taken = tracemalloc.get_traced_memory()[0]
        tracemalloc.stop()
        assert len(held) == len(text)
        return taken

    assert bytes_of(Packed) * 3 < bytes_of(VideoRecord)
