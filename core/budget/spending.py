"""All budgets of one run: what it reserves before each submission, and what it reports."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import NamedTuple

from prefect_omnivideo.core.budget import purse as purses
from prefect_omnivideo.core.budget.budget import Budget
from prefect_omnivideo.core.budget.evidence import usage_of_batch
from prefect_omnivideo.core.budget.holding import Holding
from prefect_omnivideo.core.budget.ledger import Ledger
from prefect_omnivideo.core.budget.purse import Purse
from prefect_omnivideo.core.budget.ticket import Ticket
from prefect_omnivideo.core.budget.usage import UNASSUMED, ZERO, Usage
from prefect_omnivideo.core.errors import BudgetReachedError, Problem, RequestError, StoreError
from prefect_omnivideo.core.money.amount import Amount
from prefect_omnivideo.core.records.model import now
from prefect_omnivideo.core.records.repository import Records
from prefect_omnivideo.core.threads import on_records

PERIOD_MARGIN = 10.0
"""Seconds at the end of a period in which nothing is reserved: it might be sent in the next one."""


class _Open(NamedTuple):
    """A budget in use, with its share in the present period."""

    budget: Budget
    purse: Purse
    keeper: asyncio.Task[None]


class Spending:
    """The budgets of a run. Use it as a context: leases are renewed within, and settled at its end.

    Args:
        budgets: those that the run must keep.
        warn: told what could not be settled.
    """

    def __init__(self, budgets: Sequence[Budget], batch: str, records: Records, warn: Callable[[str], object]) -> None:
        self.budgets = budgets
        self.batch = batch
        self.records = records
        self._warn = warn
        self._open: dict[str, _Open] = {}
        self._turn = asyncio.Lock()

    async def __aenter__(self) -> Spending:
        """Open the ledgers.

        Raises:
            RequestError: something is recorded in another unit than that of the limit, or at an unknown price that
                counts as nothing known; nothing was submitted.
            StoreError: a ledger cannot be read or written; nothing was submitted.
        """
        problems: list[Problem] = []
        for budget in self.budgets:
            used = (await on_records(self._ledger(budget).open)).total()
            unit = budget.limit.amount.unit if budget.limit.amount else None
            others = {name: value for name, value in used.amounts.items() if unit and name != unit}
            if unit and used.unpriced and budget.limit.ceiling == UNASSUMED:
                rule = f"{budget} has recorded {used}, and no price may be assumed"
                problems.append(
                    Problem(budget.field, rule, "unknown_price: highest and a known price, or a new budget")
                )
            problems += [
                Problem(budget.field, f"{budget} has recorded {Amount(value=value, unit=name)}", f"an amount in {name}")
                for name, value in others.items()
            ]
        if problems:
            raise RequestError(problems, subject="budget")
        return self

    async def __aexit__(self, *_: object) -> None:
        """Settle what is certain. The rest stays in the ledgers; what a cancelled run held expires."""
        for each in self._open.values():
            each.keeper.cancel()
        for each in self._open.values():
            try:
                await each.purse.close()
            except StoreError as error:
                self._warn(f"what was used of {each.budget} could not be settled; a later run counts it: {error}")

    def covers(self, account: str) -> bool:
        """Whether submissions to an account need a ticket."""
        return any(budget.covers(account) for budget in self.budgets)

    def ticket(self, account: str, amount: Amount | None) -> Ticket:
        """What a submission to an account needs; nothing is reserved before `Ticket.hold`.

        Args:
            amount: what it counts as until its cost is known; None if its price is unknown.
        """
        covering = [budget for budget in self.budgets if budget.covers(account)]
        return Ticket(amount, partial(self._take, covering), enough=purses.enough())

    async def opens(self, wanted: Iterable[tuple[str, Amount | None]]) -> bool:
        """Whether there is room for one of these submissions, after waiting for what others may give back soon.

        Args:
            wanted: accounts, and what a submission to them counts as.
        """
        for account, amount in dict.fromkeys(wanted):
            covering = [budget for budget in self.budgets if budget.covers(account)]
            opened = [(await self._opened(budget)).purse.opens(Usage.of(amount)) for budget in covering]
            if all(await asyncio.gather(*opened)):
                return True
        return False

    async def used(self) -> tuple[str, ...]:
        """What is used of each budget, in a sentence."""
        said: list[str] = []
        for budget in self.budgets:
            page = await on_records(self._ledger(budget).open)
            uncertain = sum((entry.held for entry in page.entries.values() if entry.ended), ZERO)
            rest = f", of which {uncertain} may have been spent" if uncertain else ""
            said.append(f"{budget}: {page.total()}{rest}")
        return tuple(said)

    async def _take(self, budgets: Sequence[Budget], price: Usage) -> Sequence[Holding]:
        """Reserve in all of them, or in none.

        Raises:
            BudgetReachedError: one has no room.
        """
        await _away_from_the_end(budgets)
        held: list[Holding] = []
        try:
            for budget in budgets:
                holding = await (await self._opened(budget)).purse.take(price)
                if holding is None:
                    raise BudgetReachedError(f"{budget} has no room for {price}; nothing was sent")
                held.append(holding)
        except BaseException:
            for holding in held:
                if not holding.lost:
                    holding.release(price)
            raise
        return held

    async def _opened(self, budget: Budget) -> _Open:
        moment = now()
        name = budget.ledger_at(moment)
        async with self._turn:
            if name not in self._open:
                ledger = Ledger(self.records.store, name, self._first(budget))
                await on_records(ledger.open)
                purse = Purse(ledger, budget.limit, budget.period_end(moment), self.batch, self.records)
                self._open[name] = _Open(budget, purse, asyncio.create_task(purse.keep()))
            return self._open[name]

    def _ledger(self, budget: Budget) -> Ledger:
        return Ledger(self.records.store, budget.ledger_at(now()), self._first(budget))

    def _first(self, budget: Budget) -> Callable[[], Usage]:
        return self._recorded if budget.is_of(self.batch) else lambda: ZERO

    def _recorded(self) -> Usage:
        """What the batch used before it had a budget."""
        return usage_of_batch(self.records.batch(self.batch))


async def _away_from_the_end(budgets: Sequence[Budget]) -> None:
    """Wait until no period is about to end."""
    moment = now()
    ends = [(end - moment).total_seconds() for budget in budgets if (end := budget.period_end(moment))]
    if soon := [left for left in ends if left < PERIOD_MARGIN]:
        await asyncio.sleep(max(soon))
        await _away_from_the_end(budgets)
