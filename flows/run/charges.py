"""What a run did cost, from gateways that tell it in a log of their own, and what is left."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime

from prefect_omnivideo.blocks.credentials import GatewayCredentials
from prefect_omnivideo.core.client.account import Account
from prefect_omnivideo.core.jobs.ownership import is_owner
from prefect_omnivideo.core.jobs.persist import Log
from prefect_omnivideo.core.money.amount import Amount
from prefect_omnivideo.core.prices.balance import balance_of
from prefect_omnivideo.core.prices.charges import charged
from prefect_omnivideo.core.records.compact import Packed, pack
from prefect_omnivideo.core.records.model import VideoRecord, VideoState
from prefect_omnivideo.core.records.repository import Records, record_name
from prefect_omnivideo.core.threads import on_records
from prefect_omnivideo.tasks.showing import only_shows


async def settle(
    accounts: Sequence[GatewayCredentials], made: Mapping[str, Packed], records: Records, since: datetime, log: Log
) -> tuple[dict[str, Packed], tuple[str, ...]]:
    """Record what videos did cost by the logs of their accounts.

    Args:
        made: the records of the run, by name.
        since: when the run began.

    Returns:
        The records that changed, by name, and what the accounts were charged, in lines for the report.
    """
    changed: dict[str, Packed] = {}
    lines: list[str] = []
    quiet = Records(records.store)  # a cost is no new state of a video: nobody is told of one again
    for account in (each.account() for each in accounts):
        if not account.gateway.has_price_page:
            continue
        with only_shows(f"what account {account.name} was charged"):
            mine = await on_records(_unsettled, account, made)
            found = await charged(account, [record.attempt for record in mine], since) if mine else None
            if found is None:
                continue
            todo = [(record, found.costs.get(record.attempt.task_id or "")) for record in mine]
            done = await asyncio.gather(*(on_records(_keep, quiet, record, cost) for record, cost in todo if cost))
            changed |= {record_name(record): pack(record) for record in done if record}
            if found.total:
                lines.append(f"charged to the key of account {account.name} since {since:%H:%M:%S %Z}: {found.total}")
            if left := await balance_of(account):
                lines.append(f"balance of account {account.name}: {left}")
    for line in lines:
        log.info("%s", line)
    return changed, tuple(lines)


def _unsettled(account: Account, made: Mapping[str, Packed]) -> list[VideoRecord]:
    """Ended jobs of the account whose cost is not known, or may have been refunded meanwhile."""
    ended = (each.record for each in made.values() if each.state in (VideoState.STORED, VideoState.FAILED))
    return [
        record
        for record in ended
        if record.attempt.task_id
        and is_owner(record, account)
        and (record.attempt.cost is None or (record.state is VideoState.FAILED and record.attempt.cost.value))
    ]


def _keep(records: Records, record: VideoRecord, cost: Amount) -> VideoRecord | None:
    current = records.get(record_name(record))
    if current is None:
        return None
    return records.update(current, lambda latest: latest.charged(record.attempt.claim_id, cost)).record
