"""A sheet in shards through the real flow engine; who would run them on a worker runs them here."""

import inspect
import json
import logging
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from prefect import tags, task
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import FlowRun, State, StateType
from prefect.states import Cancelled, Completed, Crashed, Pending, Running, Scheduled

from prefect_omnivideo import LocalVideoStore, VideoRoute
from prefect_omnivideo.core.errors import RequestError
from prefect_omnivideo.core.records.model import now
from prefect_omnivideo.core.reports.approval import Answer, Approval
from prefect_omnivideo.flows import BatchFailedError, BatchStoppedError, generate_sharded, sharded
from prefect_omnivideo.flows.run import asking
from prefect_omnivideo.flows.run import verdict as outcome
from prefect_omnivideo.flows.run.asking import Answered, Question
from prefect_omnivideo.flows.run.naming import SHARD_TAG
from prefect_omnivideo.flows.shard import generate_shard
from prefect_omnivideo.flows.sharded import _references as references
from prefect_omnivideo.sandbox import Sandbox
from tests.accounts import credentials

pytestmark = pytest.mark.usefixtures("prefect_server")

PROMPTS = [f"clip {number}" for number in range(3)]
BATCH = "long"

Ends = Callable[[int, int], State[Any] | None]
"""How the run of a shard ends, by its offset and its number; None: as it does."""


@task
def a_task() -> None:
    """What Prefect makes of a flow run within another one."""


class Workers:
    """Runs of the shard deployment."""

    def __init__(self, account: Any, store: LocalVideoStore) -> None:
        self.account, self.store = account, store
        self.runs: list[dict[str, Any]] = []
        self.ends: Ends = lambda offset, number: None

    async def run(self, name: str, parameters: dict[str, Any], **given: Any) -> FlowRun:
        offset = parameters["offset"]
        end = self.ends(offset, sum(run["offset"] == offset for run in self.runs))
        self.runs.append(parameters)
        if end is None:
            here = {"credentials": self.account, "store": self.store}
            with tags(*given["tags"]):
                end = await generate_shard(**{**parameters, **here}, return_state=True)
        return FlowRun.model_construct(name=name, state=end)


@pytest.fixture
async def workers(sandbox: Sandbox, store: LocalVideoStore, monkeypatch: pytest.MonkeyPatch) -> Workers:
    sandbox.reset()
    account = credentials(sandbox, "jimmyai")
    await account.save("shards", overwrite=True)
    await store.save("shards", overwrite=True)
    workers = Workers(account, store)
    monkeypatch.setattr(sharded, "arun_deployment", workers.run)
    return workers


@pytest.fixture
def sheet(tmp_path: Path) -> str:
    path = tmp_path / "long.jsonl"
    path.write_text("".join(json.dumps({"prompt": prompt}) + "\n" for prompt in PROMPTS))
    return str(path)


async def test_each_shard_makes_its_part_and_one_report_shows_all(
    workers: Workers,
    sandbox: Sandbox,
    sheet: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Parameters hold a part of the sheet and names of blocks, and no shard reads the whole batch for a report."""
    written: list[int] = []
    announced: list[int] = []
    write = outcome.write_report

    def spy(records: Any, report: Any, *rest: Any) -> Any:
        written.append(len(report.records))
        return write(records, report, *rest)

    monkeypatch.setattr(outcome, "write_report", spy)
    for module in (outcome, sharded):
        monkeypatch.setattr(module, "announce_batch", lambda report: announced.append(len(report.records)))
    with caplog.at_level(logging.INFO):
        report = await generate_sharded(sheet, workers.account, workers.store, BATCH, shard_size=2)
    assert Counter(job["prompt"] for job in sandbox.jobs()) == Counter(PROMPTS)
    assert len(report.stored) == written[0] == announced[0] == len(PROMPTS)
    assert len(written) == len(announced) == 1
    assert sorted((run["offset"], run["limit"]) for run in workers.runs) == [(0, 2), (2, 2)]
    assert sandbox.key not in str(workers.runs)
    assert workers.runs[0]["store"] == {"$ref": {"block_document_slug": "local-video-store/shards"}}
    assert report.report
    money = [text for text in caplog.messages if text.startswith(("about to spend", "balance of"))]
    assert money == [
        "about to spend unknown for 3 videos on account shards",
        "balance of account shards: 1000 credits",
        "balance of account shards: 970 credits",
    ], "once for the whole, not by each shard"
    assert report.spending == tuple(money[:2])
    assert report.charged == (
        money[2],
        "the balance of account shards fell by 30 credits during this run, and the recorded cost of its jobs is 0 "
        "credits; 3 jobs are of unknown cost",
    )
    assert len(json.loads((workers.store.folder / BATCH / "report.json").read_text())["records"]) == len(PROMPTS)


async def test_the_shards_of_a_sheet_are_one_list(workers: Workers, tmp_path: Path) -> None:
    prompts = ["pears", "bears", "zebras", "apples"]
    sheet = tmp_path / "mixed.csv"
    sheet.write_text("\n".join(["prompt", *prompts]))
    report = await generate_sharded(str(sheet), workers.account, workers.store, BATCH, shard_size=2)
    assert [record.request.prompt for record in report.records] == prompts
    places = [record.place for record in report.records]
    assert [place.position for place in places if place] == [1, 2, 3, 4]
    assert len({place.asked_at for place in places if place}) == 1


async def test_a_shard_that_crashed_is_run_again(workers: Workers, sandbox: Sandbox, sheet: str) -> None:
    workers.ends = lambda offset, number: Crashed() if offset == 2 and number == 0 else None
    report = await generate_sharded(sheet, workers.account, workers.store, BATCH, shard_size=2)
    assert Counter(run["offset"] for run in workers.runs) == {0: 1, 2: 2}
    assert len(report.stored) == len(sandbox.jobs()) == len(PROMPTS)


@pytest.mark.parametrize(
    ("end", "said", "runs"),
    [
        (Crashed(), "Shard with videos 3 to 4 crashed 3 times.", 3),
        (Cancelled(message="by a person"), "Shard with videos 3 to 4 ended Cancelled: by a person.", 1),
    ],
)
async def test_what_a_shard_leaves_undone_is_said(
    workers: Workers, sheet: str, end: State[Any], said: str, runs: int
) -> None:
    """The others are made all the same."""
    workers.ends = lambda offset, number: end if offset == 2 else None
    with pytest.raises(BatchFailedError) as caught:
        await generate_sharded(sheet, workers.account, workers.store, BATCH, shard_size=2)
    assert said in str(caught.value)
    assert "1 of 3 videos were never submitted" in str(caught.value)
    assert len(caught.value.report.stored) == 2
    assert sum(run["offset"] == 2 for run in workers.runs) == runs


async def test_cancelling_the_whole_cancels_its_shards(workers: Workers) -> None:
    """Those that run, those that wait for a worker, and none that has ended or belongs to somebody else."""
    hook = generate_sharded.on_cancellation_hooks[0]
    async with get_client() as client:

        async def child(parent: FlowRun, number: int, state: State[Any]) -> FlowRun:
            task_run = await client.create_task_run(a_task, parent.id, dynamic_key=str(number))
            return await client.create_flow_run(
                generate_shard, state=state, parent_task_run_id=task_run.id, tags=[SHARD_TAG]
            )

        parent, other = [await client.create_flow_run(generate_sharded, state=Running()) for _ in range(2)]
        states = (Running(), Pending(), Scheduled(), Completed())
        shards = [await child(parent, number, state) for number, state in enumerate(states)]
        stranger = await child(other, 0, Running())
        called = hook(generate_sharded, parent, Cancelled())
        assert inspect.isawaitable(called)
        await called
        found = [(await client.read_flow_run(run.id)).state_type for run in (*shards, stranger)]
    stopped = {StateType.CANCELLING, StateType.CANCELLED}
    assert [state in stopped for state in found] == [True, True, True, False, False]
    assert found[3:] == [StateType.COMPLETED, StateType.RUNNING]


async def test_secrets_of_a_block_that_is_not_saved_stay_here(workers: Workers, sandbox: Sandbox, sheet: str) -> None:
    with pytest.raises(RequestError, match="credentials: the block was never saved"):
        await generate_sharded(sheet, credentials(sandbox, "jimmyai"), workers.store, BATCH)
    assert not workers.runs
    assert not sandbox.jobs()


@pytest.mark.parametrize(("answer", "made"), [(Answer.TRIAL, 1), (Answer.STOP, 0)])
async def test_a_person_is_asked_once_for_all_shards(
    workers: Workers, sandbox: Sandbox, sheet: str, monkeypatch: pytest.MonkeyPatch, answer: Answer, made: int
) -> None:
    asked: list[Question] = []

    async def ask(run: FlowRun, about: str, question: Question, page: str) -> Answered:
        asked.append(question)
        approval = Approval(asked=3, why=question.why, answer=answer, first=1, by="Ada", at=now())
        return Answered(question=question, approval=approval)

    monkeypatch.setattr(asking, "ask", ask)
    with pytest.raises(BatchStoppedError, match="not approved") as caught:
        await generate_sharded(sheet, workers.account, workers.store, BATCH, shard_size=2, ask_above="2 videos")
    assert len(asked) == 1
    assert [job["prompt"] for job in sandbox.jobs()] == PROMPTS[:made]
    assert [(run["offset"], run["limit"]) for run in workers.runs] == [(0, 1)] * made
    assert (len(caught.value.report.stored), caught.value.report.held) == (made, 3 - made)


def test_shards_get_a_route_by_its_name() -> None:
    given = VideoRoute(accounts=["apimart-credentials/prod"])
    with pytest.raises(RequestError, match="never saved"):
        references(given)
    given._block_document_name = "prod"
    assert references(given) == {"$ref": {"block_document_slug": "video-route/prod"}}
