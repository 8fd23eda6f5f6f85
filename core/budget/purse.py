"""A process's share of one budget: leased several videos at a time, so that no submission waits for the store."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime

from prefect_omnivideo.core.budget.holding import Clock, Holding, LeaseLostError, own_clock
from prefect_omnivideo.core.budget.ledger import Entry, Ledger, Page
from prefect_omnivideo.core.budget.reconcile import Watch, count_used
from prefect_omnivideo.core.budget.usage import Limit, Usage
from prefect_omnivideo.core.errors import StoreError
from prefect_omnivideo.core.records.repository import Records
from prefect_omnivideo.core.threads import on_records

LEASE_SECONDS = 60.0
"""How long a lease lasts without renewal, and what a process that died holds is kept from the others."""
IDLE_SECONDS = 2.0
"""After this long without a submission, what is leased for more is given back."""
BUSY_SECONDS = 1.0
"""A lease that is used up sooner is too small: the next one is twice as large."""
LARGEST = 256
"""Videos leased at a time."""
MOST_UNCERTAIN = 20
"""Entries of processes that ended, with something uncertain, before their records are read again."""
_TICK = 0.5
_PATIENCE = 2.5
"""Leases to wait for what others may give back."""


def enough() -> float:
    """Seconds that a submission may take from the claim until it is sent: less than that is not reserved."""
    return LEASE_SECONDS / 4


class Purse:
    """What this process holds of one budget.

    Args:
        ledger: of the budget, in one period.
        limit: of this run.
        period_end: when nothing may be sent under it any more.
        batch: that this run works on.
        records: where submissions are found.
    """

    def __init__(
        self,
        ledger: Ledger,
        limit: Limit,
        period_end: datetime | None,
        batch: str,
        records: Records,
        clock: Clock = own_clock,
    ) -> None:
        self.limit = limit
        self.holding = Holding(period_end, clock)
        self._period_end = period_end
        self._ledger = ledger
        self._batch = batch
        self._records = records
        self._clock = clock
        self._turn = asyncio.Lock()
        self._watch = Watch(clock)
        self._waiting = 0
        self._size = 1
        self._taken_at = self._granted_at = clock()
        self._refused: tuple[Usage, float] | None = None
        self._published: tuple[Usage, Usage, float] | None = None
        self._rechecked = False

    async def take(self, price: Usage) -> Holding | None:
        """Reserve for one submission; None if there is no room for it now.

        Raises:
            StoreError: the ledger cannot be read or written.
        """
        if self._has(price):
            return self._taken()
        self._waiting += 1
        try:
            async with self._turn:
                if self._has(price):
                    return self._taken()
                if self._was_refused(price):
                    return None
                await self._write(price)
                return self._taken() if self.holding.take(price) else None
        finally:
            self._waiting -= 1

    async def opens(self, price: Usage) -> bool:
        """Whether there is room for a submission, after waiting for what other processes may give back soon."""
        end = self._clock() + _PATIENCE * LEASE_SECONDS
        while True:
            async with self._turn:
                page = await self._write()
                if not self._rechecked:
                    self._rechecked = True
                    page = await self._count(page, {name: e for name, e in page.entries.items() if e.ended})
                page = await self._count_expired(page)
            self._refused = None
            if self.limit.fits(page.total() + price):
                return True
            others = [entry for name, entry in page.entries.items() if name != self.holding.id]
            if self._clock() > end or not any(entry.may_return for entry in others):
                return False
            await asyncio.sleep(_TICK)

    async def keep(self) -> None:
        """Renew the lease in time, tell others what is used, give back what is not, and count what the dead used."""
        while True:
            await asyncio.sleep(_TICK)
            # The next tick tries again. A lease that cannot be renewed expires, and nothing is sent under it.
            with suppress(StoreError):
                if self._is_due():
                    async with self._turn:
                        await self._count_expired(await self._write(keeps=not self._is_idle))

    async def close(self) -> Page:
        """Settle what is certain. The rest stays in the ledger until its outcome is known.

        Raises:
            StoreError: it could not be written; others count it once the lease has expired.
        """
        async with self._turn:
            page = await self._write()
            mine = page.entries.get(self.holding.id)
            if mine and not self.holding.pending:
                page = await on_records(self._ledger.change, self._end(mine))
            ended = {name: entry for name, entry in page.entries.items() if entry.ended}
            return await self._count(page, ended) if len(ended) > MOST_UNCERTAIN else page

    def _end(self, mine: Entry) -> Callable[[Page], Page]:
        name, is_final = self.holding.id, not self.holding.unsettled

        def step(page: Page) -> Page:
            current = page.entries.get(name)
            if current is None or current.beat != mine.beat:
                return page
            if is_final:
                return page.settling(name, current.held)
            return page.having(name, current.model_copy(update={"ended": True}))

        return step

    def _has(self, price: Usage) -> bool:
        """Reserve from what is leased; a lease that could not be renewed in time is renewed first."""
        return self.holding.left >= enough() and self.holding.take(price)

    def _taken(self) -> Holding:
        self._taken_at = self._clock()
        return self.holding

    def _was_refused(self, price: Usage) -> bool:
        """Whether there was no room for as much just now: thousands of requests need not all ask."""
        if self._refused is None:
            return False
        refused, moment = self._refused
        return price.covers(refused) and self._clock() < moment + IDLE_SECONDS

    def _is_due(self) -> bool:
        """Whether the ledger should hear of this process."""
        holding, moment = self.holding, self._clock()
        if not holding.known or self._published is None:
            return False
        charged, sure, at = self._published
        if moment > at + LEASE_SECONDS / 3:
            return True
        if moment < at + IDLE_SECONDS:
            return False
        if holding.unused and self._is_idle:
            return True
        return (charged, sure) != (holding.total, holding.spent)

    @property
    def _is_idle(self) -> bool:
        return self._clock() > self._taken_at + IDLE_SECONDS

    async def _write(self, price: Usage | None = None, *, keeps: bool = False) -> Page:
        """Write the counters, and lease for submissions at this price. What was leased is given back.

        Call with the turn.

        Args:
            keeps: what was leased is kept.
        """
        holding = self.holding
        if price is not None:
            self._grow(self._clock())
        write = holding.begin(
            self._batch,
            self.limit,
            LEASE_SECONDS,
            price=price,
            times=min(LARGEST, max(self._size, self._waiting)),
            keeps=keeps,
        )
        try:
            written = await on_records(write.into, self._ledger, self._clock)
        except LeaseLostError:
            holding.lose()
            self.holding = Holding(self._period_end, self._clock)
            return await self._write(price)
        holding.applied(write, written)
        self._published = (write.total(written.granted), write.sure, self._clock())
        if price is not None:
            self._refused = None if written.granted else (price, self._clock())
        return written.page

    def _grow(self, moment: float) -> None:
        busy = moment - self._granted_at
        self._size = min(LARGEST, 2 * self._size) if busy < BUSY_SECONDS else max(1, self._size // 2)
        self._granted_at = moment

    async def _count_expired(self, page: Page) -> Page:
        return await self._count(page, self._watch.expired(page, self.holding.id))

    async def _count(self, page: Page, entries: dict[str, Entry]) -> Page:
        """Count what was used under these leases from the records."""
        return await on_records(count_used, self._ledger, self._records, entries) if entries else page
