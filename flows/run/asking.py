"""Asks a person whether videos may be submitted."""

from datetime import UTC, datetime, timedelta

from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import FlowRun
from prefect.events.schemas.automations import AutomationCore
from pydantic import BaseModel, Field

from prefect_omnivideo.core.reports.approval import Answer, Approval
from prefect_omnivideo.flows.run.ending import STOPPED
from prefect_omnivideo.flows.run.forms import Form, Reply, can_suspend, last_reply, reply_to
from prefect_omnivideo.tasks.showing import only_shows

ANSWER_WITHIN = timedelta(hours=24)
"""How long a run waits for an answer."""
TIMES_OUT = "Stop video runs that nobody approved"
"""Name of the automation that ends suspended runs: nothing of theirs is running that could do it."""
FLOWS_THAT_ASK = [
    "Generate video",
    "Generate videos",
    "Generate videos from a sheet",
    "Generate sharded",
    "Generate sequence",
    "Compare accounts",
]


class Approve(Form):
    """The form."""

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
    reply = await last_reply(run, about)
    return reply and _answered(reply)


async def ask(run: FlowRun, about: str, question: Question, page: str) -> Answered:
    """Ask with a form, and wait for the answer, as `reply_to` does.

    Args:
        page: Markdown above the form.
    """
    if can_suspend(run):
        with only_shows("the automation that ends runs nobody approved"):
            await _ensure_times_out()
    if reply := await reply_to(run, about, question, Approve, page, ANSWER_WITHIN):
        return _answered(reply)
    nobody = Approval(asked=len(question.missing), why=question.why, answer=Answer.STOP, at=datetime.now(UTC))
    return Answered(question=question, approval=nobody)


def _answered(reply: Reply) -> Answered:
    question, form = Question.model_validate(reply.question), Approve.model_validate(reply.given)
    approval = Approval(
        asked=len(question.missing),
        why=question.why,
        answer=form.answer,
        first=form.first if form.answer is Answer.TRIAL else None,
        by=form.approved_by.strip(),
        at=reply.at,
    )
    return Answered(question=question, approval=approval, afresh=reply.afresh)


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
