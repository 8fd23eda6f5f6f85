"""Processes that share a budget, in any order of steps: they die, sleep, lose answers, and never exceed it."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from prefect_omnivideo.core.budget.holding import Holding, LeaseLostError, Write, Written
from prefect_omnivideo.core.budget.ledger import Ledger
from prefect_omnivideo.core.budget.reconcile import Watch, count_used
from prefect_omnivideo.core.budget.ticket import Ticket
from prefect_omnivideo.core.budget.usage import Limit, Usage
from prefect_omnivideo.core.money.amount import Amount
from prefect_omnivideo.core.records.model import VideoState, new_record
from prefect_omnivideo.core.records.repository import Records, Versioned
from prefect_omnivideo.core.request import VideoRequest
from tests.core.budget.memory import MemoryStore
from tests.core.records.samples import attempt

BATCH = "b"
LEASE = 60.0
MONEY, VIDEOS = 9, 6
LIMIT = Limit(Amount(value=Decimal(MONEY), unit="USD"), videos=VIDEOS)
PRICES = (1, 2, 3)
NOBODY = "nobody's"


def usd(value: int) -> Amount:
    return Amount(value=Decimal(value), unit="USD")


@dataclass
class Submission:
    """A video on its way to the gateway."""

    ticket: Ticket
    lease: Holding
    record: Versioned | None = None
    sent: bool = False


@dataclass
class Process:
    """A process and what it is doing now."""

    holding: Holding
    write: Write | None = None
    written: Written | None = None
    submissions: list[Submission] = field(default_factory=list[Submission])


class LedgerMachine(RuleBasedStateMachine):
    """The rules are the steps of processes; the gateway's bill is the truth."""

    def __init__(self) -> None:
        super().__init__()
        self.time = 0.0
        self.records = Records(MemoryStore())
        self.ledger = Ledger(self.records.store, f"{BATCH}/budget.json")
        self.watch = Watch(lambda: self.time)
        self.bill: dict[int, int] = {}
        self.lost_claims = 0
        self.count = 0
        self.processes = [self.process() for _ in range(2)]

    def process(self) -> Process:
        return Process(Holding(clock=lambda: self.time))

    @rule(who=st.integers(0, 1), price=st.sampled_from([None, *PRICES]), times=st.integers(1, 6), keeps=st.booleans())
    def begins_to_write(self, who: int, price: int | None, times: int, keeps: bool) -> None:
        process = self.processes[who]
        if process.write is None:
            wanted = None if price is None else Usage.of(usd(price))
            keeps = keeps and price is None
            process.write = process.holding.begin(BATCH, LIMIT, LEASE, price=wanted, times=times, keeps=keeps)

    @rule(who=st.integers(0, 1), price=st.sampled_from(PRICES), times=st.integers(1, 6))
    def leases(self, who: int, price: int, times: int) -> None:
        """All steps of a write at once."""
        self.begins_to_write(who, price, times, keeps=False)
        self.the_write_lands(who)
        self.the_answer_comes(who, answered=True)

    @rule(who=st.integers(0, 1), price=st.sampled_from(PRICES), sent=st.booleans())
    def submits(self, who: int, price: int, sent: bool) -> None:
        """Reserve, claim and send."""
        before = len(self.processes[who].submissions)
        self.reserves(who, price)
        if len(self.processes[who].submissions) > before:
            self.claims(who, before)
            if sent:
                self.sends(who, before)

    @rule(who=st.integers(0, 1))
    def the_write_lands(self, who: int) -> None:
        process = self.processes[who]
        if process.write and process.written is None:
            try:
                process.written = process.write.into(self.ledger, lambda: self.time)
            except LeaseLostError:
                process.holding.lose()
                process.holding, process.write = Holding(clock=lambda: self.time), None

    @rule(who=st.integers(0, 1), answered=st.booleans())
    def the_answer_comes(self, who: int, answered: bool) -> None:
        process = self.processes[who]
        if process.write and process.written:
            if answered:
                process.holding.applied(process.write, process.written)
            process.write = process.written = None

    @rule(who=st.integers(0, 1), price=st.sampled_from(PRICES))
    def reserves(self, who: int, price: int) -> None:
        holding = self.processes[who].holding
        if holding.take(Usage.of(usd(price))):
            ticket = Ticket(usd(price), take=None, enough=0)  # type: ignore[arg-type]
            ticket._holdings = (holding,)
            self.processes[who].submissions.append(Submission(ticket, holding))

    @rule(who=st.integers(0, 1), which=st.integers(0, 5))
    def claims(self, who: int, which: int) -> None:
        if (found := self.submission(who, which)) and found.record is None:
            self.count += 1
            request = VideoRequest(prompt=f"video {self.count}")
            claim = new_record(request, BATCH, attempt(claim_id=f"{self.count:032}", reserved=found.ticket.reserved))
            found.record, _ = self.records.claim(claim)

    @rule(who=st.integers(0, 1), which=st.integers(0, 5))
    def sends(self, who: int, which: int) -> None:
        """The gateway accepts and bills it."""
        if (found := self.submission(who, which)) and found.record and not found.sent and found.ticket.left > 0:
            found.sent = True
            assert found.ticket.amount
            self.bill[id(found)] = int(found.ticket.amount.value)

    @rule(
        who=st.integers(0, 1),
        which=st.integers(0, 5),
        outcome=st.sampled_from(["submitted", "unknown", "finished", "cheaper", "free"]),
    )
    def records_the_outcome(self, who: int, which: int, outcome: str) -> None:
        found = self.submission(who, which)
        if not found or not found.record:
            return
        record = self.records.get(f"{found.record.record.stem}.json")
        assert record
        assert found.ticket.amount
        claim, value = record.record, int(found.ticket.amount.value)
        if not found.sent:
            new = claim.failed("gateway error", "nothing was sent", accepted=False)
        elif outcome in ("submitted", "unknown"):
            new = claim.submitted("task") if outcome == "submitted" else claim.unknown()
        else:
            cost = {"finished": value, "cheaper": value - 1, "free": 0}[outcome]
            self.bill[id(found)] = cost
            done = claim.submitted("task")
            failed = done.failed("gateway error", "no video", cost=usd(0))
            new = failed if outcome == "free" else done.finished(usd(cost))
        self.records.save(new, record.etag)
        found.ticket.saw(new)
        if new.state not in (VideoState.SUBMITTED, VideoState.UNKNOWN):
            self.processes[who].submissions.remove(found)

    @rule(who=st.integers(0, 1), which=st.integers(0, 5))
    def gives_up_before_the_claim(self, who: int, which: int) -> None:
        if (found := self.submission(who, which)) and found.record is None:
            found.ticket.saw(None)
            self.processes[who].submissions.remove(found)

    @rule(who=st.integers(0, 1))
    def dies(self, who: int) -> None:
        process = self.processes[who]
        self.lost_claims += sum(
            int(each.ticket.amount.value)
            for each in process.submissions
            if each.record and not each.sent and each.ticket.amount
        )
        self.processes[who] = self.process()

    @rule(seconds=st.sampled_from([1.0, 30.0, LEASE + 1]))
    def time_passes(self, seconds: float) -> None:
        self.time += seconds

    @rule()
    def the_dead_are_counted(self) -> None:
        page = self.ledger.open()
        if expired := self.watch.expired(page, NOBODY):
            count_used(self.ledger, self.records, expired)

    @rule()
    def the_uncertain_is_counted_again(self) -> None:
        page = self.ledger.open()
        count_used(self.ledger, self.records, {name: entry for name, entry in page.entries.items() if entry.ended})

    @invariant()
    def the_bill_is_within_the_budget(self) -> None:
        assert sum(self.bill.values()) <= MONEY
        assert len(self.bill) <= VIDEOS

    @invariant()
    def the_ledger_knows_of_every_bill(self) -> None:
        total = self.ledger.open().total()
        assert total.amounts.get("USD", Decimal(0)) >= sum(self.bill.values())
        assert LIMIT.fits(total)

    def teardown(self) -> None:
        """Everybody dies; whoever comes then can use all that was not spent."""
        for who in range(2):
            self.dies(who)
        self.the_dead_are_counted()
        self.time += 2 * LEASE
        self.the_dead_are_counted()
        self.the_uncertain_is_counted_again()
        page = self.ledger.open()
        assert page.total().amounts.get("USD", Decimal(0)) == sum(self.bill.values()) + self.lost_claims
        assert not any(entry.may_return for entry in page.entries.values())
        last, one = Holding(clock=lambda: self.time), Usage.of(usd(1))
        write = last.begin(BATCH, LIMIT, LEASE, price=one, times=100)
        granted = write.into(self.ledger, lambda: self.time).granted
        assert bool(granted) == LIMIT.fits(page.total() + one), "what was not spent can be used"

    def submission(self, who: int, which: int) -> Submission | None:
        found = self.processes[who].submissions
        return found[which % len(found)] if found else None


TestLedger = LedgerMachine.TestCase
TestLedger.settings = settings(stateful_step_count=50)
