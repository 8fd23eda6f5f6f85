"""`omnivideo jobs` and `omnivideo resolve`: the records of a store, and decisions about them."""

from __future__ import annotations

import asyncio
import json
import logging
import sys
from collections.abc import Sequence
from typing import Annotated

from cyclopts import Parameter

from prefect_omnivideo.cli.app import any_store, app, report_error, saved_credentials
from prefect_omnivideo.core.client.account import Account
from prefect_omnivideo.core.client.pool import connect
from prefect_omnivideo.core.errors import OmniVideoError, StatusUnavailableError, StoreError
from prefect_omnivideo.core.records import resolve as decisions
from prefect_omnivideo.core.records.batch import BatchName
from prefect_omnivideo.core.records.model import VideoRecord, VideoState
from prefect_omnivideo.core.records.repository import Records
from prefect_omnivideo.core.reports.commands import TASK_ID
from prefect_omnivideo.core.reports.listing import show_answers, show_jobs

Flag = Annotated[bool, Parameter(negative=())]


@app.command
def jobs(
    *,
    store: str,
    state: VideoState | None = None,
    batch: str | None = None,
    answers: str | None = None,
    json_: Annotated[bool, Parameter(name="--json", negative=())] = False,
    endpoint_url: str | None = None,
) -> int:
    """List the videos of a store with their states, or what the gateway answered about one of them.

    Args:
        store: s3://bucket/prefix, a folder, or a saved block such as s3-video-store/prod.
        state: Only those in this state.
        batch: Only those of this batch, by its title or its name in the store.
        answers: Key of one video, or its beginning: show the answers that were kept as evidence.
        json_: Print JSON, one array of whole records.
        endpoint_url: Address of an S3-compatible server. Keys and region come from the default AWS chain.
    """
    try:
        records = Records(any_store(store, endpoint_url))
        batch = _in_store(records, batch)
        if answers:
            show_answers(records.find(answers, batch).record)
            return 0
        among = records.batch(batch) if batch else records.all()
        found = sorted((r for r in among if state in (None, r.state)), key=lambda r: (r.batch, r.order))
    except OmniVideoError as error:
        return report_error(str(error))
    if json_:
        sys.stdout.write(json.dumps([r.model_dump(mode="json") for r in found], ensure_ascii=False, indent=2) + "\n")
    else:
        show_jobs(found)
    return 0


@app.command
def resolve(
    key: str,
    *,
    store: str,
    task_id: str | None = None,
    ask_again: Flag = False,
    link: str | None = None,
    look: Flag = False,
    resubmit: Flag = False,
    abandon: Flag = False,
    account: str | None = None,
    batch: str | None = None,
    endpoint_url: str | None = None,
) -> int:
    """Decide about a video that is not stored, whatever its state. Check the gateway's own task list first.

    Args:
        key: The video's key, or its beginning.
        store: s3://bucket/prefix, a folder, or a saved block such as s3-video-store/prod.
        task_id: The gateway accepted it under this task id: the next run of the batch collects it. With --account the
            gateway is asked about it first.
        ask_again: The gateway may have the video after all: the next run of the batch asks about its task id.
        link: Address of the finished video: it is downloaded into the store now.
        look: Look for it in the gateway's console, which the credentials of --account open.
        resubmit: The gateway did not accept it: the next run of the batch submits it, and pays.
        abandon: The video is no longer wanted: runs of the batch skip it. Any other decision takes this back.
        account: Saved credentials, such as apimart-credentials/prod. By itself: the record is theirs from now on, after
            a block was renamed or its base URL changed.
        batch: The batch, if the key alone is ambiguous.
        endpoint_url: Address of an S3-compatible server. Keys and region come from the default AWS chain.
    """
    decided = [bool(task_id), ask_again, bool(link), look, resubmit, abandon].count(True)
    if decided != 1 and not (account and not decided):
        return report_error(
            "give exactly one of --task-id T, --ask-again, --link URL, --look, --resubmit, --abandon, --account"
        )
    if task_id == TASK_ID:
        return report_error(f"put the task id that the gateway shows in the place of {TASK_ID}")
    if look and not account:
        return report_error("--look needs --account, such as --account sora-credentials/prod")
    try:
        records = Records(any_store(store, endpoint_url))
        batch, after = _in_store(records, batch), ""
        if task_id:
            if account:
                _check_task(saved_credentials(account).account(), records.find(key, batch).record, task_id)
            record = decisions.accept(records, key, batch, task_id)
        elif ask_again:
            record = decisions.ask_again(records, key, batch)
        elif link:
            record = _store(records, key, batch, link)
        elif look and account:
            return _look(records, key, batch, account)
        elif resubmit:
            record, after = decisions.resubmit(records, key, batch), "the next run of the batch submits it again"
        elif abandon:
            record = decisions.abandon(records, key, batch)
        else:
            moved = saved_credentials(account or "").account()
            record = decisions.move(records, key, batch, moved.name, moved.base_url, moved.gateway.name)
            after = f"it belongs to the account {moved.name} at {moved.base_url} now"
    except OmniVideoError as error:
        return report_error(str(error))
    sys.stdout.write(f"{record.stem}: {after or f'it is {record.state} now'}\n")
    return 0


def _in_store(records: Records, batch: str | None) -> str | None:
    """The name in the store of a batch that was given by it, or by its title.

    Raises:
        RequestError: no batch can have that name.
    """
    return batch if not batch or records.has(batch) else BatchName.of(batch)


def _check_task(account: Account, record: VideoRecord, task_id: str) -> None:
    """Ask the gateway about a task id before it is written down.

    Raises:
        StoreError: the gateway does not know it.
    """

    async def ask() -> str:
        async with connect(account) as client:
            job = await client.status(task_id, record.attempt.submit_path)
            return f"{account.gateway.title} knows the task {task_id}: {job.status_word or job.status}"

    try:
        said = asyncio.run(ask())
    except StatusUnavailableError as error:
        if error.not_found:
            raise StoreError(
                f"{error}. Nothing was changed; to write that task id all the same, leave --account out"
            ) from None
        said = f"{error}. The task id is written all the same"
    sys.stdout.write(f"{said}\n")


def _store(records: Records, key: str, batch: str | None, link: str) -> VideoRecord:
    from prefect_omnivideo.core.jobs.adopt import store_link

    log = logging.getLogger("omnivideo")
    return asyncio.run(store_link(records, records.find(key, batch), link, log))


def _look(records: Records, key: str, batch: str | None, slug: str) -> int:
    from prefect_omnivideo.core.jobs.look import look

    credentials, record = saved_credentials(slug), records.find(key, batch).record
    console = credentials.console()
    if console is None:
        return report_error(f"{slug} has no console access token and user id")
    looked = asyncio.run(look(records, credentials.account(), console, logging.getLogger("omnivideo")))
    said: Sequence[str] = [looked.said[record.batch, record.key]] if (record.batch, record.key) in looked.said else []
    sys.stdout.write(f"{record.stem}: {''.join(said) or 'the console tells nothing about it'}\n")
    return 0
