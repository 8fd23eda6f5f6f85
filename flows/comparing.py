"""The flow that makes the same prompts with several accounts or models, and puts the videos side by side."""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, cast

from prefect import Flow
from prefect.artifacts import acreate_markdown_artifact
from prefect.client.schemas.objects import FlowRun, State
from prefect.logging import get_logger, get_run_logger
from prefect.logging.loggers import flow_run_logger
from prefect.runtime import flow_run
from prefect.states import Completed

from prefect_omnivideo.blocks.budget import VideoBudget
from prefect_omnivideo.blocks.credentials import GatewayCredentials
from prefect_omnivideo.core.errors import OmniVideoError, Problem, RequestError, refuse
from prefect_omnivideo.core.records.batch import BatchName
from prefect_omnivideo.core.records.compact import PackedRecords, pack
from prefect_omnivideo.core.records.model import VideoRecord
from prefect_omnivideo.core.records.repository import Records
from prefect_omnivideo.core.redaction import shorten
from prefect_omnivideo.core.reports.approval import Decision
from prefect_omnivideo.core.reports.comparison import DATA, PAGE, Comparison, Contender
from prefect_omnivideo.core.reports.report import BatchReport
from prefect_omnivideo.core.request import VideoRequest, as_request
from prefect_omnivideo.core.sheets.kept import KeptPrompts, load
from prefect_omnivideo.core.threads import on_records
from prefect_omnivideo.flows.batch import run_batch
from prefect_omnivideo.flows.run.accounts import eligible
from prefect_omnivideo.flows.run.approval import AskAbove, approve
from prefect_omnivideo.flows.run.budgets import MaxCost, MaxVideos, Terms, UnknownPrice, Work, check_budgets
from prefect_omnivideo.flows.run.cancelling import report_jobs
from prefect_omnivideo.flows.run.ending import (
    BatchFailedError,
    BatchIncompleteError,
    BatchStoppedError,
    is_open,
    whereabouts,
)
from prefect_omnivideo.flows.run.flow import video_flow
from prefect_omnivideo.flows.run.naming import batch_from, origin_of, origin_of_run
from prefect_omnivideo.flows.run.parameters import AnyCredentials, AnyStore, Prompts, Seconds, Text
from prefect_omnivideo.flows.run.spending import prices_of
from prefect_omnivideo.flows.run.verdict import asks_again, continues
from prefect_omnivideo.tasks.events import open_records
from prefect_omnivideo.tasks.showing import only_shows


class Entrant(NamedTuple):
    """A contender, with its account and its part of the work."""

    contender: Contender
    account: GatewayCredentials
    batch: BatchName
    requests: Mapping[str, VideoRequest]
    """By the keys of the prompts: each as this contender is asked for it."""
    refused: Mapping[str, str]
    """Why it cannot honour a prompt, likewise."""

    @property
    def able(self) -> dict[str, VideoRequest]:
        """What it can honour."""
        return {key: request for key, request in self.requests.items() if key not in self.refused}


def _run_name() -> str:
    given = flow_run.parameters
    contenders = len(given["credentials"]) * max(1, len(given.get("models") or ()))
    count = len(given["prompts"])
    name = f"compare {contenders} on {count} prompt{'' if count == 1 else 's'}"
    return f"{name} for {given['batch']}" if given.get("batch") else name


async def _report_cancellation(flow: Flow[Any, Any], run: FlowRun, state: State[Any]) -> None:
    """Log the jobs that the gateways still process and bill, of every contender."""
    log = flow_run_logger(run) if run.id else get_logger("omnivideo")
    given = flow.validate_parameters(run.parameters)
    batch = batch_from(await origin_of(run), given.get("batch"))
    records = open_records(given["store"])
    for contender, account in _contenders(given["credentials"], given.get("models") or ()):
        await report_jobs(run, [account], records, f"{batch}/{contender.name}", log)


@video_flow(name="Compare accounts", flow_run_name=_run_name, on_cancellation=[_report_cancellation])
async def compare_accounts(
    prompts: Prompts,
    credentials: list[AnyCredentials],
    store: AnyStore,
    batch: Text = "",
    models: Sequence[str] = (),
    deadline: Seconds = 3600,
    max_cost: MaxCost = "",
    max_videos: MaxVideos = 0,
    budgets: Sequence[VideoBudget] = (),
    unknown_price: UnknownPrice = "highest",
    ask_above: AskAbove = "",
) -> BatchReport:
    """Make every prompt with every account, or with several models, and put the videos side by side on one page.

    Every contender pays for every video. Run again with the same batch to submit only what is missing.

    Args:
        prompts: What the videos show: texts; requests, each with duration, shape, references and more; or both.
        credentials: The accounts to compare; one is enough with several models.
        store: Where the videos and their records are kept.
        batch: Name of the comparison, such as Autumn trial, or a template such as trial-{date}. Each contender has a
            batch of its own within it. Empty: the id of this run, or of the outermost one around it.
        models: Names of models to compare on every account, in place of those of the prompts. Empty: as the prompts
            say.
        deadline: Seconds to wait for each video. One that takes longer is collected by the next run of the comparison.
        max_cost: Most money that the whole comparison may cost, over all its runs, such as 20 USD or 300 credits.
            Empty: no limit.
        max_videos: Most videos to submit for the whole comparison, over all its runs. 0: no limit.
        budgets: Saved budgets that the comparison shares with others. Empty: none.
        unknown_price: With a limit on money, what a video of unknown price counts as: the highest known price of its
            account, or nothing is submitted (stop). Without any known price nothing is submitted either.
        ask_above: Ask a person, through a form of this UI, before submitting more than so much at once: 20 USD, 300
            credits or 50 videos. A cost that is not known is more. Empty: never ask.

    Returns:
        The state of the videos of all contenders.

    Raises:
        RequestError: there are not two contenders, no contender can honour one of the prompts, or a budget cannot be
            kept; nothing was submitted.
        StoreError: the store cannot be written; nothing was submitted.
        BatchIncompleteError: a video was paid for and is not in the store yet. The next run continues.
        BatchFailedError: a video failed or has an unknown outcome, or a contender could not begin.
        BatchStoppedError: videos were left out as a budget is reached, or as nobody approved them.
    """
    if isinstance(prompts, KeptPrompts):
        prompts = await on_records(load, prompts, store.open())
    requests = {request.key: request for request in map(as_request, prompts)}
    if not requests:
        raise refuse("prompts", "the list is empty", "at least one prompt", subject="parameters")
    name = batch_from(await origin_of_run(), batch)
    records = open_records(store)
    entrants = await on_records(_entrants, name, credentials, models, requests, records)
    terms = Terms(max_cost, max_videos, budgets, unknown_price, whole=name)
    decision = await _approved(ask_above, terms, name, entrants, requests, records)
    problems = {} if decision.stops else await _make_all(entrants, decision, store, deadline, terms)
    return await _conclude(name, entrants, list(requests.values()), records, decision, problems)


def _contenders(
    credentials: Sequence[GatewayCredentials], models: Sequence[str]
) -> list[tuple[Contender, GatewayCredentials]]:
    """The contenders: every account with every model.

    Raises:
        RequestError: there are less than two, or one of them is there twice.
    """
    found: list[tuple[Contender, GatewayCredentials]] = []
    for account in credentials:
        for model in models or ("",):
            gateway, name = account.gateway.name, account.account_name
            parts = [gateway, *([name] if name != gateway else []), *([model.strip()] if model.strip() else [])]
            label = BatchName.of("-".join(parts).replace("/", "-"))
            found.append((Contender(label, gateway, name, model.strip()), account))
    twice = [name for name, count in Counter(each.name for each, _ in found).items() if count > 1]
    if twice:
        rule = f"{', '.join(twice)} would be compared with itself"
        raise refuse(
            "credentials", rule, "accounts saved under different names, or different models", subject="parameters"
        )
    if len(found) < 2:
        rule = "there is nothing to compare"
        raise refuse("credentials", rule, "at least two accounts, or one with several models", subject="parameters")
    return found


def _entrants(
    batch: BatchName,
    credentials: Sequence[GatewayCredentials],
    models: Sequence[str],
    requests: Mapping[str, VideoRequest],
    records: Records,
) -> list[Entrant]:
    """The contenders, and which prompts each of them cannot honour.

    Raises:
        RequestError: naming every prompt that none of them can honour, and why; nothing was sent.
    """
    entrants: list[Entrant] = []
    problems: dict[str, list[Problem]] = {}
    for contender, account in _contenders(credentials, models):
        asked = {
            key: request.model_copy(update={"model": contender.model}) if contender.model else request
            for key, request in requests.items()
        }
        refused: dict[str, str] = {}
        for key, request in asked.items():
            try:
                eligible([request], [account], records.store)
            except RequestError as error:
                refused[key] = "; ".join(str(problem._replace(item="")) for problem in error.problems)
                problems.setdefault(key, []).extend(error.problems)
        within = BatchName.of(f"{batch.typed}/{contender.name}")
        entrants.append(Entrant(contender, account, within, asked, refused))
    nobody = [key for key in requests if all(key in each.refused for each in entrants)]
    if nobody:
        numbers = {key: number for number, key in enumerate(requests, 1)}
        raise RequestError(
            [problem._replace(item=f"prompt {numbers[key]}") for key in nobody for problem in problems[key]],
            subject="prompts",
        )
    return entrants


async def _approved(
    ask_above: str,
    terms: Terms,
    batch: BatchName,
    entrants: Sequence[Entrant],
    requests: Mapping[str, VideoRequest],
    records: Records,
) -> Decision:
    """What may be submitted: of the whole comparison, prompt by prompt, so that a trial compares the first of them.

    Raises:
        RequestError: a budget cannot be kept; nothing was submitted.
    """
    pairs = [(each, each.able[key]) for key in requests for each in entrants if key in each.able]
    work = [Work(request, [each.account]) for each, request in pairs]
    book = await prices_of(list({each.account.account_id: each.account for each in entrants}.values()), records.store)
    await check_budgets(terms, batch, records, work, book)
    return await approve(ask_above, batch, records, work, book, (), [each.batch for each, _ in pairs])


async def _make_all(
    entrants: Sequence[Entrant], decision: Decision, store: AnyStore, deadline: float, terms: Terms
) -> dict[str, OmniVideoError]:
    """Make the batches of all contenders, side by side. Returns the errors, by the names of contenders.

    Contenders that are models of one account share its jobs in flight.
    """
    sharing = Counter(each.account.account_id for each in entrants)
    room = {
        each.account.account_id: asyncio.Semaphore(min(each.account.jobs_in_flight, sharing[each.account.account_id]))
        for each in entrants
    }

    async def make(each: Entrant) -> OmniVideoError | None:
        wanted = {
            request.key: request for request in each.able.values() if f"{each.batch}/{request.key}" not in decision.held
        }
        if not wanted:
            return None
        at_a_time = each.account.jobs_in_flight
        share = at_a_time // min(at_a_time, sharing[each.account.account_id])
        account = each.account.model_copy(update={"jobs_in_flight": share})
        async with room[each.account.account_id]:
            try:
                await run_batch(list(wanted.values()), [account], store, each.batch, deadline, terms)
            except OmniVideoError as error:
                return error
        return None

    done = await asyncio.gather(*map(make, entrants), return_exceptions=True)
    log, problems = get_run_logger(), dict[str, OmniVideoError]()
    for each, error in zip(entrants, done, strict=True):
        if isinstance(error, BaseException):
            log.warning("%s: %s", each.contender.name, error)
            known = error if isinstance(error, OmniVideoError) else OmniVideoError(f"{type(error).__name__}: {error}")
            problems[each.contender.name] = known
    return problems


async def _conclude(
    batch: BatchName,
    entrants: Sequence[Entrant],
    requests: Sequence[VideoRequest],
    records: Records,
    decision: Decision,
    problems: Mapping[str, OmniVideoError],
) -> BatchReport:
    """Write the comparison, and end as what is missing says.

    Raises:
        BatchIncompleteError, BatchFailedError, BatchStoppedError: as `compare_accounts` says.
    """
    found = await on_records(_found, entrants, records)
    held = {
        (each.contender.name, key)
        for each in entrants
        for key, request in each.able.items()
        if f"{each.batch}/{request.key}" in decision.held and (each.contender.name, key) not in found
    }
    refused = {(each.contender.name, key): why for each in entrants for key, why in each.refused.items()}
    stopped = {name: error for name, error in problems.items() if isinstance(error, BatchStoppedError)}
    missing = {
        (each.contender.name, key): _why(problems.get(each.contender.name), (each.contender.name, key) in held)
        for each in entrants
        for key in each.able
        if (each.contender.name, key) not in found
    }
    comparison = Comparison(
        batch, batch.typed, [each.contender for each in entrants], requests, found, missing, refused
    )
    made = {record.stem: record for record in found.values()}.values()  # prompts may become one request
    report = BatchReport(
        batch=batch,
        title=batch.typed,
        records=PackedRecords(map(pack, made)),
        left_out=sum(name in stopped and (name, key) not in held for name, key in missing),
        budgets=next((error.report.budgets for error in stopped.values()), ()),
        approval=decision.approval,
        held=len(held),
        gallery=await _written(comparison, records),
    )
    summary = comparison.summary()
    get_run_logger().info("%s", summary)
    with only_shows("the comparison"):
        page = comparison.markdown(report.gallery or "")
        await acreate_markdown_artifact(page, key="omnivideo-comparison", description=summary)
    end = whereabouts(report)
    if decision.stops:
        raise BatchStoppedError(f"{report.summary()} {asks_again(report)}{end}", report)
    if any(is_open(record) for record in made):
        said = f"{summary} {len(report.pending)} may have been paid and can still be collected: run it again.{end}"
        raise BatchIncompleteError(said, report)
    if report.unresolved or any(place[0] not in stopped and place not in held for place in missing):
        reasons = "; ".join(f"{name}: {shorten(str(error), 200)}" for name, error in problems.items())
        raise BatchFailedError(f"{summary} {reasons}.{end}", report)
    if report.left_out:
        raise BatchStoppedError(f"{report.summary()} {continues(report)}{end}", report)
    if report.held:
        raise BatchStoppedError(f"{report.summary()} {asks_again(report)}{end}", report)
    # As a state with a message; the caller of the flow gets its data.
    return cast("BatchReport", Completed(message=f"{summary}{end}", data=cast("Any", report)))


def _found(entrants: Sequence[Entrant], records: Records) -> dict[tuple[str, str], VideoRecord]:
    """What the store holds, by contender and prompt."""
    found: dict[tuple[str, str], VideoRecord] = {}
    for each in entrants:
        made = {record.key: record for record in records.batch(each.batch)}
        found |= {
            (each.contender.name, key): made[request.key]
            for key, request in each.requests.items()
            if request.key in made
        }
    return found


def _why(error: OmniVideoError | None, is_held: bool) -> str:
    """Why a contender has no record of a prompt."""
    if is_held:
        return "it was not approved"
    if isinstance(error, BatchStoppedError):
        return "it was left out, as the budget is reached"
    return shorten(str(error), 200) if error else "nothing was submitted"


async def _written(comparison: Comparison, records: Records) -> str | None:
    """Write page and data; the address of the page, or None if that fails for any reason: it is informational."""
    store, page = records.store, f"{comparison.batch}/{PAGE}"
    try:
        await on_records(store.put, page, comparison.page().encode(), content_type="text/html; charset=utf-8")
        data = comparison.to_json()
        await on_records(store.put, f"{comparison.batch}/{DATA}", data, content_type="application/json")
    except Exception as error:
        get_run_logger().error("the comparison could not be written: %s", error)
        return None
    return store.address(page)
