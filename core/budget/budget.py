"""A budget: its limit, its period, and the accounts that it covers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Literal, NamedTuple

from prefect_omnivideo.core.budget.usage import NO_LIMIT, Limit
from prefect_omnivideo.core.errors import Problem, RequestError
from prefect_omnivideo.core.money.amount import Amount
from prefect_omnivideo.core.records.model import now

Period = Literal["day", "month", "none"]
"""What a limit is for: a day or a month in UTC, or all time."""


class Budget(NamedTuple):
    """A limit, and what it is for.

    Attributes:
        title: for people.
        field: the parameter that gave it.
        path: where its ledger is within the store, or the ledgers of its periods.
        accounts: names of the accounts that it covers; none: all.
    """

    title: str
    field: str
    path: str
    limit: Limit
    period: Period = "none"
    accounts: frozenset[str] = frozenset()

    def covers(self, account: str) -> bool:
        """Whether submissions of an account count."""
        return not self.accounts or account in self.accounts

    def is_of(self, batch: str) -> bool:
        """Whether it is the budget of this batch."""
        return self.path == of_batch(batch).path

    @property
    def ledger(self) -> str:
        """Name of the present ledger."""
        return self.ledger_at(now())

    def ledger_at(self, moment: datetime) -> str:
        """Name of the ledger of the period that a moment belongs to."""
        if self.period == "none":
            return f"{self.path}.json"
        return f"{self.path}/{moment.astimezone(UTC):{'%Y-%m-%d' if self.period == 'day' else '%Y-%m'}}.json"

    def period_end(self, moment: datetime) -> datetime | None:
        """When the period of a moment ends; None if never."""
        if self.period == "none":
            return None
        day = moment.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        if self.period == "day":
            return day + timedelta(days=1)
        return (day.replace(day=1) + timedelta(days=32)).replace(day=1)

    def __str__(self) -> str:
        limit = str(self.limit) if self.period == "none" else f"{self.limit} a {self.period}"
        return f"{self.title} ({limit})"


def of_batch(batch: str, limit: Limit = NO_LIMIT) -> Budget:
    """The budget of a batch: what all its runs may use together."""
    return Budget(f"the budget of batch {batch}", "max_cost", f"{batch}/budget", limit)


def of_block(name: str, limit: Limit, period: Period, accounts: Iterable[str] = ()) -> Budget:
    """The budget of a saved block: what all batches in a store may use together."""
    path = f"budgets/{name}/all" if period == "none" else f"budgets/{name}"
    return Budget(f"budget {name}", "budgets", path, limit, period, frozenset(accounts))


def check_units(budgets: Sequence[Budget], prices: Iterable[tuple[str, Amount | None]]) -> None:
    """Check that every price counts towards the limits.

    Args:
        prices: accounts, and what a submission to them counts as; None if its price is unknown.

    Raises:
        RequestError: naming each account that is billed in another unit, or has a video without a price.
    """
    problems: dict[Problem, None] = {}
    for account, amount in dict.fromkeys(prices):
        for budget in budgets:
            limit = budget.limit.amount
            if limit is None or not budget.covers(account):
                continue
            if amount is None:
                rule = f"{budget} is an amount, and a video on account {account} has no known price"
                problems[Problem(budget.field, rule, "a price list on the account, or a number of videos")] = None
            elif amount.unit != limit.unit:
                rule = f"{budget} is in {limit.unit}, and account {account} is billed in {amount.unit}"
                problems[Problem(budget.field, rule, f"an amount in {amount.unit}, or other accounts")] = None
    if problems:
        raise RequestError(list(problems), subject="budget")
