"""A question to a person in Prefect's own form: asked, waited for, and kept with the run together with its answer."""

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import UUID

from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import FlowRun
from prefect.events.schemas.automations import AutomationCore
from prefect.exceptions import PrefectHTTPStatusError
from prefect.flow_runs import apause_flow_run, asuspend_flow_run
from prefect.input import RunInput, keyset_from_base_key
from prefect.input.actions import acreate_flow_run_input, aread_flow_run_input
from prefect.input.run_input import Keyset
from prefect.states import Running
from pydantic import BaseModel, Field
from typing_extensions import override

from prefect_omnivideo.core.reports.approval import Answer, Approval
from prefect_omnivideo.flows.run.ending import STOPPED
from prefect_omnivideo.tasks.showing import only_shows

ANSWER_WITHIN = timedelta(hours=24)
"""How long a run waits for an answer."""
GRACE = timedelta(minutes=10)
"""Prefect's own timeout is so much later: it would end the run as Failed, without a word about money."""
TIMES_OUT = "Stop video runs that nobody approved"
"""Name of the automation that ends suspended runs: nothing of theirs is running that could do it."""
FLOWS_THAT_ASK = ["Generate videos", "Generate videos from a sheet", "Generate sharded"]
_SECONDS_BETWEEN = 3
"""Between two looks whether a paused run was resumed."""
_CONFLICT = 409
_MOST_INPUTS = 1000
"""More than a run has."""


class Approve(RunInput):
    """The form. What has to be filled in comes first: UI V2 shows the rest only to those who scroll."""

    approved_by: str = Field(
        min_length=1,
        max_length=100,
        pattern=r"\S",
        description="Your name: Prefect keeps when you answer, but not who you are.",
    )
    answer: Answer = Field(description="Whether the run may submit these videos and pay for them.")
    first: int = Field(
        default=5, ge=1, description="For a trial: how many videos, from the top. The next run asks for the rest."
    )

    @classmethod
    @override
    async def asave(cls, keyset: Keyset, flow_run_id: UUID | None = None) -> None:
        """Save the form, unless it is saved: Prefect does so after it suspends, and a run without it never resumes."""
        try:
            await super().asave(keyset, flow_run_id)
        except PrefectHTTPStatusError as error:
            if error.response.status_code != _CONFLICT:
                raise


class Question(BaseModel, frozen=True):
    """What is asked; kept with the run, as the answer is about what was missing then."""

    why: str
    missing: tuple[int, ...]
    """Positions in the list of the run."""


class Answered(BaseModel, frozen=True):
    """A question of a run, and its answer.

    Attributes:
        afresh: whether the run was started again by hand since it ended with this answer.
    """

    question: Question
    approval: Approval
    afresh: bool = False

    def approved(self) -> tuple[int, ...]:
        """Positions of the videos that may be submitted."""
        match self.approval.answer:
            case Answer.ALL:
                return self.question.missing
            case Answer.TRIAL:
                return self.question.missing[: self.approval.first]
            case Answer.STOP:
                return ()


async def last_answer(run: FlowRun, about: str) -> Answered | None:
    """The last answer that was given to this run about a list; None if there is none.

    Args:
        about: identifies the list; letters and digits.
    """
    prefix = f"{_verb(run)}-{about}-"
    async with get_client() as client:
        found = await client.filter_flow_run_input(run.id, prefix, _MOST_INPUTS, set())
    answers = [each for each in found if each.key.endswith("-response")]
    if not answers:
        return None
    last = max(answers, key=lambda each: (each.created is not None, each.created))
    key = last.key.partition("-")[2].removesuffix("-response")
    question = Question.model_validate(await aread_flow_run_input(_kept(key), run.id))
    form = Approve.model_validate(last.decoded_value)
    approval = Approval(
        asked=len(question.missing),
        why=question.why,
        answer=form.answer,
        first=form.first if form.answer is Answer.TRIAL else None,
        by=form.approved_by.strip(),
        at=last.created or datetime.now(UTC),
    )
    # Prefect forgets the keys when a run that has ended is started again by hand.
    return Answered(question=question, approval=approval, afresh=key not in (run.empirical_policy.pause_keys or set()))


async def ask(run: FlowRun, about: str, question: Question, page: str) -> Answered:
    """Ask with a form, and wait for the answer.

    A run of a deployment ends here: it is suspended, whatever becomes of its worker, and any worker begins it again
    when it is resumed. Other runs wait where they are.

    Args:
        page: Markdown above the form.
    """
    form, key = Approve.with_initial_data(description=page), f"{about}-{run.run_count}"
    await acreate_flow_run_input(_kept(key), question.model_dump(), run.id)
    await form.asave(keyset_from_base_key(f"{_verb(run)}-{key}"), run.id)
    timeout = int((ANSWER_WITHIN + GRACE).total_seconds())
    if _can_suspend(run):
        with only_shows("the automation that ends runs nobody approved"):
            await _ensure_times_out()
        await asuspend_flow_run(form, timeout=timeout, key=key)
    try:
        async with asyncio.timeout(ANSWER_WITHIN.total_seconds()):
            await apause_flow_run(form, timeout=timeout, poll_interval=_SECONDS_BETWEEN, key=key)
    except TimeoutError:
        async with get_client() as client:  # tasks of a paused run would wait
            await client.set_flow_run_state(run.id, Running())
    found = await last_answer(run, about)
    if found and found.question == question:
        return found
    nobody = Approval(asked=len(question.missing), why=question.why, answer=Answer.STOP, at=datetime.now(UTC))
    return Answered(question=question, approval=nobody)


def _can_suspend(run: FlowRun) -> bool:
    """Prefect suspends no subflows, and nothing that no worker could begin again."""
    return run.deployment_id is not None and run.parent_task_run_id is None


def _verb(run: FlowRun) -> str:
    """What Prefect has the keys of forms begin with."""
    return "suspended" if _can_suspend(run) else "paused"


def _kept(key: str) -> str:
    return f"question-{key}"


async def _ensure_times_out() -> None:
    """Create the automation that ends suspended runs, unless there is one; people may change its time."""
    async with get_client() as client:
        if not await client.read_automations_by_name(TIMES_OUT):
            await client.create_automation(times_out(ANSWER_WITHIN))


def times_out(within: timedelta) -> AutomationCore:
    """The automation that ends suspended runs."""
    return AutomationCore.model_validate(
        {
            "name": TIMES_OUT,
            "description": "Ends video runs that wait for an approval that nobody gives in time. Nothing is spent.",
            "trigger": {
                "type": "event",
                "posture": "Proactive",
                "after": ["prefect.flow-run.Suspended"],
                "expect": ["prefect.flow-run.*"],
                "match": {"prefect.resource.id": "prefect.flow-run.*"},
                "match_related": {"prefect.resource.role": "flow", "prefect.resource.name": FLOWS_THAT_ASK},
                "for_each": ["prefect.resource.id"],
                "threshold": 1,
                "within": within.total_seconds(),
            },
            "actions": [
                {
                    "type": "change-flow-run-state",
                    "name": STOPPED,
                    "state": "FAILED",
                    "message": f"Nobody answered within {_words(within)}: this run submitted nothing, and nothing was "
                    "spent. Run the batch again to be asked again.",
                }
            ],
        }
    )


def _words(time: timedelta) -> str:
    hours = time / timedelta(hours=1)
    return f"{hours:g} hours" if hours >= 1 else f"{time.total_seconds():g} seconds"
