"""A person's decision about one video: what the command `omnivideo resolve` and the flow "Resolve videos" share."""

from __future__ import annotations

from typing import Literal

from prefect_omnivideo.core.client.account import Account
from prefect_omnivideo.core.client.console import Console
from prefect_omnivideo.core.client.pool import connect
from prefect_omnivideo.core.errors import StatusUnavailableError, StoreError
from prefect_omnivideo.core.jobs.adopt import store_link
from prefect_omnivideo.core.jobs.look import look
from prefect_omnivideo.core.jobs.ownership import is_owner
from prefect_omnivideo.core.jobs.persist import Log
from prefect_omnivideo.core.records import resolve as decisions
from prefect_omnivideo.core.records.batch import BatchName
from prefect_omnivideo.core.records.model import VideoRecord
from prefect_omnivideo.core.records.repository import Records
from prefect_omnivideo.core.threads import on_records

Decision = Literal["found", "ask again", "link", "look", "resubmit", "abandon", "move"]
"""What is to be done about a video that is not stored:

found: the gateway accepted it under a task id; with an account, the gateway is asked about it first.
ask again: the gateway may have the video of the known task id after all.
link: it is downloaded from an address.
look: the gateway's console is asked.
resubmit: the gateway did not accept it; the next run of the batch submits it, and pays.
abandon: it is no longer wanted.
move: the account that submitted it has another name or address now.
"""


async def settle(
    records: Records,
    key: str,
    batch: str | None,
    decision: Decision,
    log: Log,
    *,
    given: str = "",
    account: Account | None = None,
    console: Console | None = None,
) -> str:
    """Carry out a decision about one video. Returns what was done, for people.

    Args:
        key: the video's key, or its beginning.
        batch: its name in the store, or None if the key alone says which video it is.
        given: the task id, or the link.
        account: the account that submitted it; needed to look and to move.
        console: that of the account; needed to look.

    Raises:
        StoreError: there is no such video, it needs no decision, or it cannot be decided so.
        TransferError: the link does not lead to a video.
    """
    found = await on_records(records.find, key, batch)
    before, key, batch = found.record, found.record.key, found.record.batch
    said, after = "", ""
    match decision:
        case "found":
            if account:
                said = f"{await _known(account, before, given)}. "
            record = await on_records(decisions.accept, records, key, batch, given)
        case "ask again":
            record = await on_records(decisions.ask_again, records, key, batch)
        case "link":
            record = await store_link(records, found, given, log)
        case "look":
            return f"{before.stem}: {await _looked(records, before, account, console, log)}"
        case "resubmit":
            record = await on_records(decisions.resubmit, records, key, batch)
            after = "the next run of the batch submits it again"
        case "abandon":
            record = await on_records(decisions.abandon, records, key, batch)
        case "move":
            if account is None:
                raise StoreError(f"{before.stem}: name the account that it belongs to now")
            record = await on_records(
                decisions.move, records, key, batch, account.name, account.base_url, account.gateway.name
            )
            after = f"it belongs to the account {account.name} at {account.base_url} now"
    return f"{said}{record.stem}: {after or f'it is {record.state} now'}"


def in_store(records: Records, batch: str | None) -> str | None:
    """The name in the store of a batch that was given by it, or by its title.

    Raises:
        RequestError: no batch can have that name.
    """
    return batch if not batch or records.has(batch) else BatchName.of(batch)


async def _known(account: Account, record: VideoRecord, task_id: str) -> str:
    """What the gateway says about a task id, before it is written down.

    Raises:
        StoreError: the gateway does not know it.
    """
    try:
        async with connect(account) as client:
            job = await client.status(task_id, record.attempt.submit_path)
    except StatusUnavailableError as error:
        if error.not_found:
            raise StoreError(
                f"{error}. Nothing was changed; to write that task id all the same, leave the account out"
            ) from None
        return f"{error}. The task id is written all the same"
    return f"{account.gateway.title} knows the task {task_id}: {job.status_word or job.status}"


async def _looked(
    records: Records, record: VideoRecord, account: Account | None, console: Console | None, log: Log
) -> str:
    if account is None or console is None:
        raise StoreError(f"{record.stem}: these credentials have no console access token and user id")
    if not is_owner(record, account):
        raise StoreError(
            f"{record.stem} was submitted by the account {record.attempt.account} at {record.attempt.base_url}: its "
            "credentials are needed to look for it"
        )
    looked = await look(records, account, console, log)
    return looked.said.get((record.batch, record.key)) or "the console tells nothing about it"
