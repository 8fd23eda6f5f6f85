"""What a new-api gateway did charge a key, by its own log (docs/gateways.md, The console of a new-api gateway)."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import NamedTuple

from prefect_omnivideo.core.client.account import Account
from prefect_omnivideo.core.client.console import Charge, charges_between
from prefect_omnivideo.core.money.amount import Amount, amount_of
from prefect_omnivideo.core.prices.balance import quota_per_dollar
from prefect_omnivideo.core.records.model import Attempt, now

PATIENCE = 10.0
"""Seconds for the log."""
_CLOCKS_APART = timedelta(minutes=10)
_CONSUMED, _REFUNDED = 2, 6


class Charged(NamedTuple):
    """What the log says.

    Attributes:
        costs: what jobs did cost, refunds subtracted, by task id; only of jobs whose rows name them.
        total: what the key was charged in that time by anyone, refunds subtracted.
    """

    costs: dict[str, Amount]
    total: Amount | None


async def charged(account: Account, attempts: Collection[Attempt], since: datetime) -> Charged | None:
    """What the attempts of an account did cost, and the sum of its log since then; None if the log tells nothing.

    A charge belongs to a job if it has the id of the request that submitted it, or the job's own; a model and a time
    prove nothing, as others may use the key.
    """
    start = min([since, *(attempt.started_at for attempt in attempts)]) - _CLOCKS_APART
    try:
        async with asyncio.timeout(PATIENCE):
            rows = await charges_between(account, start, now() + _CLOCKS_APART)
            per_dollar = await quota_per_dollar(account)
    except TimeoutError:
        return None
    if not rows:
        return None
    costs = {
        attempt.task_id: cost
        for attempt in attempts
        if attempt.task_id and (cost := _sum(_rows_of(attempt, rows), per_dollar))
    }
    return Charged(costs, _sum((row for row in rows if row.created_at >= since.replace(microsecond=0)), per_dollar))


def _rows_of(attempt: Attempt, rows: Iterable[Charge]) -> list[Charge]:
    """The rows of one job; none if its first charge is not among them."""
    request = attempt.request_id
    mine = [row for row in rows if (request and row.request_id == request) or row.task_id == attempt.task_id]
    return mine if any(row.type == _CONSUMED for row in mine) else []


def _sum(rows: Iterable[Charge], per_dollar: Decimal) -> Amount | None:
    """Charges without refunds; None if there are none, or one of them does not tell its quota."""
    signs = {_CONSUMED: 1, _REFUNDED: -1}
    counted = [(signs[row.type], row.quota) for row in rows if row.type in signs]
    known = [sign * Decimal(str(quota)) for sign, quota in counted if quota is not None]
    if not counted or len(known) < len(counted):
        return None
    return amount_of(max(Decimal(0), sum(known, Decimal(0))) / per_dollar, "USD")
