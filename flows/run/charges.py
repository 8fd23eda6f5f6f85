"""What a run did cost, from gateways that tell it on pages of their own."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from prefect_omnivideo.blocks.credentials import GatewayCredentials
from prefect_omnivideo.core.client.account import Account
from prefect_omnivideo.core.jobs.persist import Log
from prefect_omnivideo.core.money.amount import Amount
from prefect_omnivideo.core.prices.charges import Charged, charged
from prefect_omnivideo.core.records.compact import Packed, pack
from prefect_omnivideo.core.records.model import Attempt, VideoRecord, VideoState
from prefect_omnivideo.core.records.repository import Records, record_name
from prefect_omnivideo.core.threads import on_records
from prefect_omnivideo.tasks.showing import only_shows


async def settle(
    accounts: Sequence[GatewayCredentials], made: Mapping[str, Packed], records: Records, since: datetime, log: Log
) -> tuple[dict[str, Packed], tuple[str, ...]]:
    """Record what videos did cost by the logs and consoles of their accounts.

    Args:
        made: the records of the run, by name.
        since: when the run began.

    Returns:
        The records that changed, by name, and what the accounts were charged, in lines for the report.
    """
    changed: dict[str, Packed] = {}
    lines: list[str] = []
    quiet = Records(records.store)  # a cost is no new state of a video: nobody is told of one again
    for credentials in accounts:
        account = credentials.account()
        if not account.gateway.has_price_page:
            continue
        with only_shows(f"what account {account.name} was charged"):
            mine = await on_records(_unsettled, account, made)
            attempts = [attempt for some in mine.values() for attempt in some]
            found = await charged(account, attempts, since, credentials.console()) if mine else None
            if found is None:
                continue
            costs = {name: _costs_of(attempts, found) for name, attempts in mine.items()}
            done = await asyncio.gather(*(on_records(_keep, quiet, name, told) for name, told in costs.items() if told))
            changed |= {record_name(record): pack(record) for record in done if record}
            if found.total:
                lines.append(f"charged to the key of account {account.name} since {since:%H:%M:%S %Z}: {found.total}")
    for line in lines:
        log.info("%s", line)
    return changed, tuple(lines)


def _unsettled(account: Account, made: Mapping[str, Packed]) -> dict[str, list[Attempt]]:
    """Jobs of the account whose cost is not known, or may have been refunded meanwhile, by the names of records."""
    ended = (each.record for each in made.values() if each.state in (VideoState.STORED, VideoState.FAILED))
    found = {
        record_name(record): [each for each in record.attempts if _is_unsettled(each, account)] for record in ended
    }
    return {name: attempts for name, attempts in found.items() if attempts}


def _is_unsettled(attempt: Attempt, account: Account) -> bool:
    is_open = attempt.cost is None or (attempt.failure is not None and attempt.cost.value > 0)
    is_mine = account.is_same(attempt.gateway, attempt.account, attempt.base_url)
    return attempt.task_id is not None and is_mine and is_open


def _costs_of(attempts: Iterable[Attempt], found: Charged) -> dict[str, Amount]:
    """What became known, by claim."""
    told = {each.claim_id: found.costs.get(each.task_id or "") for each in attempts}
    return {claim_id: cost for claim_id, cost in told.items() if cost}


def _keep(records: Records, name: str, costs: Mapping[str, Amount]) -> VideoRecord | None:
    def step(latest: VideoRecord) -> VideoRecord | None:
        settled = latest
        for claim_id, cost in costs.items():
            settled = settled.charged(claim_id, cost) or settled
        return None if settled is latest else settled

    current = records.get(name)
    return current and records.update(current, step).record
