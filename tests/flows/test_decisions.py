"""What a person's answer allows, and what a run still has to ask about, as tables: no run, no server."""

from typing import Any

import pytest

from prefect_omnivideo.blocks import APIMartCredentials
from prefect_omnivideo.core.errors import BudgetReachedError, OmniVideoError
from prefect_omnivideo.core.records.compact import PackedRecords, pack
from prefect_omnivideo.core.records.model import VideoRecord, new_record
from prefect_omnivideo.core.records.repository import Records, name_in
from prefect_omnivideo.core.reports.approval import Answer, Approval, Decision
from prefect_omnivideo.core.reports.report import BatchReport
from prefect_omnivideo.core.request import VideoRequest
from prefect_omnivideo.flows.run import approval, ending, spending, verdict
from prefect_omnivideo.flows.run.asking import Answered, Question
from prefect_omnivideo.flows.run.budgets import Work
from prefect_omnivideo.flows.run.ending import BatchFailedError, BatchIncompleteError, BatchStoppedError
from prefect_omnivideo.flows.run.verdict import Outcome
from tests.core.budget.memory import MemoryStore
from tests.core.records.samples import MOMENT, attempt, record, stored

KEYS = ["a", "b", "c", "d"]
ALL, STOP = (Answer.ALL, None), (Answer.STOP, None)


def answered(answer: Answer, first: int | None, missing: tuple[int, ...], *, afresh: bool = False) -> Answered:
    given = Approval(asked=len(missing), why="many", answer=answer, first=first, by="Ada", at=MOMENT)
    return Answered(question=Question(why="many", missing=missing), approval=given, afresh=afresh)


@pytest.mark.parametrize(
    ("answer", "asked", "missing", "held"),
    [
        (ALL, (0, 1, 2, 3), "abcd", ""),
        (ALL, (2, 3), "cd", ""),
        (ALL, (2, 3), "bcd", "b"),  # made by somebody else when it was asked, and free again
        ((Answer.TRIAL, 2), (0, 1, 2, 3), "abcd", "cd"),
        ((Answer.TRIAL, 2), (1, 3), "bd", ""),
        ((Answer.TRIAL, 1), (1, 3), "d", "d"),  # the one that was approved is made
        ((Answer.TRIAL, 9), (0, 1), "ab", ""),
        (STOP, (0, 1, 2, 3), "abcd", "abcd"),
        (STOP, (0, 1), "", ""),
    ],
)
def test_only_what_was_asked_about_and_approved_may_be_submitted(
    answer: tuple[Answer, int | None], asked: tuple[int, ...], missing: str, held: str
) -> None:
    found = approval._decision(answered(*answer, asked), KEYS, frozenset(missing))
    assert found.held == frozenset(held)
    assert found.stops is (answer[0] is Answer.STOP)


@pytest.mark.parametrize(
    ("answer", "afresh", "missing", "settled"),
    [
        (ALL, False, "abcd", True),
        (ALL, False, "d", True),
        (ALL, False, "", True),
        (STOP, False, "abcd", True),
        (STOP, True, "abcd", False),  # started again by hand: it is asked again
        (STOP, True, "", True),
        ((Answer.TRIAL, 2), False, "abcd", True),
        ((Answer.TRIAL, 2), False, "bcd", True),
        ((Answer.TRIAL, 2), False, "cd", False),  # the trial is made: the rest is another question
        ((Answer.TRIAL, 2), True, "abcd", True),
    ],
)
def test_an_answer_holds_for_what_it_approved_until_that_is_made(
    answer: tuple[Answer, int | None], afresh: bool, missing: str, settled: bool
) -> None:
    given = answered(*answer, (0, 1, 2, 3), afresh=afresh)
    assert approval._settles(given, KEYS, frozenset(missing)) is settled


def test_what_the_batch_has_needs_no_approval() -> None:
    account: Any = APIMartCredentials(api_key="k")  # type: ignore[arg-type]
    records = Records(MemoryStore())
    requests = [VideoRequest(prompt=text) for text in ("new", "made", "lost", "no balance", "moderated")]
    mine = attempt(account="apimart")
    videos: list[VideoRecord] = [new_record(request, "b", mine) for request in requests]
    for video in (
        stored(videos[1]),
        videos[2].unknown(),
        videos[3].failed("no balance", "none left", accepted=False),
        videos[4].failed("moderated", "no"),
    ):
        records.claim(video)
    work = [Work(request, [account]) for request in requests]
    keys = [request.key for request in requests]
    assert approval._missing(records, "b", work, keys, []) == {keys[0], keys[3]}
    named = [f"{of}/{key}" for of, key in zip("bxbbb", keys, strict=True)]
    able = [[account.account()]] * len(requests)
    assert spending.settled_keys(records, "b", requests, able) == {keys[1], keys[2], keys[4]}, "what a run tells"
    assert spending.settled_keys(records, "b", requests[3:4], [[]]) == {keys[3]}, "no account may make it"
    assert approval._missing(records, "b", work, named, ["b", "x"]) == {named[0], named[1], named[3]}, "x has none"
    broken = VideoRequest(prompt="broken")
    records.store.create(name_in("b", broken), b"no record")
    assert spending.settled_keys(records, "b", [broken], able[:1]) == {broken.key}, "it is not submitted"


@pytest.fixture
def outcome(log: Any) -> Outcome:
    return Outcome("b", Records(MemoryStore()), [VideoRequest(prompt=text) for text in "ab"], log)


def test_what_a_budget_left_out_is_tried_again_once_there_is_room(outcome: Outcome) -> None:
    one, two = VideoRequest(prompt="a"), VideoRequest(prompt="b")
    outcome.give_up(one, BudgetReachedError("full"))
    outcome.give_up(two, OmniVideoError("broken."))
    assert outcome.left_out == [one]
    assert outcome.readmitted() == [one]
    assert (outcome.left_out, outcome.readmitted()) == ([], [])
    assert outcome._problems == {two.key: "broken"}


APPROVED = Approval(asked=4, why="many", answer=Answer.TRIAL, first=2, by="Ada", at=MOMENT)


@pytest.mark.parametrize(
    ("error", "more", "name"),
    [
        (BatchIncompleteError, {}, "Incomplete"),
        (BatchFailedError, {}, None),
        (BatchStoppedError, {"left_out": 1}, "Budget reached"),
        (BatchStoppedError, {"held": 2, "approval": APPROVED}, "Trial made"),
        (BatchStoppedError, {"held": 4, "approval": APPROVED.model_copy(update={"answer": Answer.STOP})}, "Stopped"),
        (BatchStoppedError, {"left_out": 1, "held": 2, "approval": APPROVED}, "Budget reached"),
    ],
)
def test_a_run_that_was_stopped_is_named_by_what_stopped_it(
    error: type[BatchFailedError], more: dict[str, Any], name: str | None
) -> None:
    assert ending._name_of(error("no", BatchReport(batch="b", records=PackedRecords([pack(record())]), **more))) == name


@pytest.mark.parametrize(("answer", "spent_nothing"), [(Answer.STOP, True), (Answer.TRIAL, False)])
def test_nothing_was_spent_is_said_only_where_it_is_so(answer: Answer, spent_nothing: bool) -> None:
    given = APPROVED.model_copy(update={"answer": answer})
    said = verdict.asks_again(BatchReport(batch="b", records=PackedRecords(), approval=given))
    assert ("nothing was spent" in said) is spent_nothing
    assert said.endswith("Run batch b again to be asked again.")


def test_a_run_that_asks_nobody_holds_nothing_back() -> None:
    assert (Decision().stops, Decision().held) == (False, frozenset())
