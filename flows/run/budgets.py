"""The budgets of a flow run: what its parameters say, and what each video reserves."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Annotated, Literal, NamedTuple

from prefect.logging import get_run_logger
from pydantic import Field

from prefect_omnivideo.blocks.budget import AMOUNT_OR_EMPTY, VideoBudget
from prefect_omnivideo.blocks.credentials import GatewayCredentials
from prefect_omnivideo.core.budget.budget import Budget, check_units, of_batch
from prefect_omnivideo.core.budget.ledger import Ledger
from prefect_omnivideo.core.budget.spending import Spending
from prefect_omnivideo.core.budget.ticket import Ticket
from prefect_omnivideo.core.budget.usage import Limit
from prefect_omnivideo.core.errors import StoreError, refuse
from prefect_omnivideo.core.money.amount import Amount
from prefect_omnivideo.core.prices.estimate import PriceBook
from prefect_omnivideo.core.records.repository import Records
from prefect_omnivideo.core.request import VideoRequest
from prefect_omnivideo.core.routes.fallback import may_submit
from prefect_omnivideo.core.threads import on_records
from prefect_omnivideo.flows.run.spending import estimate_of

MaxCost = Annotated[str, Field(pattern=AMOUNT_OR_EMPTY)]
MaxVideos = Annotated[int, Field(ge=0)]
UnknownPrice = Literal["highest", "stop"]


class Terms(NamedTuple):
    """What the parameters of a flow say about money; see `generate_videos`."""

    max_cost: str = ""
    max_videos: int = 0
    budgets: Sequence[VideoBudget] = ()
    unknown_price: UnknownPrice = "highest"
    ask_above: str = ""
    whole: str = ""
    """The batch that the limits are of, where it is made of several; empty: the batch of the run."""

    @property
    def has_amount(self) -> bool:
        """Whether there is a limit on money."""
        return bool(self.max_cost or any(budget.amount for budget in self.budgets))

    def limit(self, prices: Iterable[Amount]) -> Limit:
        """That of the batch; see `Limit.of`."""
        return Limit.of(self.max_cost, self.max_videos, prices)


class Work(NamedTuple):
    """A request, and the accounts that may make it."""

    request: VideoRequest
    accounts: Sequence[GatewayCredentials]


class Budgeted:
    """The work of a run within its budgets.

    Args:
        highest: what an unknown price counts as, by account; nothing where no price is known, or none may be assumed.
    """

    def __init__(self, spending: Spending, book: PriceBook, highest: Mapping[str, Amount]) -> None:
        self._spending = spending
        self._book = book
        self._highest = highest

    @asynccontextmanager
    async def reserved(self, request: VideoRequest, account: GatewayCredentials) -> AsyncGenerator[Ticket | None]:
        """Reserve for a video, unless it was submitted before, and count what became of it.

        Raises:
            BudgetReachedError: a budget has no room for it; nothing was sent.
            StoreError: the store cannot be read or written; nothing was sent.
        """
        if not self._spending.covers(account.account_name):
            yield None
            return
        records, batch = self._spending.records, self._spending.batch
        ticket = self._spending.ticket(account.account_name, _amount(request, account, self._book, self._highest))
        found = await on_records(records.load, batch, request)
        if found is None or may_submit(found.record, account.account()):
            await ticket.hold()
        try:
            yield ticket
        finally:
            if ticket.is_open:
                try:
                    latest = await on_records(records.load, batch, request)
                except StoreError as error:  # the reservation stays; others count it when this process has ended
                    get_run_logger().warning("%s", error)
                else:
                    ticket.saw(latest.record if latest else None)

    async def opens(self, work: Iterable[Work]) -> bool:
        """Whether there is room for one of these videos, after waiting for what other runs may give back soon."""
        return await self._spending.opens(
            (account.account_name, _amount(request, account, self._book, self._highest))
            for request, accounts in work
            for account in accounts
        )

    async def used(self) -> tuple[str, ...]:
        """What is used of each budget, in a sentence."""
        return await self._spending.used()


@asynccontextmanager
async def budgeted(
    terms: Terms, batch: str, records: Records, work: Sequence[Work], book: PriceBook
) -> AsyncGenerator[Budgeted]:
    """Open the budgets of a run, checked against what it is to make, and settle them at its end.

    Once a batch has a ledger, every run of it keeps it.

    Raises:
        RequestError: a budget cannot be kept, as a price is unknown or in another unit; nothing was submitted.
        StoreError: a ledger cannot be read or written; nothing was submitted.
    """
    await _check_accounts(terms, work)
    highest = await on_records(_highest, terms, work, book)
    budgets = await on_records(_budgets, terms, batch, records, highest)
    await on_records(_check, terms, budgets, work, book, highest)
    async with Spending(budgets, batch, records, get_run_logger().warning) as spending:
        yield Budgeted(spending, book, highest)


async def check_budgets(terms: Terms, batch: str, records: Records, work: Sequence[Work], book: PriceBook) -> None:
    """Check the budgets of a run as `budgeted` does, without opening them."""
    await _check_accounts(terms, work)
    highest = await on_records(_highest, terms, work, book)
    await on_records(_check, terms, _budgets(terms, batch, records, highest), work, book, highest)


async def used_of(terms: Terms, batch: str, records: Records) -> tuple[str, ...]:
    """What is used of each budget of a run, in a sentence."""
    budgets = await on_records(_budgets, terms, batch, records, {})
    return await Spending(budgets, batch, records, get_run_logger().warning).used()


def _budgets(terms: Terms, batch: str, records: Records, highest: Mapping[str, Amount]) -> list[Budget]:
    known = highest.values()
    own, shared = of_batch(terms.whole or batch, terms.limit(known)), [each.budget(known) for each in terms.budgets]
    # The records of a batch tell what it used before it had a ledger; those of several have one from the first run on.
    if terms.whole or terms.max_cost or terms.max_videos or Ledger(records.store, own.ledger).exists():
        return [own, *shared]
    return shared


async def _check_accounts(terms: Terms, work: Iterable[Work]) -> None:
    """Refuse a budget of accounts that do not exist, which would limit nothing."""
    known = {account.account_name for each in work for account in each.accounts}
    for budget in terms.budgets:
        if missing := await budget.missing_accounts(known):
            rule = f"a budget counts the videos of {', '.join(missing)}, and no block is saved under such a name"
            raise refuse("budgets", rule, "names such as prod of apimart-credentials/prod", subject="parameters")


def _check(
    terms: Terms, budgets: Sequence[Budget], work: Iterable[Work], book: PriceBook, highest: Mapping[str, Amount]
) -> None:
    if terms.has_amount:
        counted = (
            (account.account_name, _amount(request, account, book, highest))
            for request, accounts in work
            for account in accounts
        )
        check_units(budgets, counted)


def _amount(
    request: VideoRequest, account: GatewayCredentials, book: PriceBook, highest: Mapping[str, Amount]
) -> Amount | None:
    """What a video counts as until its cost is known; None if its price is unknown."""
    expected = estimate_of(request, account, book)
    return (expected and expected.amount) or highest.get(account.account_id)


def _highest(terms: Terms, work: Iterable[Work], book: PriceBook) -> dict[str, Amount]:
    """The highest known price of each account, if it is to be assumed: of its own list, of earlier videos, of this run.

    Not of the gateway's public list, which names hundreds of models of all kinds.
    """
    if not terms.has_amount or terms.unknown_price == "stop":
        return {}
    known = [(name, quote.amount) for name, prices in book.items() for quote in prices.learned.values()]
    known += [(name, amount) for name, prices in book.items() if prices.listed for amount in prices.listed.amounts()]
    known += [
        (account.account_id, expected.amount)
        for request, accounts in work
        for account in accounts
        if (expected := estimate_of(request, account, book))
    ]
    highest: dict[str, Amount] = {}
    for name, amount in known:
        if amount and (name not in highest or highest[name].value < amount.value):
            highest[name] = amount
    return highest
