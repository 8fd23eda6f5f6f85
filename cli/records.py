"""`omnivideo jobs` and `omnivideo resolve`: the records of a store, and decisions about them."""

from __future__ import annotations

import asyncio
import json
import logging
import sys
from typing import Annotated

from cyclopts import Parameter

from prefect_omnivideo.cli.app import any_store, app, report_error, saved_credentials
from prefect_omnivideo.core.errors import OmniVideoError
from prefect_omnivideo.core.jobs.settle import Decision, in_store, settle
from prefect_omnivideo.core.records.model import VideoState
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
        batch = in_store(records, batch)
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
    choices: dict[Decision, bool] = {
        "found": bool(task_id),
        "ask again": ask_again,
        "link": bool(link),
        "look": look,
        "resubmit": resubmit,
        "abandon": abandon,
    }
    decided = sum(choices.values())
    if decided != 1 and not (account and not decided):
        return report_error(
            "give exactly one of --task-id T, --ask-again, --link URL, --look, --resubmit, --abandon, --account"
        )
    if task_id == TASK_ID:
        return report_error(f"put the task id that the gateway shows in the place of {TASK_ID}")
    if look and not account:
        return report_error("--look needs --account, such as --account sora-credentials/prod")
    decision: Decision = "move"
    for name, is_given in choices.items():
        decision = name if is_given else decision
    try:
        records, credentials = Records(any_store(store, endpoint_url)), account and saved_credentials(account)
        said = asyncio.run(
            settle(
                records,
                key,
                in_store(records, batch),
                decision,
                logging.getLogger("omnivideo"),
                given=task_id or link or "",
                account=credentials.account() if credentials else None,
                console=credentials.console() if credentials else None,
            )
        )
    except OmniVideoError as error:
        return report_error(str(error))
    sys.stdout.write(f"{said}\n")
    return 0
