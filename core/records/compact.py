"""Many records in little memory: each as its JSON text, parsed when it is accessed.

A record as an object takes five times as much, and a run of 10,000 prompts keeps them all until its report.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from heapq import merge
from typing import Annotated, Any, NamedTuple, cast, overload

from pydantic import BeforeValidator, InstanceOf, PlainSerializer, TypeAdapter
from typing_extensions import override

from prefect_omnivideo.core.money.amount import Amount
from prefect_omnivideo.core.records.model import Order, VideoRecord, VideoState
from prefect_omnivideo.core.storage.base import json_bytes


class Packed(NamedTuple):
    """One record. What records are counted, filtered and sorted by is kept beside it, so that none is parsed for it."""

    state: VideoState
    text: bytes
    """JSON in one line."""
    order: Order
    cost: tuple[Amount, ...] = ()
    attempts: int = 1
    without_cost: int = 0

    @property
    def record(self) -> VideoRecord:
        """The record, parsed each time."""
        return VideoRecord.model_validate(json.loads(self.text))


def pack(record: VideoRecord) -> Packed:
    """The record as its text."""
    text = json_bytes(record.model_dump(mode="json"), indent=None).rstrip()
    return Packed(record.state, text, record.order, record.cost, len(record.attempts), record.without_cost)


def in_order(listed: Mapping[str, Packed], others: Mapping[str, Packed]) -> dict[str, Packed]:
    """All records of a batch by name: those of a list in the order given, the others merged in by their own order."""

    def order(item: tuple[str, Packed]) -> Order:
        return item[1].order

    return dict(merge(listed.items(), sorted(others.items(), key=order), key=order))


class PackedRecords(Sequence[VideoRecord]):
    """A sequence of records, equal to any other sequence of the same records."""

    def __init__(self, packed: Iterable[Packed] = ()) -> None:
        self.packed = tuple(packed)

    @override
    def __len__(self) -> int:
        return len(self.packed)

    @overload
    def __getitem__(self, index: int) -> VideoRecord: ...
    @overload
    def __getitem__(self, index: slice) -> PackedRecords: ...
    @override
    def __getitem__(self, index: int | slice) -> VideoRecord | PackedRecords:
        return PackedRecords(self.packed[index]) if isinstance(index, slice) else self.packed[index].record

    @override
    def __iter__(self) -> Iterator[VideoRecord]:
        return (each.record for each in self.packed)

    @override
    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and tuple(self) == tuple(cast("Sequence[object]", other))

    @override
    def __repr__(self) -> str:
        return f"PackedRecords({len(self)} records)"

    def having(self, *states: VideoState) -> PackedRecords:
        """Those in one of the states."""
        return PackedRecords(each for each in self.packed if each.state in states)


def _packed(given: Any) -> PackedRecords:
    return given if isinstance(given, PackedRecords) else PackedRecords(map(pack, _RECORDS.validate_python(given)))


_RECORDS = TypeAdapter(tuple[VideoRecord, ...])

RecordsField = Annotated[
    InstanceOf[PackedRecords],
    BeforeValidator(_packed),
    PlainSerializer(tuple, return_type=tuple[VideoRecord, ...]),
]
"""As a field: any sequence of records is taken, and a tuple is returned."""
