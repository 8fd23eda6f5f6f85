"""The balances of a run's accounts, before its first submission and at its end, held against its costs."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from prefect_omnivideo.blocks.credentials import GatewayCredentials
from prefect_omnivideo.core.client.account import Account
from prefect_omnivideo.core.jobs.persist import Log
from prefect_omnivideo.core.money.amount import Amount
from prefect_omnivideo.core.prices.balance import balance_of, difference
from prefect_omnivideo.core.records.compact import PackedRecords
from prefect_omnivideo.core.records.model import Attempt
from prefect_omnivideo.core.threads import on_records
from prefect_omnivideo.tasks.showing import only_shows


async def balances_of(accounts: Iterable[Account]) -> dict[str, Amount]:
    """What is left on accounts, by their ids, where a page of their gateway tells it."""
    asked = list(accounts)
    told = await asyncio.gather(*map(balance_of, asked))
    return {account.id: left for account, left in zip(asked, told, strict=True) if left is not None}


def told(balances: Mapping[str, Amount]) -> list[str]:
    """The same, in a line for each account."""
    return [f"balance of account {name_of(account_id)}: {left}" for account_id, left in balances.items()]


def name_of(account_id: str) -> str:
    """The name of an account, which is the last part of its id."""
    return account_id.partition("/")[2]


async def balances_after(
    accounts: Sequence[GatewayCredentials],
    before: Mapping[str, Amount],
    records: PackedRecords,
    since: datetime,
    log: Log,
) -> tuple[str, ...]:
    """What is left on accounts at the end of a run, and where that is not what its recorded costs explain.

    Args:
        before: what was left before its first submission; only these accounts are asked.
        records: those of the run.
        since: when the run began.
    """
    lines: list[str] = []
    with only_shows("the balances"):
        mine = {account.id: account for account in (each.account() for each in accounts) if account.id in before}
        after = await balances_of(mine.values())
        lines += told(after)
        for account_id, left in after.items():
            costs = [attempt.cost for attempt in await on_records(_attempts, mine[account_id], records, since)]
            lines += filter(None, [difference(name_of(account_id), before[account_id], left, costs)])
    for line in lines:
        log.info("%s", line)
    return tuple(lines)


def _attempts(account: Account, records: PackedRecords, since: datetime) -> list[Attempt]:
    """The submissions of the account since then that were accepted, or may have been."""
    return [
        attempt
        for record in records
        for attempt in record.attempts
        if attempt.started_at >= since
        and account.is_same(attempt.gateway, attempt.account, attempt.base_url)
        and (attempt.failure is None or attempt.failure.accepted)
    ]
