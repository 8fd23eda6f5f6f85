"""What earlier videos did cost is a source of prices, cheap to read, and never in the way."""

import pytest

from prefect_omnivideo.core.gateways.registry import get_gateway
from prefect_omnivideo.core.money.amount import Amount
from prefect_omnivideo.core.prices.kind import kind_of
from prefect_omnivideo.core.prices.learned import MOST_KINDS, NAME, learn_costs, learned
from prefect_omnivideo.core.records.model import VideoRecord
from prefect_omnivideo.core.storage.folder import Folder
from tests.core.records.samples import record, stored

PLACE = ("apimart", "https://api.apimart.ai")
KIND = kind_of(record().request, get_gateway("apimart"))


def made(cost: str | None, prompt: str = "a red apple", day: str | None = None) -> VideoRecord:
    video = stored(record(prompt))
    changes: dict[str, object] = {"cost": cost and Amount.parse(cost)}
    if day:
        changes["started_at"] = video.attempt.started_at.fromisoformat(f"{day}T12:00:00+00:00")
    return video.model_copy(update={"attempts": (video.attempt.model_copy(update=changes),)})


def known(store: Folder) -> list[str]:
    return [f"{quote.amount} {quote.as_of}" for quote in learned(store).get(PLACE, {}).values()]


def test_the_last_cost_of_a_kind_counts(folder: Folder) -> None:
    assert learned(folder) == {}
    learn_costs(folder, [made("0.50 USD", day="2026-08-02"), made("0.40 USD", day="2026-08-01")])
    assert known(folder) == ["0.50 USD 2026-08-02"]
    learn_costs(folder, [made("0.30 USD", day="2026-08-01")])
    assert known(folder) == ["0.50 USD 2026-08-02"], "that was earlier"
    learn_costs(folder, [made("0.30 USD", day="2026-08-03"), made("0.35 USD", day="2026-08-03")])
    assert known(folder) == ["0.35 USD 2026-08-03"], "the highest of that day"
    assert learned(folder)[PLACE][KIND].amount == Amount.parse("0.35 USD")


def test_only_stored_videos_whose_cost_is_known_teach(folder: Folder) -> None:
    failed = record("lost").submitted("a").failed("gateway error", "no", cost=Amount.parse("9 USD"))
    learn_costs(folder, [made(None), failed])
    assert folder.read(NAME) is None


def test_it_stays_small(folder: Folder) -> None:
    video = made("1 USD")
    attempts = (
        (video.attempt.model_copy(update={"base_url": f"https://{number}.example"}),)
        for number in range(MOST_KINDS + 20)
    )
    learn_costs(folder, [video.model_copy(update={"attempts": each}) for each in attempts])
    assert len(learned(folder)) == MOST_KINDS


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"lines": [{"cost": "a lot"}]}'])
def test_a_broken_memory_is_made_again(content: bytes, folder: Folder) -> None:
    folder.put(NAME, content, content_type="application/json")
    assert learned(folder) == {}
    learn_costs(folder, [made("1 USD")])
    assert len(known(folder)) == 1


def test_a_later_run_of_the_same_day_knows_better(folder: Folder) -> None:
    learn_costs(folder, [made("0.50 USD", day="2026-08-02")])
    learn_costs(folder, [made("0.40 USD", day="2026-08-02")])
    assert known(folder) == ["0.40 USD 2026-08-02"]


def test_the_oldest_are_forgotten(folder: Folder) -> None:
    old, new = made("1 USD", day="2026-01-01"), made("2 USD", day="2026-08-01")
    places = [f"https://{number}.example" for number in range(MOST_KINDS)]

    def at(video: VideoRecord, place: str) -> VideoRecord:
        return video.model_copy(update={"attempts": (video.attempt.model_copy(update={"base_url": place}),)})

    learn_costs(folder, [at(old, "https://old.example"), *(at(new, place) for place in places)])
    assert ("apimart", "https://old.example") not in learned(folder)
    assert {place for _, place in learned(folder)} == set(places)
