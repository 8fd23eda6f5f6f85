"""The flow for a long sheet: each shard is a separate flow run on any worker, and the store is all they share."""

import asyncio
from collections.abc import Sequence
from itertools import takewhile
from typing import Annotated, Any

from prefect.blocks.core import Block
from prefect.client.schemas.objects import FlowRun
from prefect.deployments import arun_deployment
from prefect.logging import get_run_logger
from prefect.runtime import flow_run
from pydantic import Field

from prefect_omnivideo.blocks.budget import VideoBudget
from prefect_omnivideo.core.errors import Problem, RequestError
from prefect_omnivideo.core.jobs.persist import Log
from prefect_omnivideo.core.records.batch import filled
from prefect_omnivideo.core.records.compact import PackedRecords, in_order, pack
from prefect_omnivideo.core.records.model import now
from prefect_omnivideo.core.records.repository import name_in, record_name
from prefect_omnivideo.core.reports.report import BatchReport
from prefect_omnivideo.core.sheets.expansion import OnBadRow
from prefect_omnivideo.core.sheets.source import name_of
from prefect_omnivideo.core.threads import on_records
from prefect_omnivideo.flows.run.accounts import as_accounts, eligible
from prefect_omnivideo.flows.run.approval import AskAbove, approve
from prefect_omnivideo.flows.run.balances import balances_after
from prefect_omnivideo.flows.run.budgets import MaxCost, MaxVideos, Terms, UnknownPrice, Work, check_budgets, used_of
from prefect_omnivideo.flows.run.cancelling import cancel_shards
from prefect_omnivideo.flows.run.ending import (
    BUDGET_REACHED,
    INCOMPLETE,
    BatchFailedError,
    BatchIncompleteError,
    BatchStoppedError,
    whereabouts,
)
from prefect_omnivideo.flows.run.flow import video_flow
from prefect_omnivideo.flows.run.naming import SHARD_TAG, batch_from, origin_of_run
from prefect_omnivideo.flows.run.parameters import AnyAccounts, AnyStore, Seconds, Text
from prefect_omnivideo.flows.run.progress import Progress, show_report
from prefect_omnivideo.flows.run.spending import announce_spending, prices_of
from prefect_omnivideo.flows.run.verdict import asks_again, continues, goes_on, written
from prefect_omnivideo.flows.sheet import read_sheet
from prefect_omnivideo.tasks.events import announce_batch, open_records

SHARD_TRIES = 3
"""Flow runs per shard: a shard whose worker died is run by another one, without paying again."""


def _run_name() -> str:
    return f"shards of {name_of(flow_run.parameters['sheet'])} for {flow_run.parameters['batch']}"


@video_flow(name="Generate sharded", flow_run_name=_run_name, on_cancellation=[cancel_shards])
async def generate_sharded(
    sheet: str,
    credentials: AnyAccounts,
    store: AnyStore,
    batch: str,
    deployment: str = "Generate a shard/shard",
    shard_size: Annotated[int, Field(ge=1, le=500)] = 200,
    shards_in_flight: Annotated[int, Field(ge=1, le=100)] = 8,
    template: Text = "",
    on_bad_row: OnBadRow = "stop",
    deadline: Seconds = 3600,
    max_cost: MaxCost = "",
    max_videos: MaxVideos = 0,
    budgets: Sequence[VideoBudget] = (),
    unknown_price: UnknownPrice = "highest",
    ask_above: AskAbove = "",
) -> BatchReport:
    """Make the videos of a long sheet with many workers, each shard in a separate flow run.

    The sheet is read and checked before anything is spent; a shard gets the range of its rows, not the rows.
    Run again with the same batch to submit only what is missing.

    Args:
        sheet: CSV, TSV, XLSX (first worksheet), JSON, JSON lines or YAML: an https:// URL, s3://bucket/key, or a path
            that is the same on every worker. Dates as in s3://bucket/{date}.csv are filled in from the scheduled start
            in UTC. Columns are fields of a video request (prompt, duration, ...) and those that the template uses.
        credentials: The saved account that makes and bills the videos, several, or a route. The jobs in flight of an
            account apply to each shard; set up a concurrency limit to limit them across workers.
        store: The saved store for the videos and their records; every worker must be able to reach it.
        batch: Name of the batch, or a template such as daily-{date}, filled in once for all shards.
        deployment: The deployment of Generate a shard that workers run, as flow name/deployment name.
        shard_size: Videos of one shard.
        shards_in_flight: Shards that run at a time.
        template: Prompt made of columns, such as {product} in {style}. Empty: the column prompt, or the template
            within a JSON or YAML sheet.
        on_bad_row: What to do about a row that cannot be used: stop refuses the whole sheet before anything is spent,
            skip leaves the row out.
        deadline: Seconds to wait for each video. One that takes longer is collected by the next run of the batch.
        max_cost: Most money that the batch may cost, over all its runs, such as 20 USD or 300 credits. Empty: no limit.
        max_videos: Most videos to submit for the batch, over all its runs. 0: no limit.
        budgets: Saved budgets that this batch shares with others. Empty: none.
        unknown_price: With a limit on money, what a video of unknown price counts as: the highest known price of its
            account, or nothing is submitted (stop). Without any known price nothing is submitted either.
        ask_above: Ask a person, through a form of this UI, before submitting more than so much at once: 20 USD, 300
            credits or 50 videos. A cost that is not known is more. Empty: never ask.

    Returns:
        The state of every video of the batch.

    Raises:
        RequestError: the sheet cannot be used, or a block is not saved; nothing was submitted.
        BatchIncompleteError: a video was paid for and is not in the store yet: it still runs, or could not be
            stored. The run ends as Incomplete, which is a failure; the next one continues.
        BatchFailedError: a video failed or has an unknown outcome, or a shard failed.
        BatchStoppedError: videos were left out as a budget is reached, or as nobody approved them. The run ends as
            Budget reached, Trial made or Stopped, which are failures; the next one continues.
    """
    log = get_run_logger()
    (accounts, _), origin = await as_accounts(credentials), await origin_of_run()
    name, location = batch_from(origin, batch), filled(sheet.strip(), origin.moment, field="sheet")
    shared = {
        "sheet": location,
        "credentials": _references(credentials),
        "store": _reference(store, "store"),
        "batch": name,
        "template": template or "",
        "on_bad_row": on_bad_row,
        "deadline": deadline,
        "max_cost": max_cost,
        "max_videos": max_videos,
        "budgets": [_reference(budget, "budgets") for budget in budgets],
        "unknown_price": unknown_price,
    }
    expansion = await on_records(read_sheet, location, store, template or None, accounts, on_bad_row, None)
    terms, records = Terms(max_cost, max_videos, budgets, unknown_price, ask_above), open_records(store)
    able = await on_records(eligible, expansion.requests, accounts, records.store, expansion.only)
    work = [Work(r, [accounts[index] for index in found]) for r, found in zip(expansion.requests, able, strict=True)]
    book, began_at = await prices_of(accounts, records.store), now()
    await check_budgets(terms, name, records, work, book)
    announced = await announce_spending(expansion.requests, able, accounts, book, records, name, log)
    decision = await approve(ask_above, name, records, work, book, announced.lines)
    # A shard makes a range: a trial ends with the last video that was approved.
    approved = [] if decision.stops else list(takewhile(lambda r: r.key not in decision.held, expansion.requests))
    offsets = range(0, len(approved), shard_size)
    log.info("sheet %s: %d videos in %d shards", name_of(location), len(approved), len(offsets))
    progress, room, done = Progress(max(1, len(offsets))), asyncio.Semaphore(shards_in_flight), 0

    async def run(offset: int) -> str:
        nonlocal done
        async with room:
            size = min(shard_size, len(approved) - offset) if decision.held else shard_size
            problem = await _run_shard(deployment, name, {**shared, "offset": offset, "limit": size}, log)
        done += 1
        await progress.show(done, f"{done} of {len(offsets)} shards done: batch {name}")
        return problem

    ends = await asyncio.gather(*map(run, offsets))
    problems = [end for end in ends if end and end != BUDGET_REACHED]
    found = await on_records(lambda: {record_name(record): pack(record) for record in records.batch(name)})
    asked = [name_in(name, request) for request in expansion.requests]
    made = in_order({each: found.pop(each) for each in asked if each in found}, found)
    held = sum(request.key in decision.held and name_in(name, request) not in made for request in expansion.requests)
    missing = sum(each not in made for each in asked) - held
    stopped, recorded = BUDGET_REACHED in ends, PackedRecords(made.values())
    report = BatchReport(
        batch=name,
        title=name.typed,
        records=recorded,
        skipped=tuple(expansion.skipped),
        left_out=missing if stopped else 0,
        budgets=await used_of(terms, name, records) if stopped else (),
        spending=announced.lines,
        charged=await balances_after(accounts, announced.balances, recorded, began_at, log),
        approval=decision.approval,
        held=held,
    )
    report = await written(records, report, made, log)
    await show_report(report)
    announce_batch(report)
    log.info("%s", report.summary())
    if missing and not stopped:
        problems.append(f"{missing} of {len(expansion.requests)} videos were never submitted")
    message = " ".join([report.summary(), *problems])
    if decision.stops:
        raise BatchStoppedError(f"{message} {asks_again(report)}{whereabouts(report)}", report)
    if count := len(report.pending):
        raise BatchIncompleteError(f"{message} {goes_on(count, name)}.{whereabouts(report)}", report)
    if problems or report.unresolved:
        raise BatchFailedError(f"{message}{whereabouts(report)}", report)
    if stopped:
        raise BatchStoppedError(f"{message} {continues(report)}{whereabouts(report)}", report)
    if held:
        raise BatchStoppedError(f"{message} {asks_again(report)}{whereabouts(report)}", report)
    return report


async def _run_shard(deployment: str, batch: str, parameters: dict[str, Any], log: Log) -> str:
    """Run one shard to its end, and again if its worker died.

    Returns:
        The problem; `BUDGET_REACHED` if a budget stopped it; empty if there is none, or its records show it.
    """
    first, size = parameters["offset"] + 1, parameters["limit"]
    what = f"videos {first} to {first + size - 1}"
    for number in range(1, SHARD_TRIES + 1):
        run: FlowRun = await arun_deployment(
            deployment,
            parameters=parameters,
            flow_run_name=f"{batch}: {what}",
            tags=[SHARD_TAG],
            idempotency_key=f"{flow_run.id}-{flow_run.run_count}-{first}-{number}",
        )
        state = run.state
        if state is None or state.is_completed() or state.name == INCOMPLETE:
            return ""
        if state.name == BUDGET_REACHED:
            return BUDGET_REACHED
        if not state.is_crashed():
            return f"Shard with {what} ended {state.name}: {state.message}."
        log.warning("the shard with %s crashed (%s); it is run again and collects what was paid for", what, run.name)
    return f"Shard with {what} crashed {SHARD_TRIES} times."


def _references(credentials: AnyAccounts) -> object:
    """The accounts as a parameter."""
    if isinstance(credentials, list):
        return [_reference(each, "credentials") for each in credentials]
    return _reference(credentials, "credentials")


def _reference(block: Block, field: str) -> dict[str, dict[str, str]]:
    """A saved block as a parameter: workers are sent only its name.

    Raises:
        RequestError: it was never saved.
    """
    name = block._block_document_name  # pyright: ignore[reportPrivateUsage]  # Prefect offers no public way
    if not name:
        raise RequestError(
            [Problem(field, "the block was never saved, and its secrets must not be sent to workers", "a saved block")],
            subject="parameters",
        )
    return {"$ref": {"block_document_slug": f"{type(block).get_block_type_slug()}/{name}"}}
