"""The flow that asks which takes of a batch to keep, and copies them to where they are published from."""

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Annotated, Any, Literal, NamedTuple, cast

from prefect.artifacts import acreate_markdown_artifact
from prefect.client.orchestration import get_client
from prefect.context import FlowRunContext
from prefect.logging import get_run_logger
from prefect.runtime import flow_run
from prefect.states import Completed
from pydantic import BaseModel, Field, create_model

from prefect_omnivideo.core.choosing.copies import FOLDER, Chosen, carry_out
from prefect_omnivideo.core.choosing.reading import marks_at
from prefect_omnivideo.core.choosing.takes import Choice, Takes, choice_of, chosen, takes_of
from prefect_omnivideo.core.errors import OmniVideoError, StoreError, refuse
from prefect_omnivideo.core.records.batch import BatchName
from prefect_omnivideo.core.records.model import VideoRecord
from prefect_omnivideo.core.redaction import shorten
from prefect_omnivideo.core.reports.cards import facts_of
from prefect_omnivideo.core.reports.templating import render
from prefect_omnivideo.core.reports.wording import plain, title
from prefect_omnivideo.core.sheets.source import name_of
from prefect_omnivideo.core.storage.base import ObjectStore
from prefect_omnivideo.core.threads import on_records, on_transfers
from prefect_omnivideo.flows.run.flow import video_flow
from prefect_omnivideo.flows.run.forms import Form, Reply, last_reply, reply_to
from prefect_omnivideo.flows.run.naming import batch_from, origin_of_run
from prefect_omnivideo.flows.run.parameters import AnyStore, Text
from prefect_omnivideo.tasks.events import announce_chosen, open_records
from prefect_omnivideo.tasks.showing import only_shows

MOST_ASKED = 25
"""Prompts in a form; nobody fills in a longer one."""
NONE = "none"
Hours = Annotated[float, Field(gt=0, le=24 * 365)]


class ChoiceIncompleteError(OmniVideoError):
    """Some chosen videos could not be copied. The others were.

    Attributes:
        chosen: what was copied, and what was not.
    """

    def __init__(self, message: str, chosen: Chosen) -> None:
        super().__init__(message)
        self.chosen = chosen


class Asked(BaseModel, frozen=True):
    """A prompt that has several takes."""

    key: str
    title: str
    takes: tuple[int, ...]


class Question(BaseModel, frozen=True):
    """What the form asks about, from top to bottom."""

    prompts: tuple[Asked, ...]


class Choose(Form):
    """The form; a field for each prompt is added to it."""

    chosen_by: str = Field(
        min_length=1,
        max_length=100,
        pattern=r"\S",
        description="Your name: Prefect keeps when you answer, but not who you are.",
    )


class Shown(NamedTuple):
    """A take, for people."""

    number: int
    facts: str
    address: str


def _run_name() -> str:
    given = flow_run.parameters
    return f"choose takes of {given['batch']}{' from a file' if given.get('choices') else ''}"


@video_flow(name="Choose takes", flow_run_name=_run_name)
async def choose_takes(
    batch: str, store: AnyStore, choices: Text = "", to: str = FOLDER, wait: Hours = 7 * 24
) -> Chosen:
    """Copy the takes that a person keeps, with their records, under names that stay the same whichever take it is.

    Without a file of choices the run asks through a form of this UI; the only take of a prompt is kept without asking.
    Nothing is deleted and nothing is spent. Run again to choose differently: the copies are replaced.

    Args:
        batch: Name of the batch, or the template it was made with.
        store: Where the videos and their records are kept.
        choices: The file of marks that the gallery exports: a path on the worker, an https:// URL or s3://bucket/key.
            What is marked keep is kept, and nothing else. Empty: ask.
        to: Folder of the store for the copies; each batch has its own in it.
        wait: Hours to wait for an answer.

    Returns:
        What is kept, what of it was copied now, and which takes are wanted again.

    Raises:
        RequestError: there is no such batch, or the file or the folder cannot be used; nothing was copied.
        StoreError: the store cannot be read or written.
        ChoiceIncompleteError: some videos could not be copied.
    """
    log, records = get_run_logger(), open_records(store)
    if not batch.strip():
        raise refuse("batch", "it is empty", "the name of a batch of the store", subject="parameters")
    name = batch_from(await origin_of_run(), batch)
    takes = await on_records(lambda: takes_of(records.batch(name)))
    if not any(each.stored for each in takes):
        rule = f"{records.store.uri(name)} holds no stored video"
        raise refuse("batch", rule, "the name of a batch of the store", subject="parameters")
    if choices:
        marks = await on_records(marks_at, choices.strip(), records.store)
        choice = choice_of(marks, name, takes, datetime.now(UTC), f"file {name_of(choices.strip())}")
    else:
        choice = await _asked(name, to, takes, records.store, timedelta(hours=wait))
    announce = partial(announce_chosen, store=records.store)
    done = await on_transfers(carry_out, choice, records.store, name, to, announce)
    log.info("%s", done.summary())
    if done.again:
        log.info("%s", done.how_to_make())
    await _show(done, name, records.store)
    if done.problems:
        raise ChoiceIncompleteError(f"{done.summary()} {'; '.join(done.problems[:3])}", done)
    # As a state with a message; the caller of the flow gets its data.
    return cast("Chosen", Completed(message=done.summary(), data=cast("Any", done)))


async def _asked(batch: BatchName, to: str, takes: Sequence[Takes], store: ObjectStore, within: timedelta) -> Choice:
    """The choice of a person; if nothing is to be chosen, nobody is asked.

    Raises:
        RequestError: there are too many prompts for a form.
        StoreError: nobody answered.
    """
    several = [each for each in takes if len(each.stored) > 1]
    context = FlowRunContext.get()
    if not several or context is None or context.flow_run is None:
        return chosen(takes, {}, by="", source="no prompt has several takes", at=datetime.now(UTC))
    gallery = _gallery(batch, store)
    if len(several) > MOST_ASKED:
        rule = f"{len(several)} prompts have several takes, which is too long a form"
        where = f" ({gallery})" if gallery else ""
        accepted = f"the file of marks that the gallery of the batch exports{where}; a form has {MOST_ASKED} at most"
        raise refuse("choices", rule, accepted, subject="parameters")
    question = Question(
        prompts=tuple(
            Asked(
                key=each.key,
                title=shorten(plain(each.request.prompt) or "(no prompt)", 80),
                takes=tuple(record.request.take for record in each.stored),
            )
            for each in several
        )
    )
    # Other prompts are another question; more takes of the same ones are not: the answer is about those shown.
    identity = "/".join([to, batch, *(each.key for each in several)])
    about = f"choice-{hashlib.sha256(identity.encode()).hexdigest()[:16]}"
    async with get_client() as client:
        run = await client.read_flow_run(context.flow_run.id)
    reply = await last_reply(run, about)
    if reply is None or reply.afresh:
        get_run_logger().warning("%d prompts wait for a choice. Resume this run in the UI to answer", len(several))
        page = render(
            "choose.md",
            batch=batch.typed,
            until=f"{datetime.now(UTC) + within:%Y-%m-%d %H:%M} UTC",
            gallery=gallery,
            alone=sum(len(each.stored) == 1 for each in takes),
            asked=[
                {"title": asked.title, "takes": [_shown(record, store) for record in each.stored]}
                for asked, each in zip(question.prompts, several, strict=True)
            ],
        )
        reply = await reply_to(run, about, question, form_of(question), page, within)
    if reply is None:
        raise StoreError(f"nobody chose within {within / timedelta(hours=1):g} hours: nothing was copied. Run it again")
    return _choice(reply, takes)


def form_of(question: Question) -> type[Form]:
    """The form with a field for each prompt. Names of fields are numbers: prompts may contain anything."""
    fields: dict[str, Any] = {}
    for number, prompt in enumerate(question.prompts, 1):
        labels = cast("Any", Literal)[(*map(_label, prompt.takes), NONE)]
        text = f"Which take to keep, of {len(prompt.takes)}."
        fields[_field(number)] = (labels, Field(title=f"{number}. {prompt.title}", description=text))
    return create_model("Choose", __base__=Choose, **fields)


def _choice(reply: Reply, takes: Sequence[Takes]) -> Choice:
    question = Question.model_validate(reply.question)
    given = form_of(question).model_validate(reply.given).model_dump()
    labels = {prompt.key: str(given[_field(number)]) for number, prompt in enumerate(question.prompts, 1)}
    numbers = {
        prompt.key: next((take for take in prompt.takes if _label(take) == labels[prompt.key]), None)
        for prompt in question.prompts
    }
    return chosen(takes, numbers, by=str(given["chosen_by"]).strip(), source="form", at=reply.at)


def _field(number: int) -> str:
    return f"prompt_{number}"


def _label(take: int) -> str:
    return f"take {take}"


def _shown(record: VideoRecord, store: ObjectStore) -> Shown:
    file = record.files[0]
    return Shown(record.request.take, ", ".join(facts_of(file)), store.address(file.name))


def _gallery(batch: str, store: ObjectStore) -> str:
    page = f"{batch}/index.html"
    return store.address(page) if store.size(page) else ""


async def _show(done: Chosen, batch: BatchName, store: ObjectStore) -> None:
    with only_shows("the report of the choice"):
        page = render(
            "chosen.md",
            heading=f"Chosen of {batch.typed}",
            summary=done.summary(),
            done=done,
            at=f"{done.at.astimezone(UTC):%Y-%m-%d %H:%M} UTC",
            title=title,
            address=store.address,
        )
        await acreate_markdown_artifact(page, key="omnivideo-chosen", description=done.summary())
