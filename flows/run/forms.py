"""A question to a person in Prefect's own form: asked, waited for, and kept with the run together with its answer."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import FlowRun
from prefect.exceptions import PrefectHTTPStatusError
from prefect.flow_runs import apause_flow_run, asuspend_flow_run
from prefect.input import RunInput, keyset_from_base_key
from prefect.input.actions import acreate_flow_run_input, aread_flow_run_input
from prefect.input.run_input import Keyset
from prefect.states import Running
from pydantic import BaseModel
from typing_extensions import override

GRACE = timedelta(minutes=10)
"""Prefect's own timeout is so much later: it ends the run as Failed, and says nothing about videos."""
_SECONDS_BETWEEN = 3
"""Between two looks whether a paused run was resumed."""
_CONFLICT = 409
_MOST_INPUTS = 1000
"""More than a run has."""


class Form(RunInput):
    """The base of all forms. What has to be filled in comes first: UI V2 shows the rest only to those who scroll."""

    @classmethod
    @override
    async def asave(cls, keyset: Keyset, flow_run_id: UUID | None = None) -> None:
        """Save the form, unless it is saved: Prefect does so after it suspends, and a run without it never resumes."""
        try:
            await super().asave(keyset, flow_run_id)
        except PrefectHTTPStatusError as error:
            if error.response.status_code != _CONFLICT:
                raise


class Reply(NamedTuple):
    """What a person sent, and the question that it answers."""

    question: Any
    """As JSON; kept with the run, as the answer is about what there was then."""
    given: Any
    at: datetime
    afresh: bool
    """Whether the run was started again by hand since it ended with this answer."""


async def last_reply(run: FlowRun, about: str) -> Reply | None:
    """The last reply that was given to this run; None if there is none.

    Args:
        about: identifies the subject of the question; letters, digits and hyphens.
    """
    prefix = f"{_verb(run)}-{about}-"
    async with get_client() as client:
        found = await client.filter_flow_run_input(run.id, prefix, _MOST_INPUTS, set())
    answers = [each for each in found if each.key.endswith("-response")]
    if not answers:
        return None
    last = max(answers, key=lambda each: (each.created is not None, each.created))
    key = last.key.partition("-")[2].removesuffix("-response")
    return Reply(
        question=await aread_flow_run_input(_kept(key), run.id),
        given=last.decoded_value,
        at=last.created or datetime.now(UTC),
        # Prefect forgets the keys when a run that has ended is started again by hand.
        afresh=key not in (run.empirical_policy.pause_keys or set()),
    )


async def reply_to(
    run: FlowRun, about: str, question: BaseModel, form: type[Form], page: str, within: timedelta
) -> Reply | None:
    """Ask with a form, and wait for the reply; None if there is none within a time.

    A run of a deployment ends here: it is suspended, whatever becomes of its worker, and any worker begins it again
    when it is resumed. Other runs wait where they are.

    Args:
        page: Markdown above the form.
    """
    asked, key = form.with_initial_data(description=page), f"{about}-{run.run_count}"
    await acreate_flow_run_input(_kept(key), question.model_dump(), run.id)
    await asked.asave(keyset_from_base_key(f"{_verb(run)}-{key}"), run.id)
    timeout = int((within + GRACE).total_seconds())
    if can_suspend(run):
        await asuspend_flow_run(asked, timeout=timeout, key=key)
    try:
        async with asyncio.timeout(within.total_seconds()):
            await apause_flow_run(asked, timeout=timeout, poll_interval=_SECONDS_BETWEEN, key=key)
    except TimeoutError:
        async with get_client() as client:  # tasks of a paused run would wait
            await client.set_flow_run_state(run.id, Running())
    found = await last_reply(run, about)
    return found if found and found.question == question.model_dump(mode="json") else None


def can_suspend(run: FlowRun) -> bool:
    """Prefect suspends no subflows, and nothing that no worker could begin again."""
    return run.deployment_id is not None and run.parent_task_run_id is None


def _verb(run: FlowRun) -> str:
    """What Prefect has the keys of forms begin with."""
    return "suspended" if can_suspend(run) else "paused"


def _kept(key: str) -> str:
    return f"question-{key}"
