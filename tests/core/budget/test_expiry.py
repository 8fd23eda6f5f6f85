"""Leases and ledgers as tables: when a lease is over for others, what is then counted, and no change is ever lost."""

from datetime import timedelta
from typing import Any

import pytest

from prefect_omnivideo.core.budget.holding import Write
from prefect_omnivideo.core.budget.ledger import Entry, Ledger, Page
from prefect_omnivideo.core.budget.reconcile import Watch, count_used
from prefect_omnivideo.core.budget.usage import ZERO, Limit, Usage
from prefect_omnivideo.core.errors import StoreError, StoreUnavailableError
from prefect_omnivideo.core.money.amount import Amount
from prefect_omnivideo.core.records.model import CLOCKS_APART, VideoRecord, now
from prefect_omnivideo.core.records.repository import Records
from prefect_omnivideo.core.request import VideoRequest
from tests.core.budget.memory import MemoryStore
from tests.core.records.samples import attempt, record

PRICE = Amount.parse("0.30 USD")
ONE = Usage.of(PRICE)
SECOND = timedelta(seconds=1)


def entry(beat: str = "1", *, ended: bool = False, ago: timedelta = timedelta(0), held: Usage = ONE * 5) -> Entry:
    """One whose time was over so long ago, by the clock of its writer."""
    return Entry(batch="b", held=held, sure=ZERO, seconds=60, ends_at=now() - ago, beat=beat, ended=ended)


def seen(first: Page, then: Page, seconds: float) -> set[str]:
    """What has expired for somebody who looks at a page, and after so many seconds at another."""
    moments = iter([0.0, seconds])
    watch = Watch(lambda: next(moments))
    watch.expired(first, "own")
    return set(watch.expired(then, "own"))


@pytest.mark.parametrize(
    ("then", "seconds", "is_over"),
    [
        ({}, 59.0, False),
        ({}, 65.0, False),  # clocks do not run equally fast
        ({}, 66.1, True),
        ({"beat": "2"}, 1000.0, False),  # it was written meanwhile
        ({"ended": True}, 1000.0, False),  # it is counted already
        ({"ago": CLOCKS_APART - timedelta(minutes=1)}, 1.0, False),
        ({"ago": CLOCKS_APART + SECOND}, 1.0, True),
    ],
)
def test_a_lease_is_over_when_it_was_seen_unchanged_for_longer_than_it_lasts(
    then: dict[str, Any], seconds: float, is_over: bool
) -> None:
    first = Page(entries={"theirs": entry(), "own": entry()})
    later = Page(entries={"theirs": entry(**then), "own": entry(**then)})
    assert seen(first, later, seconds) == ({"theirs"} if is_over else set())


def under(lease: str, video: VideoRecord) -> VideoRecord:
    reserved = {"id": "r", "leases": [lease], "amount": PRICE}
    return video.model_copy(update={"attempts": (attempt(**video.attempt.model_dump() | {"reserved": reserved}),)})


def test_what_is_certain_is_settled_and_the_rest_stays() -> None:
    store = MemoryStore()
    ledger, records = Ledger(store, "b/budget.json"), Records(store)
    dead = {name: entry() for name in ("done", "running", "unused", "alive", "gone")}
    ledger.change(lambda page: page.model_copy(update={"entries": {**dead, "alive": entry("2")}}))
    ledger.change(lambda page: Page(entries={n: e for n, e in page.entries.items() if n != "gone"}))
    charged = under("done", record("a").submitted("t").failed("gateway error", "no", cost=PRICE))
    for video in (charged, under("running", record("b").submitted("u"))):
        records.claim(video.model_copy(update={"batch": "b"}))
    page = count_used(ledger, records, dead)
    assert page.settled == ONE
    assert set(page.entries) == {"running", "alive"}
    running = page.entries["running"]
    assert (running.held, running.sure, running.ended) == (ONE, ONE, True), "one of the five that it had leased"
    assert page.entries["alive"] == entry("2").model_copy(update={"ends_at": page.entries["alive"].ends_at})
    writes = store.writes
    assert count_used(ledger, records, {"running": running}) == page
    assert store.writes == writes, "nothing new"


def test_where_a_record_cannot_be_read_all_that_was_leased_stays() -> None:
    store = MemoryStore()
    ledger, records = Ledger(store, "b/budget.json"), Records(store)
    ledger.change(lambda page: page.having("dead", entry()))
    request = VideoRequest(prompt="x")
    store.create(f"b/{request.slug}-{request.key}.json", b"{")
    page = count_used(ledger, records, {"dead": entry()})
    assert (page.settled, page.entries["dead"].held, page.entries["dead"].ended) == (ZERO, ONE * 5, True)


def test_a_change_is_made_again_on_what_another_process_wrote_meanwhile() -> None:
    store = MemoryStore()
    ledger = Ledger(store, "b/budget.json")
    ledger.open()
    calls = 0

    def step(page: Page) -> Page:
        nonlocal calls
        calls += 1
        if calls == 1:
            Ledger(store, "b/budget.json").change(lambda page: page.having("other", entry()))
        return page.having("mine", entry())

    assert set(ledger.change(step).entries) == {"mine", "other"}
    assert calls == 2


def test_a_lease_begins_before_anybody_can_see_it() -> None:
    """Else this process would send under it when others, who saw it earlier, hold it for expired."""
    ticks = iter([100.0, 130.0, 160.0])
    write = Write("mine", "b", ZERO, ZERO, False, 60, Limit(videos=9), ONE, 3)
    written = write.into(Ledger(MemoryStore(), "b/budget.json"), lambda: next(ticks))
    assert (written.granted, written.until) == (3, 160.0)
    assert written.page.entries["mine"].may_return, "what it leased and did not use"


def test_a_ledger_is_not_opened_in_a_store_that_loses_updates(monkeypatch: pytest.MonkeyPatch) -> None:
    store = MemoryStore()

    def prove() -> None:
        raise StoreError("it does not honour conditional writes")

    monkeypatch.setattr(store, "prove", prove)
    with pytest.raises(StoreError, match="conditional"):
        Ledger(store, "b/budget.json").open()
    assert not store.objects


def test_a_change_waits_for_a_store_that_is_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    store, read, failures = MemoryStore(), MemoryStore.read, [StoreUnavailableError("busy")] * 2

    def flaky(name: str) -> Any:
        if failures:
            raise failures.pop()
        return read(store, name)

    monkeypatch.setattr(store, "read", flaky)
    assert Ledger(store, "b/budget.json").change(lambda page: page.having("mine", entry())).entries
