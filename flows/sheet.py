"""The flow for a sheet of prompts, one video per row."""

import contextlib
from collections.abc import Sequence

from prefect.logging import get_run_logger
from prefect.runtime import flow_run

from prefect_omnivideo.blocks import S3VideoStore
from prefect_omnivideo.blocks.budget import VideoBudget
from prefect_omnivideo.blocks.credentials import GatewayCredentials
from prefect_omnivideo.core.errors import RequestError
from prefect_omnivideo.core.prices.outlook import outlook
from prefect_omnivideo.core.prices.threshold import Threshold
from prefect_omnivideo.core.records.batch import filled
from prefect_omnivideo.core.records.compact import PackedRecords
from prefect_omnivideo.core.records.model import Place
from prefect_omnivideo.core.records.repository import Records
from prefect_omnivideo.core.reports.report import BatchReport
from prefect_omnivideo.core.routes.dropping import ways
from prefect_omnivideo.core.routes.fallback import may_submit
from prefect_omnivideo.core.routes.order import Policy
from prefect_omnivideo.core.sheets.dry_run import describe
from prefect_omnivideo.core.sheets.expansion import Expansion, OnBadRow, able, expand
from prefect_omnivideo.core.sheets.readers import read_table
from prefect_omnivideo.core.sheets.source import SheetFile, name_of, read
from prefect_omnivideo.core.storage.s3 import Bucket
from prefect_omnivideo.core.threads import on_records
from prefect_omnivideo.flows.batch import run_batch
from prefect_omnivideo.flows.run.accounts import as_accounts
from prefect_omnivideo.flows.run.approval import AskAbove
from prefect_omnivideo.flows.run.balances import told
from prefect_omnivideo.flows.run.budgets import MaxCost, MaxVideos, Terms, UnknownPrice
from prefect_omnivideo.flows.run.cancelling import report_cancellation
from prefect_omnivideo.flows.run.flow import video_flow
from prefect_omnivideo.flows.run.naming import SHARD_TAG, batch_from, moment_of_run, origin_of_run
from prefect_omnivideo.flows.run.parameters import AnyAccounts, AnyStore, Count, Seconds, Text
from prefect_omnivideo.flows.run.spending import balances_before, prices_of

MAX_BYTES = 32 * 1024**2
"""Largest sheet, in bytes."""


def _run_name() -> str:
    parameters = flow_run.parameters
    verb = "dry run of" if parameters.get("dry_run") else "sheet"
    batch = parameters.get("batch")
    rest = f"for {batch}" if batch else f"of {moment_of_run():%Y-%m-%d %H:%M} UTC"
    name = f"{verb} {name_of(parameters['sheet'])} {rest}"
    if limit := parameters.get("limit"):
        name += f", {limit} videos at most"
    with contextlib.suppress(RequestError):  # a wrong placeholder: the flow reports it
        return filled(name, moment_of_run())
    return name


@video_flow(name="Generate videos from a sheet", flow_run_name=_run_name, on_cancellation=[report_cancellation])
async def generate_from_sheet(
    sheet: str,
    credentials: AnyAccounts,
    store: AnyStore,
    batch: Text = "",
    template: Text = "",
    on_bad_row: OnBadRow = "stop",
    limit: Count = 0,
    dry_run: bool = False,
    deadline: Seconds = 3600,
    max_cost: MaxCost = "",
    max_videos: MaxVideos = 0,
    budgets: Sequence[VideoBudget] = (),
    unknown_price: UnknownPrice = "highest",
    ask_above: AskAbove = "",
) -> BatchReport:
    """Make the videos of a sheet, one for each row, and store them.

    The whole sheet is read and checked before anything is spent. Run again with the same batch to submit only the new
    rows: a schedule with a fixed batch works through a growing sheet, and one with a batch such as
    daily-{date} makes every row once a day.

    Args:
        sheet: CSV, TSV, XLSX (first worksheet), JSON, JSON lines or YAML: a path on the worker, an https:// URL or
            s3://bucket/key. Dates as in s3://bucket/{date}.csv are filled in from the scheduled start in UTC. Columns
            are fields of a video request (prompt, duration, aspect_ratio, options.watermark, ...) and those that the
            template uses; takes asks for several videos of a row, and account names who makes them, such as prod.
        credentials: The account that makes and bills the videos, or several: each takes the next row it supports as
            soon as it has capacity. Or a saved route, which says when each of its accounts is taken.
        store: Where the videos and their records are kept.
        batch: Name of the batch, such as Autumn campaign, or a template such as daily-{date}. Empty: a new batch,
            named by the id of this run, or of the outermost one around it. The same row in the same batch is made
            and paid once.
        template: Prompt made of columns, such as {product} in {style}. Empty: the column prompt, or the template
            within a JSON or YAML sheet.
        on_bad_row: What to do about a row that cannot be used: stop refuses the whole sheet before anything is spent,
            skip leaves the row out.
        limit: Largest number of videos, from the top of the sheet; for a trial. 0: all.
        dry_run: Only log what would be submitted. Nothing is spent and nothing is written.
        deadline: Seconds to wait for each video. One that takes longer is collected by the next run of the batch.
        max_cost: Most money that the batch may cost, over all its runs, such as 20 USD or 300 credits. Empty: no limit.
        max_videos: Most videos to submit for the batch, over all its runs. 0: no limit.
        budgets: Saved budgets that this batch shares with others. Empty: none.
        unknown_price: With a limit on money, what a video of unknown price counts as: the highest known price of its
            account, or nothing is submitted (stop). Without any known price nothing is submitted either.
        ask_above: Ask a person, through a form of this UI, before submitting more than so much at once: 20 USD, 300
            credits or 50 videos. A cost that is not known is more. Empty: never ask.

    Returns:
        The state of every video, and the rows left out; without videos after a dry run.

    Raises:
        RequestError: the sheet, or one of its rows, cannot be used; nothing was submitted.
        StoreError: the sheet cannot be read, or the store cannot be written; nothing was submitted.
        BatchIncompleteError: a video was paid for and is not in the store yet: it still runs, or could not be
            stored. The run ends as Incomplete, which is a failure; the next one continues.
        BatchFailedError: a video failed or has an unknown outcome; the report is in `.report`.
        BatchStoppedError: videos were left out as a budget is reached, or as nobody approved them. The run ends as
            Budget reached, Trial made or Stopped, which are failures; the next one continues.
    """
    accounts, policy = await as_accounts(credentials)
    terms = Terms(max_cost, max_videos, budgets, unknown_price, ask_above)
    return await make_sheet(
        sheet, accounts, policy, store, batch, template, on_bad_row, limit, 0, dry_run, deadline, terms
    )


async def make_sheet(
    sheet: str,
    accounts: Sequence[GatewayCredentials],
    policy: Policy,
    store: AnyStore,
    batch: str | None,
    template: str | None,
    on_bad_row: OnBadRow,
    limit: int | None,
    offset: int,
    dry_run: bool,
    deadline: float,
    terms: Terms,
) -> BatchReport:
    """Make the videos of a sheet, or of one shard of it, within a flow run; see `generate_from_sheet`.

    Args:
        offset: number of videos at the top of the sheet that belong to other shards.
    """
    log = get_run_logger()
    origin = await origin_of_run()
    name, location = batch_from(origin, batch), filled(sheet.strip(), origin.moment, field="sheet")
    last = offset + limit if limit else None
    expansion = await on_records(read_sheet, location, store, template or None, accounts, on_bad_row, last)
    expansion = expansion._replace(requests=expansion.requests[offset:])
    log.info("sheet %s: %d videos", name_of(location), len(expansion.requests))
    for row in expansion.skipped:
        log.warning("left out: %s", row)
    if expansion.repeated:
        rows = ", ".join(expansion.repeated[:20])
        log.warning("made once, as an earlier row is the same (a different take makes another video): %s", rows)
    if dry_run:
        log.info("%s", await _foreseen(expansion, accounts, store, name, terms.ask_above))
    if dry_run or not expansion.requests:
        return BatchReport(batch=name, records=PackedRecords(), skipped=tuple(expansion.skipped))
    # The shards of a sheet are parts of one list.
    asked_at = origin.moment if SHARD_TAG in flow_run.tags else moment_of_run()
    first = Place(asked_at=asked_at, position=offset + 1)
    return await run_batch(
        expansion.requests,
        accounts,
        store,
        name,
        deadline,
        terms,
        tuple(expansion.skipped),
        first,
        policy=policy,
        only=expansion.only,
    )


def read_sheet(
    location: str,
    store: AnyStore,
    template: str | None,
    accounts: Sequence[GatewayCredentials],
    on_bad_row: OnBadRow,
    limit: int | None,
) -> Expansion:
    """The requests of a sheet at a location, as `expand` gives them."""
    file = file_at(location, store)
    return expand(
        read_table(file),
        template,
        [account.account() for account in accounts],
        on_bad_row,
        limit,
        [account.block_names for account in accounts],
    )


def file_at(location: str, store: AnyStore) -> SheetFile:
    """The file at a location, as `read` gives it; objects of the store's bucket by the store's credentials."""
    bucket = store.model_copy(update={"prefix": ""}).open() if isinstance(store, S3VideoStore) else None
    return read(location, at_most=MAX_BYTES, bucket=bucket if isinstance(bucket, Bucket) else None)


async def _foreseen(
    expansion: Expansion, credentials: Sequence[GatewayCredentials], store: AnyStore, batch: str, ask: str
) -> str:
    """What a run would submit, what that may cost, and whether it would be refused, or ask `ask`, because of it."""
    known = await on_records(_known, store, batch, credentials)
    book, accounts = await prices_of(credentials, store.open()), [each.account() for each in credentials]
    new = [request for request in expansion.requests if request.key not in known]
    allowed = {key: [accounts[index] for index in sorted(only)] for key, only in expansion.only.items()}
    makers = {request.key: able(request, allowed.get(request.key, accounts)) for request in new}
    expected = await on_records(outlook, [ways(request, makers[request.key]) for request in new], book)
    balances, short = await balances_before(credentials, expected)
    notes = told(balances)
    for each in credentials:
        if line := short.get(each.account_id):
            notes.append(f"{line}{'; it would be refused' if each.require_balance else ''}")
    if new and ask and (why := Threshold.parse(ask).why_above(len(new), expected)):
        notes.append(f"it would ask for approval: {why}")
    return describe(expansion.requests, known, makers, expected, notes)


def _known(store: AnyStore, batch: str, accounts: Sequence[GatewayCredentials]) -> set[str]:
    """Keys of the videos of a batch that would not be submitted again."""
    return {
        record.key
        for record in Records(store.open()).batch(batch)
        if not any(may_submit(record, account.account()) for account in accounts)
    }
