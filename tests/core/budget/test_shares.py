"""What a submission holds, what it gives back, and when the share of another process may be counted."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from prefect_omnivideo.core.budget import purse as purses
from prefect_omnivideo.core.budget import spending as spendings
from prefect_omnivideo.core.budget.budget import Budget, of_batch, of_block
from prefect_omnivideo.core.budget.holding import Holding, LeaseLostError
from prefect_omnivideo.core.budget.ledger import Entry, Ledger, Page
from prefect_omnivideo.core.budget.purse import Purse
from prefect_omnivideo.core.budget.reconcile import Watch, count_used
from prefect_omnivideo.core.budget.spending import Spending
from prefect_omnivideo.core.budget.ticket import Ticket
from prefect_omnivideo.core.budget.usage import ZERO, Limit, Usage
from prefect_omnivideo.core.errors import BudgetReachedError, RequestError
from prefect_omnivideo.core.money.amount import Amount
from prefect_omnivideo.core.records.model import CLOCKS_APART, Reserved, VideoRecord, now
from prefect_omnivideo.core.records.repository import Records
from prefect_omnivideo.core.request import VideoRequest
from tests.core.budget.memory import MemoryStore
from tests.core.records.samples import attempt, record

USD = Amount.parse("0.30 USD")
ONE = Usage.of(USD)
COST = Amount.parse("0.25 USD")
FOUR = Limit(videos=4)


def holding(until: float = 100.0) -> Holding:
    """One with room for two, of which one is reserved."""
    found = Holding(clock=lambda: 0.0, unused=ONE * 2, until=until)
    assert found.take(ONE)
    return found


def ticket(*holdings: Holding, enough: float = 15.0) -> Ticket:
    async def take(price: Usage) -> Sequence[Holding]:
        return [each for each in holdings if each.take(price)]

    found = Ticket(USD, take, enough=enough)
    found._holdings = holdings
    return found


def claim(of: Ticket) -> VideoRecord:
    return record().model_copy(update={"attempts": (attempt(reserved=of.reserved),)})


def counters(of: Holding) -> tuple[int, int, int, int]:
    return of.spent.videos, of.pending.videos, of.unused.videos, of.unsettled


def test_what_a_ticket_makes_of_each_outcome() -> None:
    table: list[tuple[str, list[VideoRecord | None], tuple[int, int, int, int], Usage]] = []
    held = holding()
    mine = ticket(held)
    sent = claim(mine).submitted("t")
    rejected = claim(mine).failed("gateway error", "no", accepted=False)
    done = sent.finished(COST)
    cost = Usage.of(COST)
    table = [
        ("nothing was claimed", [None], (0, 0, 2, 0), ZERO),
        ("rejected", [rejected], (0, 0, 2, 0), ZERO),
        ("rejected, seen twice", [rejected, rejected], (0, 0, 2, 0), ZERO),
        ("claimed, and perhaps sent", [claim(mine)], (1, 0, 1, 1), ONE),
        ("submitted", [sent], (1, 0, 1, 1), ONE),
        ("unknown", [claim(mine).unknown()], (1, 0, 1, 1), ONE),
        ("finished", [sent, done], (1, 0, 1, 0), cost),
        ("finished, seen twice", [sent, done, done], (1, 0, 1, 0), cost),
        ("settled, and gone", [done, None], (1, 0, 1, 0), cost),
        ("submitted, and removed by a person", [sent, None], (1, 0, 1, 1), ONE),
        ("unknown, and then certainly not accepted", [claim(mine).unknown(), rejected], (0, 0, 1, 0), ZERO),
        ("free", [sent, sent.failed("gateway error", "no", cost=Amount.parse("0 USD"))], (1, 0, 1, 0),
         Usage(videos=1)),
    ]  # fmt: skip
    for what, news, expected, spent in table:
        held = holding()
        again = ticket(held)
        again._id = mine.reserved.id
        for video in news:
            again.saw(video)
        assert counters(held) == expected, what
        assert held.spent == spent, what


def test_a_lost_lease_takes_no_part() -> None:
    for news in ("nothing", "submitted"):
        lost, other = holding(), holding()
        mine = ticket(lost, other)
        video = claim(mine).submitted("t")
        lost.lose()
        assert (lost.left, mine.left) == (-math.inf, -math.inf)
        mine.saw(None if news == "nothing" else video)
        assert counters(lost) == (0, 1, 1, 1), "others count it"
        assert counters(other) == ((0, 0, 2, 0) if news == "nothing" else (1, 0, 1, 1))


async def test_a_reservation_is_renewed_before_it_is_too_short() -> None:
    for left, renewed in ((15.0, False), (14.9, True)):
        held, fresh = holding(until=left), holding()
        mine = ticket(held, enough=15.0)
        mine._take = ticket(fresh)._take
        await mine.hold()
        assert (mine.reserved.leases == (fresh.id,)) is renewed
        assert counters(held) == ((0, 0, 2, 0) if renewed else (0, 1, 1, 1))


async def test_what_is_taken_is_valid_for_long_enough() -> None:
    """Also where the lease could not be renewed in time: otherwise a video would be claimed and not sent."""
    time, store = [0.0], MemoryStore()
    ledger = Ledger(store, "b/budget.json")
    mine = Purse(ledger, Limit(videos=100), None, "b", Records(store), lambda: time[0])
    for elapsed, left in ((0, 60), (45, 15), (45.1, 60), (200, 60)):
        time[0] = elapsed
        mine._size = 40
        taken = await mine.take(ONE)
        assert taken
        assert taken.left == pytest.approx(left)
        assert taken.unused, "there was more to take"


@pytest.mark.parametrize("ended", [True, False])
def test_a_share_that_others_have_counted_is_lost(ended: bool) -> None:
    """Also if something of it is uncertain: others have given the rest away."""
    ledger, mine = Ledger(MemoryStore(), "b/budget.json"), Holding(clock=lambda: 0.0)
    write = mine.begin("b", FOUR, 60.0, price=ONE, times=2)
    mine.applied(write, write.into(ledger, mine.clock))
    (known,) = ledger.open().entries.values()
    over = known.model_copy(update={"ended": True})
    ledger.change(lambda page: page.having(mine.id, over) if ended else page.settling(mine.id, ZERO))
    with pytest.raises(LeaseLostError):
        mine.begin("b", FOUR, 60.0, keeps=True).into(ledger, mine.clock)


def test_a_ticket_is_valid_as_long_as_its_shortest_lease() -> None:
    assert ticket(holding(30), holding(20)).left == 20
    assert ticket().left == 0.0
    ending = Holding(now() + timedelta(seconds=5), lambda: 0.0, until=100.0)
    assert 4 < ending.left <= 5, "the period ends first"
    mine = ticket(holding())
    assert (mine.is_held, mine.is_open) == (True, True)
    mine.release()
    assert (mine.is_held, mine.is_open, mine.reserved.leases) == (False, False, ())


def entry(beat: str = "1", *, seconds: float = 60, late: timedelta = timedelta(), ended: bool = False) -> Entry:
    return Entry(batch="b", held=ONE, sure=ZERO, seconds=seconds, ends_at=now() - late, beat=beat, ended=ended)


def test_when_a_lease_has_expired() -> None:
    time = [0.0]
    watch = Watch(lambda: time[0])

    def expired(**settings: object) -> bool:
        return "x" in watch.expired(Page(entries={"x": entry(**settings)}), "mine")  # type: ignore[arg-type]

    assert not expired(), "seen for the first time"
    time[0] = 65
    assert not expired(), "clocks do not run equally fast"
    time[0] = 67
    assert expired()
    assert not expired(ended=True), "that is known"
    time[0] = 70
    assert not expired(beat="2"), "it is alive"
    time[0] = 135
    assert not expired(beat="2")
    time[0] = 137
    assert expired(beat="2")
    assert not expired(beat="3", late=CLOCKS_APART - timedelta(minutes=1)), "its clock may be wrong"
    assert expired(beat="3", late=CLOCKS_APART + timedelta(minutes=1))
    page = Page(entries={"mine": entry(late=CLOCKS_APART * 2)})
    assert watch.expired(page, "mine") == {}
    assert "mine" in watch.expired(page, "another")


def test_an_expired_share_is_what_its_records_tell() -> None:
    store = MemoryStore()
    records, ledger = Records(store), Ledger(store, "b/budget.json", lambda: ONE * 4)
    lease = Reserved(id="r", leases=("x",), amount=USD)
    records.claim(record(batch="b").model_copy(update={"attempts": (attempt(reserved=lease),)}))
    held = entry().model_copy(update={"held": ONE * 3})
    ledger.change(lambda page: page.having("x", held))

    assert count_used(ledger, records, {"x": entry(beat="old")}).entries == {"x": held}, "it was alive"
    store.create("b/broken-0123456789abcdef.json", b"{")
    (found,) = count_used(ledger, records, {"x": held}).entries.values()
    assert (found.held, found.sure, found.ended) == (ONE * 3, ONE * 3, True), "a record that cannot be read may tell"
    store.delete("b/broken-0123456789abcdef.json")
    (found,) = count_used(ledger, records, {"x": found}).entries.values()
    assert (found.held, found.ended, found.may_return) == (ONE, True, False), "it may have been sent"
    writes = store.writes
    count_used(ledger, records, {"x": found})
    assert store.writes == writes, "nothing changed"
    video = records.load("b", VideoRequest(prompt="a red apple"))
    assert video
    records.save(video.record.submitted("t").finished(COST), video.etag)
    page = count_used(ledger, records, {"x": found})
    assert (page.settled, page.entries) == (ONE * 4 + Usage.of(COST), {})


def spending(store: MemoryStore, *budgets: Budget) -> Spending:
    return Spending(budgets, "b", Records(store), pytest.fail)


async def test_all_budgets_that_cover_an_account_are_reserved_or_none() -> None:
    store = MemoryStore()
    wide, narrow = of_batch("b", FOUR), of_block("narrow", Limit(videos=1), "none", ["prod"])
    async with spending(store, wide, narrow) as mine:
        first, second, other = mine.ticket("prod", USD), mine.ticket("prod", USD), mine.ticket("other", USD)
        await first.hold()
        assert len(first.reserved.leases) == 2
        assert purses.LEASE_SECONDS / 4 < first.left <= purses.LEASE_SECONDS
        with pytest.raises(BudgetReachedError, match="narrow"):
            await second.hold()
        (held, _) = first._holdings
        assert (held.pending, second.is_held) == (ONE, False)
        await other.hold()
        assert len(other.reserved.leases) == 1
        assert not await mine.opens([("prod", USD)])
        assert await mine.opens([("prod", USD), ("other", USD)])
        for each in first._holdings:
            each.until = each.clock() + purses.LEASE_SECONDS / 5
        await other.hold()
        assert other.left > purses.LEASE_SECONDS / 4, "renewed"
        first.saw(claim(first).submitted("t").finished(COST))
        other.release()
    assert Ledger(store, wide.ledger).open() == Page(settled=Usage.of(COST))
    assert Ledger(store, narrow.ledger).open() == Page(settled=Usage.of(COST))


async def test_what_is_not_certain_stays_in_the_ledger() -> None:
    store = MemoryStore()
    budget = of_batch("b", FOUR)
    async with spending(store, budget) as mine:
        sent, lost = mine.ticket("prod", USD), mine.ticket("prod", USD)
        await sent.hold()
        sent.saw(claim(sent).submitted("t"))
    (found,) = Ledger(store, budget.ledger).open().entries.values()
    assert (found.held, found.sure, found.ended) == (ONE, ONE, True)
    async with spending(store, budget) as mine:
        lost = mine.ticket("prod", USD)
        await lost.hold()
    left = {each.ended: each.held for each in Ledger(store, budget.ledger).open().entries.values()}
    assert left == {True: ONE, False: ONE}, "a reservation of which nothing is known expires"


async def test_only_the_budget_of_a_batch_begins_with_what_the_batch_used() -> None:
    store = MemoryStore()
    Records(store).claim(record(batch="b"))
    own, shared = of_batch("b", FOUR), of_block("shared", FOUR, "none")
    async with spending(store, own, shared) as mine:
        assert await mine.used() == (f"{own}: 1 video (1 at an unknown price)", f"{shared}: 0 videos")


async def test_a_ledger_in_another_unit_is_refused() -> None:
    store = MemoryStore()
    Ledger(store, "b/budget.json", lambda: ONE).open()
    for limit, refused in ((Limit(Amount.parse("9 credits")), True), (Limit(Amount.parse("9 USD")), False)):
        mine = spending(store, of_batch("b", limit))
        if refused:
            with pytest.raises(RequestError, match=r"max_cost: .*has recorded 0\.30 USD"):
                await mine.__aenter__()
        else:
            async with mine:
                pass
    async with spending(store, of_batch("b", FOUR)):
        pass


async def test_what_was_made_at_an_unknown_price_is_not_counted_as_nothing() -> None:
    store = MemoryStore()
    Ledger(store, "b/budget.json", lambda: Usage.of(None)).open()
    with pytest.raises(
        RequestError, match=r"max_cost: .*has recorded 1 video \(1 at an unknown price\), and no price may"
    ):
        await spending(store, of_batch("b", Limit(Amount.parse("9 USD")))).__aenter__()
    for limit in (
        FOUR,
        Limit(Amount.parse("9 USD"), ceiling=Decimal(0)),
        Limit(Amount.parse("9 USD"), ceiling=Decimal(1)),
    ):
        async with spending(store, of_batch("b", limit)):
            pass


@pytest.mark.parametrize(
    ("after", "news", "due"),
    [
        (20.1, "", True),  # else it expires, and others count it
        (19.9, "", False),
        (2.1, "spent", True),
        (1.9, "spent", False),
        (2.1, "sure", True),  # nothing is taken or given back, but less of it may be
        (2.1, "unused", True),
        (1.9, "unused", False),
    ],
)
async def test_a_lease_is_renewed_in_time_and_what_changed_is_told_soon(after: float, news: str, *, due: bool) -> None:
    time, store = [0.0], MemoryStore()
    mine = Purse(Ledger(store, "b/budget.json"), Limit(videos=1), None, "b", Records(store), lambda: time[0])
    assert not mine._is_due(), "nobody knows of it"
    held = await mine.take(ONE)
    assert held
    match news:
        case "spent":
            held.decide(ONE, Usage.of(COST))
        case "sure":
            held.decide(ONE, ONE)
        case "unused":
            held.release(ONE)
        case _:
            pass
    time[0] = after
    assert mine._is_due() is due


async def test_what_others_wrote_about_a_lease_is_not_settled_over() -> None:
    """A write that was cut off by the end of the run may reach the store after its last one."""
    mine = Purse(Ledger(MemoryStore(), "b/budget.json"), FOUR, None, "b", Records(MemoryStore()))
    held = await mine.take(ONE)
    assert held
    held.decide(ONE, ONE)
    held.unsettled = 0
    page = await mine._write()
    (entry,) = page.entries.values()
    later = page.having(held.id, entry.model_copy(update={"beat": "later", "held": ONE * 3}))
    assert mine._end(entry)(later) is later
    assert mine._end(entry)(page).settled == ONE


async def test_many_uncertain_shares_are_counted_again_when_a_process_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(purses, "MOST_UNCERTAIN", 2)
    store = MemoryStore()
    ledger = Ledger(store, "b/budget.json")
    old = Entry(batch="b", held=ONE, sure=ONE, seconds=60, ends_at=now(), beat="1", ended=True)
    for number, left in ((2, 2), (3, 0)):
        ledger.change(lambda page, number=number: Page(entries=dict.fromkeys(map(str, range(number)), old)))
        page = await Purse(ledger, FOUR, None, "b", Records(store)).close()
        assert len(page.entries) == left


async def test_a_cheaper_video_is_asked_for_though_a_dearer_one_was_refused_just_now() -> None:
    mine = Purse(
        Ledger(MemoryStore(), "b/budget.json"), Limit(Amount.parse("1 USD")), None, "b", Records(MemoryStore())
    )
    dear, cheap = Usage.of(Amount.parse("2 USD")), Usage.of(Amount.parse("1 USD"))
    assert await mine.take(dear) is None
    assert await mine.take(cheap)


async def test_nothing_is_reserved_at_the_end_of_a_period(monkeypatch: pytest.MonkeyPatch) -> None:
    """It might be sent in the next one."""
    time, slept = [datetime(2026, 1, 31, 23, 59, 51, tzinfo=UTC)], list[float]()

    async def sleep(seconds: float) -> None:
        slept.append(seconds)
        time[0] += timedelta(seconds=seconds)

    monkeypatch.setattr(spendings, "now", lambda: time[0])
    monkeypatch.setattr(spendings.asyncio, "sleep", sleep)
    monkeypatch.setattr(purses.Purse, "keep", _nothing)
    store = MemoryStore()
    budget = of_block("x", FOUR, "day")
    mine = Spending([budget], "b", Records(store), pytest.fail)
    (held,) = await mine._take([budget], ONE)
    assert slept == [9.0]
    assert held.period_end == datetime(2026, 2, 2, tzinfo=UTC)
    assert list(store.objects) == ["budgets/x/2026-02-01.json"]
    time[0] = datetime(2026, 2, 1, 23, 59, 49, tzinfo=UTC)
    await mine._take([budget], ONE)
    assert slept == [9.0], "there is time enough"


async def _nothing(_: object) -> None:
    """Renews no lease."""


def test_a_price_of_nothing_has_room() -> None:
    assert Limit(Amount(value=Decimal(0), unit="USD")).times(Usage.of(Amount.parse("0 USD")), ZERO, 3) == 3
