"""Asks a person before a run submits more than a threshold."""

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated

from prefect.client.orchestration import get_client
from prefect.context import FlowRunContext
from prefect.logging import get_run_logger
from prefect.runtime import flow_run
from pydantic import Field

from prefect_omnivideo.core.prices.estimate import PriceBook
from prefect_omnivideo.core.prices.outlook import Outlook, outlook
from prefect_omnivideo.core.prices.threshold import THRESHOLD_OR_EMPTY, Threshold
from prefect_omnivideo.core.records.batch import BatchName
from prefect_omnivideo.core.records.repository import Records
from prefect_omnivideo.core.redaction import shorten
from prefect_omnivideo.core.reports.approval import Decision
from prefect_omnivideo.core.reports.templating import render
from prefect_omnivideo.core.routes.dropping import ways
from prefect_omnivideo.core.routes.fallback import may_submit
from prefect_omnivideo.core.threads import on_records
from prefect_omnivideo.flows.run import asking
from prefect_omnivideo.flows.run.asking import Answered, Question
from prefect_omnivideo.flows.run.budgets import Work
from prefect_omnivideo.flows.run.naming import SHARD_TAG
from prefect_omnivideo.tasks.showing import only_shows

AskAbove = Annotated[str, Field(pattern=THRESHOLD_OR_EMPTY)]
PROMPTS_SHOWN = 3


async def approve(
    ask_above: str,
    batch: str,
    records: Records,
    work: Sequence[Work],
    book: PriceBook,
    spending: tuple[str, ...],
    batches: Sequence[str] = (),
) -> Decision:
    """What of the work may be submitted: all of it, unless it is above the threshold; then a person decides.

    A run of a deployment ends here, suspended. It begins again when there is an answer, comes here a second time and
    finds it. So does a run that is repeated as its worker died.

    Args:
        ask_above: the threshold; empty: nobody is asked. Nor does a shard ask: the run that started it has.
        spending: what the run is about to spend, for the form.
        batches: the batch of each, where they are of several; what is held is named `<batch>/<key>` then.
    """
    context = FlowRunContext.get()
    if not ask_above or SHARD_TAG in flow_run.tags or context is None or context.flow_run is None:
        return Decision()
    keys = [f"{of}/{each.request.key}" for of, each in zip(batches, work, strict=True)] if batches else []
    keys = keys or [each.request.key for each in work]
    missing = await on_records(_missing, records, batch, work, keys, batches)
    # Another list is another question: what was approved is the list that was asked about.
    about = f"approval-{hashlib.sha256('/'.join([batch, *keys]).encode()).hexdigest()[:16]}"
    async with get_client() as client:
        run = await client.read_flow_run(context.flow_run.id)
    answered = await asking.last_answer(run, about)
    if answered and _settles(answered, keys, missing):
        return _decision(answered, keys, missing)
    rest = [each for key, each in zip(keys, work, strict=True) if key in missing]
    why = await on_records(_why, ask_above, rest, book)
    if answered and rest:
        why = why or "what was answered before was not about them"
    if not why:
        return Decision()
    get_run_logger().warning("waiting for approval: %s. Resume this run in the UI to answer", why)
    page = render(
        "approval.md",
        batch=batch.typed if isinstance(batch, BatchName) else batch,
        videos=len(rest),
        why=why,
        spending=spending,
        prompts=[shorten(" ".join(each.request.prompt.split()), 90) for each in rest[:PROMPTS_SHOWN]],
        until=f"{datetime.now(UTC) + asking.ANSWER_WITHIN:%Y-%m-%d %H:%M} UTC",
    )
    positions = tuple(position for position, key in enumerate(keys) if key in missing)
    answered = await asking.ask(run, about, Question(why=why, missing=positions), page)
    return _decision(answered, keys, missing)


def _missing(
    records: Records, batch: str, work: Sequence[Work], keys: Sequence[str], batches: Sequence[str]
) -> frozenset[str]:
    """Which of these videos the batch has never submitted, or may submit again."""
    accounts = {key: each.accounts for key, each in zip(keys, work, strict=True)}
    known = {
        key
        for of in dict.fromkeys(batches or [batch])
        for record in records.batch(of)
        if (key := f"{of}/{record.key}" if batches else record.key)
        and not any(may_submit(record, account.account()) for account in accounts.get(key, ()))
    }
    return frozenset(accounts) - known


def _why(ask_above: str, rest: Sequence[Work], book: PriceBook) -> str:
    """Why a person is to be asked about these; empty if they are not above the threshold."""
    expected = Outlook()
    with only_shows("the estimate of the cost"):
        pairs = [ways(each.request, [account.account() for account in each.accounts]) for each in rest]
        expected = outlook(pairs, book)
    return Threshold.parse(ask_above).why_above(len(rest), expected) if rest else ""


def _settles(answered: Answered, keys: Sequence[str], missing: frozenset[str]) -> bool:
    """Whether an earlier answer still says what to do, and the same question need not be asked again."""
    approved = {keys[position] for position in answered.approved()}
    return not missing or not approved.isdisjoint(missing) or not (approved or answered.afresh)


def _decision(answered: Answered, keys: Sequence[str], missing: frozenset[str]) -> Decision:
    return Decision(answered.approval, missing.difference(keys[position] for position in answered.approved()))
