"""The flow for a list of prompts, distributed over one or several accounts."""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import nullcontext

from prefect.logging import get_run_logger
from prefect.runtime import flow_run

from prefect_omnivideo.blocks.budget import VideoBudget
from prefect_omnivideo.blocks.credentials import GatewayCredentials
from prefect_omnivideo.blocks.stores import VideoStore
from prefect_omnivideo.core.errors import refuse
from prefect_omnivideo.core.jobs.deliver import clean_up
from prefect_omnivideo.core.money.amount import Amount
from prefect_omnivideo.core.records.model import Place
from prefect_omnivideo.core.redaction import shorten
from prefect_omnivideo.core.reports.report import BatchReport
from prefect_omnivideo.core.request import VideoRequest, as_request
from prefect_omnivideo.core.routes.order import Accounts, Policy, Rungs
from prefect_omnivideo.core.sheets.kept import KeptPrompts, load
from prefect_omnivideo.core.threads import on_records
from prefect_omnivideo.flows.run.accounts import as_accounts, eligible, rungs_of
from prefect_omnivideo.flows.run.approval import AskAbove, approve
from prefect_omnivideo.flows.run.budgets import MaxCost, MaxVideos, Terms, UnknownPrice, Work, budgeted
from prefect_omnivideo.flows.run.cancelling import report_cancellation
from prefect_omnivideo.flows.run.fan_out import fan_out
from prefect_omnivideo.flows.run.flow import video_flow
from prefect_omnivideo.flows.run.limits import limited, slot
from prefect_omnivideo.flows.run.naming import batch_from, moment_of_run, origin_of_run
from prefect_omnivideo.flows.run.parameters import AnyAccounts, AnyStore, Prompts, Seconds, Text
from prefect_omnivideo.flows.run.routing import Routing
from prefect_omnivideo.flows.run.shots import Shots
from prefect_omnivideo.flows.run.spending import announce_spending, estimate_of, prices_of
from prefect_omnivideo.flows.run.verdict import Outcome
from prefect_omnivideo.flows.video import make_video
from prefect_omnivideo.tasks.events import open_records

LONGEST_PROMPT = 50
"""Characters of a prompt in the name of a run."""


def _run_name() -> str:
    parameters = flow_run.parameters
    count = len(parameters["prompts"])
    what = f"{count} prompt{'' if count == 1 else 's'}"
    if batch := parameters.get("batch"):
        return f"{what} for {batch}"
    return f"{what}: {_first(parameters['prompts'])}"


def _first(prompts: Prompts) -> str:
    """The first prompt, shortened: it tells runs without a named batch apart."""
    prompt = prompts.begins[0] if isinstance(prompts, KeptPrompts) else as_request(prompts[0]).prompt if prompts else ""
    return shorten(" ".join(prompt.split()), LONGEST_PROMPT)


@video_flow(name="Generate videos", flow_run_name=_run_name, on_cancellation=[report_cancellation])
async def generate_videos(
    prompts: Prompts,
    credentials: AnyAccounts,
    store: AnyStore,
    batch: Text = "",
    deadline: Seconds = 3600,
    max_cost: MaxCost = "",
    max_videos: MaxVideos = 0,
    budgets: Sequence[VideoBudget] = (),
    unknown_price: UnknownPrice = "highest",
    ask_above: AskAbove = "",
) -> BatchReport:
    """Make a list of videos and store them, paying once for each even when runs are interrupted.

    Run again with the same batch to submit only what is missing and to collect what still runs.

    Args:
        prompts: What the videos show: texts; requests, each with duration, shape, references and more; or both. In the
            old form, requests are typed as JSON, through the menu.
        credentials: The account that makes and bills the videos, or several: each takes the next prompt it supports
            as soon as it has capacity. Or a saved route, which says when each of its accounts is taken.
        store: Where the videos and their records are kept.
        batch: Name of the batch, such as Autumn campaign, or a template such as daily-{date}. Empty: a new batch,
            named by the id of this run, or of the outermost one around it. The same request in the same batch is made
            and paid once.
        deadline: Seconds to wait for each video. One that takes longer is collected by the next run of the batch.
        max_cost: Most money that the batch may cost, over all its runs, such as 20 USD or 300 credits. Empty: no limit.
        max_videos: Most videos to submit for the batch, over all its runs. 0: no limit.
        budgets: Saved budgets that this batch shares with others. Empty: none.
        unknown_price: With a limit on money, what a video of unknown price counts as: the highest known price of its
            account, or nothing is submitted (stop). Without any known price nothing is submitted either.
        ask_above: Ask a person, through a form of this UI, before submitting more than so much at once: 20 USD, 300
            credits or 50 videos. A cost that is not known is more. Empty: never ask.

    Returns:
        The state of every video of the run.

    Raises:
        RequestError: no account supports one of the prompts, or a budget cannot be kept; nothing was submitted.
        StoreError: the store cannot be written; nothing was submitted.
        BatchIncompleteError: a video was paid for and is not in the store yet: it still runs, or could not be
            stored. The run ends as Incomplete, which is a failure; the next one continues.
        BatchFailedError: a video failed or has an unknown outcome; the report is in `.report`.
        BatchStoppedError: videos were left out as a budget is reached, or as nobody approved them. The run ends as
            Budget reached, Trial made or Stopped, which are failures; the next one continues.
    """
    if isinstance(prompts, KeptPrompts):
        prompts = await on_records(load, prompts, store.open())
    requests = [as_request(prompt) for prompt in prompts]
    name = batch_from(await origin_of_run(), batch)
    terms = Terms(max_cost, max_videos, budgets, unknown_price, ask_above)
    accounts, policy = await as_accounts(credentials)
    return await run_batch(requests, accounts, store, name, deadline, terms, policy=policy)


async def run_batch(
    requests: Sequence[VideoRequest],
    accounts: Sequence[GatewayCredentials],
    store: VideoStore,
    batch: str,
    deadline: float,
    terms: Terms,
    skipped: tuple[str, ...] = (),
    first: Place | None = None,
    *,
    policy: Policy = "spread",
    only: Mapping[str, Accounts] | None = None,
    shots: Shots | None = None,
) -> BatchReport:
    """Make the videos of a batch within a flow run; see `generate_videos` for what it returns and raises.

    Args:
        terms: the budgets of the run, and what to ask about.
        skipped: rows of a sheet that were left out, with the reasons, for the report.
        first: place of the first request, if the list is not this run's own.
        policy: how the accounts are taken.
        only: the accounts that a request may go to, by its key; all if it is not among them.
        shots: what the requests depend on, if they are shots of storyboards; they are joined at the end.
    """
    log = get_run_logger()
    if not requests:
        raise refuse("prompts", "the list is empty", "at least one prompt", subject="parameters")
    wanted = list({request.key: request for request in requests}.values())
    if len(wanted) < len(requests):
        log.warning(
            "%d prompts are repeated and made once; give them a different take to get several videos",
            len(requests) - len(wanted),
        )
    records = open_records(store)
    accounts_of = (
        shots.accounts_of(wanted) if shots else await on_records(eligible, wanted, accounts, records.store, only)
    )
    await on_records(records.store.check)
    await clean_up(records.store, log)
    limits = await limited(accounts)
    book = await prices_of(accounts, records.store)
    routing = Routing(batch, accounts, records, log)
    outcome = Outcome(batch, records, wanted, log, routing.told)
    announced = await announce_spending(wanted, accounts_of, accounts, book, records, batch, log)
    first = first or Place(asked_at=moment_of_run(), position=1)
    positions = {request.key: position for position, request in enumerate(wanted, first.position)}

    work = {
        request.key: Work(request, [accounts[index] for index in sorted(able)])
        for request, able in zip(wanted, accounts_of, strict=True)
    }
    able_of = {request.key: able for request, able in zip(wanted, accounts_of, strict=True)}

    def price(request: VideoRequest, account: GatewayCredentials) -> Amount | None:
        expected = estimate_of(request, account, book)
        return expected.amount if expected else None

    decision = await approve(terms.ask_above, batch, records, list(work.values()), book, announced.lines)
    if decision.stops:
        return await outcome.conclude(accounts, skipped, announced, decision=decision)

    async with budgeted(terms, batch, records, list(work.values()), book) as budget:

        async def make(request: VideoRequest, account: GatewayCredentials) -> None:
            async with (
                outcome.of(request),
                routing.of(request, account),
                slot(account, limits),
                shots.continuing(request, account, outcome) if shots else nullcontext() as continues,
                budget.reserved(request, account) as ticket,
            ):
                place = first.model_copy(update={"position": positions[request.key]})
                expected = estimate_of(request, account, book)
                record = await make_video(
                    request, account, accounts, store, batch, deadline, place, expected, ticket, continues
                )
                if ticket:
                    ticket.saw(record)
                outcome.add(record)

        def rungs(request: VideoRequest) -> Rungs:
            return rungs_of(request, able_of[request.key], accounts, policy, price)

        async def make_all(requests: Iterable[VideoRequest]) -> None:
            if shots:
                await shots.make_all(requests, accounts, rungs, make, outcome, routing.rests)
                return
            await fan_out(
                ((request, rungs(request)) for request in requests),
                accounts,
                make,
                give_up=outcome.give_up,
                model=lambda request: request.model or "",
                rests=routing.rests,
            )

        await make_all(request for request in wanted if request.key not in decision.held)
        # What was reserved for others may have been given back, or cost less than expected.
        while (left := outcome.left_out) and await budget.opens(work[request.key] for request in left):
            await make_all(outcome.readmitted())
        used = await budget.used() if outcome.left_out else ()
    if shots:
        await shots.join(outcome, log)
    return await outcome.conclude(accounts, skipped, announced, used, decision)
