"""What a new-api gateway did charge: by the log of the key, and by the list of jobs of the user's console.

See docs/gateways.md, The console of a new-api gateway.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import NamedTuple

from prefect_omnivideo.core.client.account import Account
from prefect_omnivideo.core.client.console import Charge, Console, ConsoleTask, charges_between, tasks_seen
from prefect_omnivideo.core.money.amount import Amount, amount_of
from prefect_omnivideo.core.prices.balance import quota_per_dollar
from prefect_omnivideo.core.records.model import Attempt, now

PATIENCE = 10.0
"""Seconds for the log, and for the list of jobs."""
_CLOCKS_APART = timedelta(minutes=10)
_CONSUMED, _REFUNDED = 2, 6


class Charged(NamedTuple):
    """What the gateway says.

    Attributes:
        costs: what jobs did cost, refunds subtracted, by task id; only where that is certain.
        total: what the key was charged in that time by anyone, refunds subtracted.
    """

    costs: dict[str, Amount]
    total: Amount | None


async def charged(
    account: Account, attempts: Collection[Attempt], since: datetime, console: Console | None = None
) -> Charged | None:
    """What the attempts of an account did cost, and the sum of its log since then; None if there is no log.

    A charge belongs to a job if it has the id of the request that submitted it, or the job's own; a model and a time
    prove nothing, as others may use the key. A job whose charge is not found so costs what the console lists.
    """
    start = min([since, *(attempt.started_at for attempt in attempts)]) - _CLOCKS_APART
    try:
        async with asyncio.timeout(PATIENCE):
            rows = await charges_between(account, start, now() + _CLOCKS_APART)
            per_dollar = await quota_per_dollar(account)
    except TimeoutError:
        return None
    if rows is None:
        return None
    quotas = {attempt.task_id: _by_log(attempt, rows) for attempt in attempts if attempt.task_id}
    missing = [attempt for attempt in attempts if attempt.task_id and quotas[attempt.task_id] is None]
    if console and missing:
        quotas |= {task.task_id: _by_list(task, rows) for task in await _listed(account, console, missing)}
    amounts = {task_id: _amount(quota, per_dollar) for task_id, quota in quotas.items()}
    total = _net(row for row in rows if row.created_at >= since.replace(microsecond=0))
    return Charged({task_id: cost for task_id, cost in amounts.items() if cost}, _amount(total, per_dollar))


async def _listed(account: Account, console: Console, attempts: Collection[Attempt]) -> list[ConsoleTask]:
    """These jobs as the console lists them, as far as it does."""
    start = min(attempt.started_at for attempt in attempts) - _CLOCKS_APART
    end = max(attempt.claim_ends_at for attempt in attempts) + _CLOCKS_APART
    wanted = {attempt.task_id for attempt in attempts}
    try:
        async with asyncio.timeout(PATIENCE):
            return [task for task in await tasks_seen(account, console, start, end) if task.task_id in wanted]
    except TimeoutError:
        return []


def _by_log(attempt: Attempt, rows: Iterable[Charge]) -> Decimal | None:
    """The quota of a job by the log; None if neither its first charge nor its settlement is there."""
    request = attempt.request_id
    mine = [row for row in rows if (request and row.request_id == request) or row.task_id == attempt.task_id]
    if any(row.type == _CONSUMED and row.settled is None for row in mine):
        return _net(mine)
    # A settlement alone, or a refund of all: without the first charge their own quota is only a difference.
    return Decimal(str(mine[0].settled)) if len(mine) == 1 and mine[0].settled is not None else None


def _by_list(task: ConsoleTask, rows: Iterable[Charge]) -> Decimal | None:
    """The quota of a job that has ended, by the console's list and the refunds that the log has of it.

    Some versions leave in the list what was charged first, others what is left.
    """
    if task.quota is None:
        return None
    quota, later = Decimal(str(task.quota)), [row for row in rows if row.task_id == task.task_id]
    if task.status == "SUCCESS":
        return None if later else quota
    if task.status != "FAILURE":
        return None
    refunded = _net(later) if quota else Decimal(0)
    return None if refunded is None else max(Decimal(0), quota + refunded)


def _net(rows: Iterable[Charge]) -> Decimal | None:
    """Charges without refunds; None if there are none, or one of them does not tell its quota."""
    signs = {_CONSUMED: 1, _REFUNDED: -1}
    counted = [(signs[row.type], row.quota) for row in rows if row.type in signs]
    known = [sign * Decimal(str(quota)) for sign, quota in counted if quota is not None]
    return sum(known, Decimal(0)) if counted and len(known) == len(counted) else None


def _amount(quota: Decimal | None, per_dollar: Decimal) -> Amount | None:
    return None if quota is None else amount_of(max(Decimal(0), quota) / per_dollar, "USD")
