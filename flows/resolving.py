"""The flow that settles videos from the Prefect UI, as `omnivideo resolve` does on a command line."""

import re
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple, cast

from prefect.artifacts import acreate_markdown_artifact
from prefect.logging import get_run_logger
from prefect.runtime import flow_run
from prefect.states import Completed
from pydantic.json_schema import SkipJsonSchema

from prefect_omnivideo.core.errors import OmniVideoError, refuse
from prefect_omnivideo.core.jobs.settle import in_store, settle
from prefect_omnivideo.core.records.compact import PackedRecords, pack
from prefect_omnivideo.core.records.model import VideoRecord, VideoState
from prefect_omnivideo.core.records.repository import Records
from prefect_omnivideo.core.records.resolve import needs_decision
from prefect_omnivideo.core.reports.report import BatchReport
from prefect_omnivideo.core.reports.templating import render
from prefect_omnivideo.core.reports.wording import moment, title
from prefect_omnivideo.core.threads import on_records
from prefect_omnivideo.flows.run.ending import BatchFailedError, whereabouts
from prefect_omnivideo.flows.run.flow import video_flow
from prefect_omnivideo.flows.run.parameters import AnyCredentials, AnyStore
from prefect_omnivideo.flows.run.settling import FLOW_THAT_SETTLES
from prefect_omnivideo.flows.run.verdict import written
from prefect_omnivideo.tasks.events import open_records
from prefect_omnivideo.tasks.showing import only_shows

Choice = Literal["look", "found", "ask again", "resubmit", "abandon"]


class Settled(NamedTuple):
    """One video, and what became of the decision about it."""

    video: VideoRecord
    said: str
    is_done: bool


def _run_name() -> str:
    given = flow_run.parameters
    what = given.get("keys") or f"all {given.get('state', 'unknown')}"
    return f"{given['decision']}: {what} of {given.get('batch') or 'all batches'}"


@video_flow(name=FLOW_THAT_SETTLES, flow_run_name=_run_name)
async def resolve_videos(
    store: AnyStore,
    decision: Choice,
    batch: str = "",
    keys: str = "",
    state: Literal["unknown", "failed"] = "unknown",
    task_id: str = "",
    credentials: AnyCredentials | SkipJsonSchema[None] = None,
) -> BatchReport:
    """Decide about videos that are not stored: those of unknown outcome, or failed ones.

    Look for them in the gateway's own list of tasks first. Nothing is submitted or downloaded here: the next run of the
    batch does that, and the sweep downloads what was found.

    Args:
        store: Where the videos and their records are kept.
        decision: look asks the gateway's console about each video, and settles what is certain. found says that the
            gateway made it under the task ID below. ask again queries the task ID that is known. resubmit has the next
            run of the batch submit it, and pay, again. abandon gives it up; any other decision takes that back.
        batch: Name of the batch. Empty: every batch of the store, for look and for keys.
        keys: Keys of the videos, or their beginnings, as the report shows them, with blanks between them. Empty: all of
            the state below.
        state: Which videos, without keys.
        task_id: The gateway's task ID, for found.
        credentials: The account that submitted the videos. Needed for look; for found, the gateway is asked about the
            task ID first.

    Returns:
        The videos that were to be decided, in their new states.

    Raises:
        RequestError: the parameters do not say which videos, or what to do; nothing was changed.
        BatchFailedError: some videos could not be decided; the others were.
    """
    log, records = get_run_logger(), open_records(store)
    asked = re.findall(r"[^\s,;]+", keys)
    _check(decision, batch, asked, task_id, credentials)
    name = await on_records(in_store, records, batch.strip() or None)
    videos = await on_records(_wanted, records, name, asked, state)
    account = credentials.account() if credentials else None
    console = credentials.console() if credentials else None
    settled: list[Settled] = []
    for video in videos:
        try:
            said = await settle(
                records, video.key, video.batch, decision, log, given=task_id.strip(), account=account, console=console
            )
            is_done = True
        except OmniVideoError as error:
            said, is_done = str(error), False
        log.info("%s", said) if is_done else log.error("%s", said)
        settled.append(Settled(video, said, is_done))
    return await _conclude(settled, records, name, decision)


def _check(decision: Choice, batch: str, keys: Sequence[str], task_id: str, credentials: AnyCredentials | None) -> None:
    """Refuse what is not a decision, before anything is changed.

    Raises:
        RequestError: it names the parameter.
    """
    if decision == "found" and (not task_id.strip() or len(keys) != 1):
        field = "keys" if task_id.strip() else "task_id"
        raise refuse(field, "a task ID belongs to one video", "one task ID, and the key of one video", subject="form")
    if decision != "found" and task_id.strip():
        raise refuse("task_id", f"it is not used by the decision {decision}", "it with found alone", subject="form")
    if decision == "look" and (credentials is None or credentials.console() is None):
        raise refuse(
            "credentials",
            "the gateway's console cannot be opened",
            "the account that submitted the videos, with its console access token and user ID",
            subject="form",
        )
    if decision != "look" and not batch.strip() and not keys:
        rule = f"{decision} cannot be decided for all batches at once"
        raise refuse("batch", rule, "a batch, or keys", subject="form")


def _wanted(records: Records, batch: str | None, keys: Sequence[str], state: str) -> list[VideoRecord]:
    if keys:
        return [records.find(key, batch).record for key in dict.fromkeys(keys)]
    given = records.batch(batch) if batch else records.all()
    return [each for each in given if (needs_decision(each) if state == "unknown" else each.state == state)]


async def _conclude(settled: Sequence[Settled], records: Records, batch: str | None, decision: Choice) -> BatchReport:
    """Show what was decided and what is left, and bring the galleries of the batches up to date.

    Raises:
        BatchFailedError: some videos could not be decided.
    """
    log, names = get_run_logger(), list(dict.fromkeys(each.video.batch for each in settled))
    now = await on_records(lambda: list(records.batch(batch) if batch else records.all()))
    mine = {(each.video.batch, each.video.key) for each in settled}
    report = BatchReport(
        batch=batch or ", ".join(names) or "all batches",
        records=PackedRecords(pack(each) for each in now if (each.batch, each.key) in mine),
    )
    left = [each for each in now if needs_decision(each)]
    for name in names:
        whole = await written(records, BatchReport(batch=name, records=PackedRecords()), {}, log)
        report = report.model_copy(update={"gallery": whole.gallery}) if len(names) == 1 else report
    problems = [each for each in settled if not each.is_done]
    summary = f"{len(settled) - len(problems)} of {len(settled)} decided, {len(left)} left to decide."
    with only_shows("the report of the decisions"):
        page = render(
            "resolved.md",
            batch=batch or "all batches",
            summary=summary,
            decision=decision,
            settled=[each for each in settled if each.is_done],
            problems=problems,
            left=left,
            title=title,
            moment=moment,
            failed=VideoState.FAILED,
        )
        await acreate_markdown_artifact(page, key="omnivideo-resolved", description=summary)
    if problems:
        raise BatchFailedError(f"{summary} {problems[0].said}.{whereabouts(report)}", report)
    # As a state with a message; the caller of the flow gets its data.
    return cast("BatchReport", Completed(message=f"{summary}{whereabouts(report)}", data=cast("Any", report)))
