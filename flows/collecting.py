"""The flow that collects the submitted videos of a batch, without its prompts."""

import asyncio
from collections.abc import Iterable, Sequence

from prefect.logging import get_run_logger
from prefect.runtime import flow_run

from prefect_omnivideo.blocks.credentials import GatewayCredentials
from prefect_omnivideo.core.jobs.ownership import is_owner
from prefect_omnivideo.core.jobs.persist import latest
from prefect_omnivideo.core.jobs.posters import add_posters, lacks_posters
from prefect_omnivideo.core.jobs.submit import await_outcome
from prefect_omnivideo.core.records.compact import PackedRecords
from prefect_omnivideo.core.records.model import Order, VideoRecord, VideoState
from prefect_omnivideo.core.records.repository import Records
from prefect_omnivideo.core.reports.report import BatchReport
from prefect_omnivideo.core.reports.start_page import PAGE, relist_batches
from prefect_omnivideo.core.routes.order import Accounts
from prefect_omnivideo.core.storage.base import ObjectStore
from prefect_omnivideo.core.threads import on_records
from prefect_omnivideo.flows.run.accounts import as_accounts
from prefect_omnivideo.flows.run.cancelling import report_cancellation
from prefect_omnivideo.flows.run.ending import BatchFailedError, BatchIncompleteError, is_open, whereabouts
from prefect_omnivideo.flows.run.fan_out import fan_out
from prefect_omnivideo.flows.run.flow import video_flow
from prefect_omnivideo.flows.run.naming import batch_from, origin_of_run
from prefect_omnivideo.flows.run.parameters import AnyAccounts, AnyStore, Seconds, Text
from prefect_omnivideo.flows.run.spent import Spent
from prefect_omnivideo.flows.run.verdict import Outcome, draw_gallery
from prefect_omnivideo.flows.video import finish_video, look_up
from prefect_omnivideo.tasks.events import open_records
from prefect_omnivideo.tasks.showing import only_shows

ALL = "all batches"
"""Batch name in the report of all batches."""


def _run_name() -> str:
    return f"collect {flow_run.parameters.get('batch') or 'all batches'}"


@video_flow(name="Collect videos", flow_run_name=_run_name, on_cancellation=[report_cancellation])
async def collect_videos(
    batch: Text,
    credentials: AnyAccounts,
    store: AnyStore,
    deadline: Seconds = 3600,
) -> BatchReport:
    """Download every video of a batch that was submitted and is not stored yet. Submits nothing.

    Args:
        batch: Name of the batch, or the template it was made with. Empty: every batch of the store with such videos.
        credentials: The account that submitted the videos, or all accounts that did; or their route.
        store: Where the videos and their records are kept.
        deadline: Seconds to wait for each video.

    Returns:
        The state of every video of the batch; with every batch, only of those that were not stored yet.

    Raises:
        BatchIncompleteError: a video was paid for and is not in the store yet: it still runs, or could not be
            stored. The run ends as Incomplete, which is a failure; the next one continues.
        BatchFailedError: a video failed or has an unknown outcome; the report is in `.report`.
    """
    (accounts, _), name = await as_accounts(credentials), ""
    records, spent = open_records(store), Spent()
    bare: set[str] = set()
    """Batches with stored videos whose posters were left to this sweep."""

    def may_be_found(record: VideoRecord) -> bool:
        """Whether the gateway's console may show its outcome."""
        consoles = [account for account in accounts if account.console() and is_owner(record, account.account())]
        return record.state is VideoState.UNKNOWN and bool(consoles)

    def needs_work(record: VideoRecord) -> bool:
        """Whether the sweep has to do with it; the cost of all others is counted."""
        needed = is_open(record) or may_be_found(record)
        if not needed:
            spent.count([record])
        if lacks_posters(record, records.store):
            bare.add(record.batch)
        return needed

    if batch:
        name = batch_from(await origin_of_run(), batch)
        found = await on_records(lambda: sorted(records.batch(name), key=_order))
        outcomes: dict[str, Outcome] = {name: _outcome(name, records, found)}
    else:
        found = await on_records(lambda: sorted(filter(needs_work, records.all()), key=_order))
        names = dict.fromkeys(record.batch for record in found)
        outcomes = {name: _outcome(name, records, [r for r in found if r.batch == name]) for name in names}

    async def collect(record: VideoRecord, account: GatewayCredentials) -> None:
        outcome = outcomes[record.batch]
        async with outcome.of(record.request):
            newest = await await_outcome(records, await latest(records, record))
            stored = await finish_video(await look_up(newest, account, store), account, store, deadline)
            outcome.add(await add_posters(stored, records, get_run_logger()))

    def owners(record: VideoRecord) -> Accounts:
        """The account that submitted it; if none did, the first one, which reports the missing credentials."""
        if record.state is VideoState.STORED:
            return frozenset(range(len(accounts)))
        mine = frozenset(i for i, account in enumerate(accounts) if is_owner(record, account.account()))
        return mine or frozenset((0,))

    def give_up(record: VideoRecord, error: Exception) -> None:
        outcomes[record.batch].give_up(record.request, error)

    await fan_out(((record, (owners(record),)) for record in found), accounts, collect, give_up=give_up)
    if batch:
        return await outcomes[name].conclude(accounts)
    for each in sorted(bare):
        await _illustrate(records, each)
    whole, problems = await _conclude_all(outcomes.values(), accounts, records.store)
    await spent.show(found, whole.records)
    if problems:
        raise _failure(problems, whole)
    return whole


def _outcome(batch: str, records: Records, found: Sequence[VideoRecord]) -> Outcome:
    return Outcome(batch, records, [record.request for record in found], get_run_logger())


def _order(record: VideoRecord) -> Order:
    return record.order


async def _conclude_all(
    outcomes: Iterable[Outcome], accounts: Sequence[GatewayCredentials], store: ObjectStore
) -> tuple[BatchReport, Sequence[BatchFailedError]]:
    """The reports of several batches in one, whose gallery is the start page of the store; and what failed."""
    reports: list[BatchReport] = []
    problems: list[BatchFailedError] = []
    for outcome in outcomes:
        try:
            reports.append(await outcome.conclude(accounts))
        except BatchFailedError as error:
            reports.append(error.report)
            problems.append(error)
    whole = BatchReport(
        batch=ALL,
        records=PackedRecords(each for report in reports for each in report.records.packed),
        gallery=await _start_page(store),
    )
    return whole, problems


async def _illustrate(records: Records, batch: str) -> None:
    """Make the posters that stored videos of a batch lack, and draw its gallery anew."""
    log = get_run_logger()
    with only_shows(f"the posters of batch {batch}"):
        stored = await on_records(lambda: list(records.batch(batch)))
        await asyncio.gather(*(add_posters(record, records, log) for record in stored))
        await on_records(draw_gallery, records, BatchReport(batch=batch, records=PackedRecords()), {}, log)


def _failure(problems: Sequence[BatchFailedError], whole: BatchReport) -> BatchFailedError:
    """The failures of several batches in one."""
    incomplete = any(isinstance(error, BatchIncompleteError) for error in problems)
    kind = BatchIncompleteError if incomplete else BatchFailedError
    told = " ".join(f"{error.report.batch}: {error}" for error in problems)
    return kind(f"{told}{whereabouts(whole)}", whole)


async def _start_page(store: ObjectStore) -> str | None:
    """Make the start page anew; its address, or None if that fails for any reason: it is informational."""
    try:
        await on_records(relist_batches, store)
    except Exception as error:
        get_run_logger().error("the start page of the store could not be written: %s", error)
        return None
    return store.address(PAGE)
