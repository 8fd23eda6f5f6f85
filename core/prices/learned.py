"""What the last videos did cost, kept in one small object of the store.

Runs that end at the same time may overwrite each other: then a price is learned by the next run. Prices are never read
from the records themselves, of which there may be thousands.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date

from pydantic import BaseModel, ConfigDict, ValidationError

from prefect_omnivideo.core.errors import RequestError
from prefect_omnivideo.core.gateways.registry import get_gateway
from prefect_omnivideo.core.money.amount import AmountText
from prefect_omnivideo.core.money.prices import Kind, Quote, Seconds
from prefect_omnivideo.core.prices.kind import kind_of
from prefect_omnivideo.core.records.model import VideoRecord, VideoState
from prefect_omnivideo.core.storage.base import ObjectStore

NAME = "omnivideo-prices.json"
MOST_KINDS = 500

Place = tuple[str, str]
"""The slug of a gateway and its base URL."""


class _Line(BaseModel):
    """What the last video of a kind did cost."""

    model_config = ConfigDict(frozen=True)

    gateway: str
    base_url: str
    model: str
    seconds: Seconds | None = None
    resolution: str | None = None
    sound: bool | None = None
    cost: AmountText
    as_of: date

    @property
    def kind(self) -> Kind:
        return Kind(self.model, self.seconds, self.resolution, self.sound)


class _Memory(BaseModel):
    lines: tuple[_Line, ...] = ()


def learned(store: ObjectStore) -> Mapping[Place, Mapping[Kind, Quote]]:
    """What videos did cost, by gateway and kind.

    Raises:
        StoreError: the store cannot be read.
    """
    found: dict[Place, dict[Kind, Quote]] = {}
    for line in _read(store):
        found.setdefault((line.gateway, line.base_url), {})[line.kind] = Quote(line.cost, line.as_of)
    return found


def learn_costs(store: ObjectStore, records: Iterable[VideoRecord]) -> None:
    """Keep what stored videos did cost, the latest of each kind.

    Raises:
        StoreError: the store refuses.
    """
    new: dict[tuple[str, str, Kind], _Line] = {}
    for record in records:
        line = _line(record)
        if line is None:
            continue
        key = (line.gateway, line.base_url, line.kind)
        # Among those of one day the highest: videos of one kind may differ, and a budget must not be too small.
        if key not in new or (line.as_of, line.cost.value) > (new[key].as_of, new[key].cost.value):
            new[key] = line
    if not new:
        return
    known = {(line.gateway, line.base_url, line.kind): line for line in _read(store)}
    merged = known | {key: line for key, line in new.items() if key not in known or known[key].as_of <= line.as_of}
    if merged == known:
        return
    newest = sorted(merged.values(), key=lambda line: line.as_of, reverse=True)[:MOST_KINDS]
    store.put(NAME, _Memory(lines=tuple(newest)).model_dump_json().encode(), content_type="application/json")


def _line(record: VideoRecord) -> _Line | None:
    attempt = record.attempt
    if record.state is not VideoState.STORED or attempt.cost is None:
        return None
    try:
        kind = kind_of(record.request, get_gateway(attempt.gateway))
    except RequestError:  # a gateway that is not installed here
        return None
    return _Line(
        gateway=attempt.gateway,
        base_url=attempt.base_url,
        **kind._asdict(),
        cost=attempt.cost,
        as_of=attempt.started_at.date(),
    )


def _read(store: ObjectStore) -> tuple[_Line, ...]:
    found = store.read(NAME)
    try:
        return _Memory.model_validate_json(found[0]).lines if found else ()
    except ValidationError:  # it is only a memory: it is made again
        return ()
