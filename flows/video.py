"""The flow for one video."""

from collections.abc import Sequence
from typing import TypeVar, cast

from prefect.logging import get_run_logger
from prefect.runtime import flow_run
from prefect.utilities.annotations import opaque

from prefect_omnivideo.blocks.budget import VideoBudget
from prefect_omnivideo.blocks.credentials import GatewayCredentials
from prefect_omnivideo.blocks.stores import VideoStore
from prefect_omnivideo.core.budget.ticket import Ticket
from prefect_omnivideo.core.errors import BudgetReachedError, OmniVideoError
from prefect_omnivideo.core.gateways.continuing import Continuation
from prefect_omnivideo.core.jobs.deliver import clean_up
from prefect_omnivideo.core.jobs.look import look
from prefect_omnivideo.core.jobs.ownership import check_hopeful, is_owner
from prefect_omnivideo.core.jobs.persist import latest
from prefect_omnivideo.core.jobs.wait import learn
from prefect_omnivideo.core.prices.estimate import Estimate
from prefect_omnivideo.core.records.compact import PackedRecords, pack
from prefect_omnivideo.core.records.model import Place, VideoRecord, VideoState, now
from prefect_omnivideo.core.records.repository import Records, record_name
from prefect_omnivideo.core.request import VideoRequest, as_request
from prefect_omnivideo.core.routes.fallback import may_submit
from prefect_omnivideo.core.threads import on_records
from prefect_omnivideo.flows.run.approval import AskAbove, approve
from prefect_omnivideo.flows.run.balances import balances_after
from prefect_omnivideo.flows.run.budgets import MaxCost, MaxVideos, Terms, UnknownPrice, Work, budgeted
from prefect_omnivideo.flows.run.charges import settle
from prefect_omnivideo.flows.run.ending import VideoIncompleteError, VideoStoppedError, is_open
from prefect_omnivideo.flows.run.flow import video_flow
from prefect_omnivideo.flows.run.naming import batch_from, origin_of_run
from prefect_omnivideo.flows.run.parameters import AnyCredentials, AnyStore, Seconds, Text
from prefect_omnivideo.flows.run.spending import Announced, announce_spending, estimate_of, prices_of, remember_costs
from prefect_omnivideo.flows.run.verdict import goes_on
from prefect_omnivideo.tasks.events import open_records
from prefect_omnivideo.tasks.factory import nodes, store_video

T = TypeVar("T")


def _run_name() -> str:
    return f"video: {' '.join(as_request(flow_run.parameters['prompt']).prompt.split())[:60]}"


@video_flow(name="Generate video", flow_run_name=_run_name)
async def generate_video(
    prompt: str | VideoRequest,
    credentials: AnyCredentials,
    store: AnyStore,
    batch: Text = "",
    deadline: Seconds = 3600,
    max_cost: MaxCost = "",
    max_videos: MaxVideos = 0,
    budgets: Sequence[VideoBudget] = (),
    unknown_price: UnknownPrice = "highest",
    ask_above: AskAbove = "",
) -> VideoRecord:
    """Make one video and store it.

    Args:
        prompt: What the video shows, or a full request.
        credentials: The account that makes and bills the video.
        store: Where the video and its record are kept.
        batch: Name of the batch, such as Autumn campaign, or a template such as daily-{date}. Empty: a new batch,
            named by the id of this run, or of the outermost one around it. The same request in the same batch is made
            and paid once.
        deadline: Seconds to wait for the video. One that takes longer is collected by the next run of the batch.
        max_cost: Most money that the batch may cost, over all its runs, such as 20 USD or 300 credits. Empty: no limit.
        max_videos: Most videos to submit for the batch, over all its runs. 0: no limit.
        budgets: Saved budgets that this batch shares with others. Empty: none.
        unknown_price: With a limit on money, what a video of unknown price counts as: the highest known price of its
            account, or nothing is submitted (stop). Without any known price nothing is submitted either.
        ask_above: Ask a person, through a form of this UI, before submitting what may cost more than so much: 20 USD
            or 300 credits; 0 videos asks always. A cost that is not known is more. Empty: never ask.

    Returns:
        The record of the stored video.

    Raises:
        VideoStoppedError: nobody approved it, and nothing was sent. The run ends as Stopped, which is a failure.
        BudgetReachedError: a budget has no room for it, and nothing was sent. The run ends as Budget reached, which is
            a failure.
        OmniVideoError: why there is no video; see `prefect_omnivideo.core.errors`. If it was paid for and is not in
            the store yet, the run ends as Incomplete, which is a failure; the next run of the batch continues.
    """
    log, began_at = get_run_logger(), now()
    await clean_up(store.open(), log)
    name, request = batch_from(await origin_of_run(), batch), as_request(prompt)
    terms, records = Terms(max_cost, max_videos, budgets, unknown_price), open_records(store)
    work, announced = [Work(request, [credentials])], Announced()

    async def settled(record: VideoRecord) -> VideoRecord:
        made = {record_name(record): pack(record)}
        made |= (await settle([credentials], made, records, began_at, log))[0]
        packed = PackedRecords(made.values())
        await remember_costs(records, packed)
        await balances_after([credentials], announced.balances, packed, began_at, log)
        return packed[0]

    try:
        book = await prices_of([credentials], records.store)
        announced = await announce_spending([request], [frozenset({0})], [credentials], book, records, name, log)
        decision = await approve(ask_above, name, records, work, book, announced.lines)
        if decision.held:
            raise VideoStoppedError(
                f"{decision.approval}. Nothing was spent. Run batch {name} again to be asked again."
            )
        expected = estimate_of(request, credentials, book)
        async with budgeted(terms, name, records, work, book) as budget:
            while True:
                try:
                    async with budget.reserved(request, credentials) as ticket:
                        record = await make_video(
                            request,
                            credentials,
                            [credentials],
                            store,
                            name,
                            deadline,
                            expected=expected,
                            ticket=ticket,
                        )
                        if ticket:
                            ticket.saw(record)
                    break
                except BudgetReachedError:
                    if not await budget.opens(work):
                        raise
    except OmniVideoError as error:
        found = await on_records(Records(store.open()).load, name, request)
        if found:
            await settled(found.record)
        if found and is_open(found.record):
            raise VideoIncompleteError(f"{error} {goes_on(1, name)}") from error
        raise
    return await settled(record)


async def make_video(
    request: VideoRequest,
    credentials: GatewayCredentials,
    accounts: Sequence[GatewayCredentials],
    store: VideoStore,
    batch: str,
    deadline: float,
    place: Place | None = None,
    expected: Estimate | None = None,
    ticket: Ticket | None = None,
    continues: Continuation | None = None,
) -> VideoRecord:
    """Submit, wait and store; steps that are done already are skipped.

    Args:
        expected: what the video will cost on the account that submits.
        credentials: the account that submits, unless the video was submitted before.
        accounts: all accounts of the run; the one that submitted polls and downloads.
        place: where the video is asked for, which orders the report of the batch.
        ticket: reserves for the submission in the budgets of the run.
        continues: the video that a shot continues.

    Returns:
        The record of the stored video.
    """
    record = await nodes(type(credentials)).submit(
        whole(request), whole(credentials), whole(store), batch, place, whole(expected), ticket, whole(continues)
    )
    if ticket:
        ticket.saw(record)
    owner = next((account for account in accounts if is_owner(record, account.account())), credentials)
    looked = await look_up(record, owner, store)
    if may_submit(looked, credentials.account()):
        return await make_video(
            request, credentials, accounts, store, batch, deadline, place, expected, ticket, continues
        )
    return await finish_video(looked, owner, store, deadline)


async def look_up(record: VideoRecord, owner: GatewayCredentials, store: VideoStore) -> VideoRecord:
    """The record of an unknown submission after a lookup in the gateway's console, if the credentials allow it."""
    console = owner.console()
    if record.state is not VideoState.UNKNOWN or console is None:
        return record
    records = open_records(store)
    await look(records, owner.account(), console, get_run_logger())
    return (await latest(records, record)).record


async def finish_video(
    record: VideoRecord, owner: GatewayCredentials, store: VideoStore, deadline: float
) -> VideoRecord:
    """Wait for a submitted video and store it, unless that is done.

    Returns:
        The record of the stored video.
    """
    check_hopeful(record, store.open())
    if record.state is VideoState.STORED:
        learn(record)
        return record
    job = await nodes(type(owner)).poll(whole(record), whole(owner), whole(store), deadline)
    return await store_video(whole(record), whole(job), whole(owner), whole(store))


def whole(parameter: T) -> T:
    """A parameter of a task in which Prefect searches for no futures, twice a task: an eighth of a video's CPU."""
    return cast("T", opaque(parameter))
