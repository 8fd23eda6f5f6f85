"""What one process holds of a budget under one lease, and how it is written into the ledger."""

from __future__ import annotations

import math
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NamedTuple

from prefect_omnivideo.core.budget.ledger import Entry, Ledger, Page
from prefect_omnivideo.core.budget.usage import ZERO, Limit, Usage
from prefect_omnivideo.core.errors import OmniVideoError
from prefect_omnivideo.core.records.model import now

Clock = Callable[[], float]
"""Seconds of this machine, which nobody sets: leases are measured by it."""

_ANY_NUMBER = 10**9


def own_clock() -> float:
    """Seconds of this machine, including those that it slept."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic()


class LeaseLostError(OmniVideoError):
    """A lease expired before it was renewed, and others have counted what was used of it."""


@dataclass
class Holding:
    """The counters of one lease. A change of them is free; `Write` makes them known to others.

    Attributes:
        period_end: when the period of the budget ends.
        clock: the own clock.
        id: names it in the ledger and in the records of its videos.
        spent: what was submitted, or may have been; at its cost once that is known.
        pending: what is reserved for submissions without an outcome.
        unused: what is leased for later submissions.
        unsettled: reservations that may still change.
        until: when it ends, by the own clock; nothing may be sent under it after that.
        known: whether it was written into the ledger.
    """

    period_end: datetime | None = None
    clock: Clock = own_clock
    id: str = field(default_factory=lambda: uuid.uuid4().hex)
    spent: Usage = ZERO
    pending: Usage = ZERO
    unused: Usage = ZERO
    unsettled: int = 0
    until: float = -math.inf
    known: bool = False
    lost: bool = False

    @property
    def left(self) -> float:
        """Seconds for which something may be sent under it."""
        lease = self.until - self.clock()
        return min(lease, (self.period_end - now()).total_seconds()) if self.period_end else lease

    @property
    def total(self) -> Usage:
        """All that counts of it."""
        return self.spent + self.pending + self.unused

    def begin(
        self,
        batch: str,
        limit: Limit,
        seconds: float,
        *,
        price: Usage | None = None,
        times: int = 0,
        keeps: bool = False,
    ) -> Write:
        """Make a write of the counters. What is unused is given back first: nobody may take from it meanwhile.

        Args:
            price: what one more submission takes; None if nothing is to be leased.
            times: how many are wanted at most.
            keeps: what is unused is kept.
        """
        if not keeps:
            self.unused = ZERO
        return Write(self.id, batch, self.total, self.spent, self.known, seconds, limit, price, times)

    def applied(self, write: Write, written: Written) -> None:
        """A write has succeeded: what it leased may be used."""
        self.until = max(self.until, written.until)
        self.known = self.known or self.id in written.page.entries
        self.unused += write.total(written.granted) - write.charged

    def take(self, price: Usage) -> bool:
        """Reserve from what is leased, if there is enough."""
        if not self.unused.covers(price):
            return False
        self.unused -= price
        self.pending += price
        self.unsettled += 1
        return True

    def release(self, price: Usage) -> None:
        """Nothing was submitted under a reservation."""
        self.pending -= price
        self.unused += price
        self.unsettled -= 1

    def decide(self, price: Usage, usage: Usage) -> None:
        """What was reserved is used, or counts as used."""
        self.pending -= price
        self.spent += usage

    def correct(self, before: Usage, after: Usage) -> None:
        """What was used counts as something else by now."""
        self.spent = self.spent - before + after

    def lose(self) -> None:
        """Others have counted what was used: nothing may be sent under it."""
        self.lost, self.until = True, -math.inf


class Written(NamedTuple):
    """The ledger after a write."""

    page: Page
    granted: int
    """How many times the price was leased."""
    until: float


@dataclass(frozen=True)
class Write:
    """The counters of a holding, as they are to be written, and what it wants in addition; see `Holding.begin`."""

    id: str
    batch: str
    charged: Usage
    sure: Usage
    known: bool
    seconds: float
    limit: Limit
    price: Usage | None
    times: int

    def total(self, granted: int) -> Usage:
        """All that counts, with so many submissions leased."""
        return self.charged + (self.price * granted if self.price else ZERO)

    def into(self, ledger: Ledger, clock: Clock) -> Written:
        """Write it, and lease what there is room for.

        Raises:
            LeaseLostError: the lease has expired, and what was used of it was counted.
            StoreError: it may have been written, or not.
        """
        granted, until = 0, -math.inf

        def step(page: Page) -> Page:
            nonlocal granted, until
            begin = clock()  # before the others can see it
            mine = page.entries.get(self.id)
            if self.known and (mine is None or mine.ended):
                raise LeaseLostError(f"the lease {self.id} of {ledger.name} has expired")
            granted = self._room(page)
            held = self.total(granted)
            if not held and mine is None:
                return page
            until = begin + self.seconds
            entry = Entry(
                batch=self.batch,
                held=held,
                sure=self.sure,
                seconds=self.seconds,
                ends_at=now() + timedelta(seconds=self.seconds),
                beat=uuid.uuid4().hex,
            )
            return page.having(self.id, entry)

        page = ledger.change(step)
        return Written(page, granted, until)

    def _room(self, page: Page) -> int:
        """How many submissions to lease. The closer the limit, the fewer, so that it is reached and not overrun."""
        if not self.price:
            return 0
        room = self.limit.times(self.price, page.total(besides=self.id) + self.charged, _ANY_NUMBER)
        others = sum(not entry.ended for name, entry in page.entries.items() if name != self.id)
        return min(self.times, max(1, room // (2 * (1 + others)))) if room else 0
