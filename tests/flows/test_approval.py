"""Above a threshold a person is asked, in Prefect's own form, before anything is spent."""

import asyncio
import json
from contextlib import suppress
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from prefect import Flow
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterState, FlowRunFilterStateType
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.client.schemas.sorting import FlowRunSort
from prefect.exceptions import ParameterTypeError, Pause
from prefect.flow_engine import run_flow_async
from prefect.states import Scheduled

from prefect_omnivideo import LocalVideoStore
from prefect_omnivideo.core.reports.approval import Answer
from prefect_omnivideo.flows import BatchStoppedError, generate_video, generate_videos
from prefect_omnivideo.flows.run import asking, forms
from prefect_omnivideo.sandbox import Sandbox
from tests.accounts import credentials

pytestmark = pytest.mark.usefixtures("prefect_server")
PROMPTS = ["one", "two", "three", "four"]
PAUSED = FlowRunFilter(state=FlowRunFilterState(type=FlowRunFilterStateType(any_=[StateType.PAUSED])))
"""Also suspended runs; other tests leave many more runs on this server than a query returns."""


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch, sandbox: Sandbox) -> None:
    sandbox.reset()
    monkeypatch.setattr(forms, "_SECONDS_BETWEEN", 0.05)


@pytest.fixture
def account(sandbox: Sandbox) -> Any:
    return credentials(sandbox, "apimart", prices=[{"per_video": "1 USD"}])


def answer(what: Answer, **more: Any) -> dict[str, Any]:
    return {"answer": str(what), "approved_by": "Ada", **more}


async def asked() -> FlowRun:
    """The run that waits for an answer, once there is one."""
    async with get_client() as client, asyncio.timeout(60):
        while True:
            for run in await client.read_flow_runs(flow_run_filter=PAUSED, sort=FlowRunSort.START_TIME_DESC):
                if await inputs(run):
                    return run
            await asyncio.sleep(0.05)


async def inputs(run: FlowRun) -> dict[str, Any]:
    """What is kept with a run, by the last word of its key."""
    async with get_client() as client:
        found = await client.filter_flow_run_input(run.id, "", 100, set())
    return {each.key.rpartition("-")[2]: each.decoded_value for each in found if "question" not in each.key}


async def resume(run: FlowRun, given: dict[str, Any]) -> Any:
    async with get_client() as client:
        return await client.resume_flow_run(run.id, given)


async def begin(batch: str, account: Any, store: LocalVideoStore, given: dict[str, Any], **more: Any) -> Any:
    """A run that is asked about once, and its state at the end."""
    settings: dict[str, Any] = {"ask_above": "3 videos", **more, "return_state": True}
    work: Any = generate_videos
    running = asyncio.create_task(work(PROMPTS, account, store, batch=batch, **settings))
    run = await asked()
    await resume(run, given)
    state: Any = await running
    return state


def made(sandbox: Sandbox) -> list[str]:
    return sorted(job["prompt"] for job in sandbox.jobs())


async def test_nothing_is_submitted_before_the_answer_and_everything_after_it(
    sandbox: Sandbox, store: LocalVideoStore, account: Any
) -> None:
    running = asyncio.create_task(generate_videos(PROMPTS, account, store, batch="all", ask_above="3.99 USD"))
    run = await asked()
    said = (await inputs(run))["description"]
    assert "4 videos of the batch all**: they may" in said
    assert "they may cost 4.00 USD, which is more than 3.99 USD" in said
    assert "4.00 USD for 4 videos on account apimart" in said
    assert "1. one" in said
    assert "And 1 more." in said
    assert sandbox.jobs() == []
    await resume(run, answer(Answer.ALL))
    report = await running
    assert made(sandbox) == sorted(PROMPTS)
    assert report.approval
    assert (report.approval.by, report.approval.asked, report.approval.answer) == ("Ada", 4, Answer.ALL)
    assert "Ada approved all 4 videos at 20" in report.markdown()
    kept = json.loads((store.folder / "all" / "report.json").read_text())
    assert kept["approval"]["by"] == "Ada"
    assert kept["approval"]["at"].startswith("20")


async def test_a_trial_makes_the_first_ones_and_the_next_run_asks_for_the_rest(
    sandbox: Sandbox, store: LocalVideoStore, account: Any
) -> None:
    state = await begin("trial", account, store, answer(Answer.TRIAL, first=2), ask_above="1 video")
    assert state.name == "Trial made"
    assert state.is_failed()
    assert "4 videos: 2 stored, 2 not approved." in str(state.message)
    assert "Ada approved the first 2 of 4 videos as a trial" in str(state.message)
    assert made(sandbox) == ["one", "two"]
    state = await begin("trial", account, store, answer(Answer.ALL), ask_above="1 video")
    assert state.is_completed()
    assert made(sandbox) == sorted(PROMPTS)
    assert (await state.aresult()).approval.asked == 2


async def test_stop_spends_nothing_and_says_so(sandbox: Sandbox, store: LocalVideoStore, account: Any) -> None:
    state = await begin("stop", account, store, answer(Answer.STOP))
    assert state.name == "Stopped"
    assert "Ada stopped the run" in str(state.message)
    assert "nothing was spent" in str(state.message)
    assert sandbox.jobs() == []
    assert json.loads((store.folder / "stop" / "report.json").read_text())["approval"]["answer"] == "Stop"
    with pytest.raises(BatchStoppedError):
        await state.aresult()


@pytest.mark.parametrize(("given", "ends"), [(Answer.STOP, "Stopped"), (Answer.ALL, "Completed")])
async def test_a_single_video_is_asked_about_too(
    given: Answer, ends: str, sandbox: Sandbox, store: LocalVideoStore, account: Any
) -> None:
    work: Any = generate_video
    settings = {"batch": f"single {given}", "ask_above": "0.99 USD", "return_state": True}
    running = asyncio.create_task(work("one", account, store, **settings))
    run = await asked()
    assert sandbox.jobs() == []
    await resume(run, answer(given))
    state: Any = await running
    assert state.name == ends
    assert made(sandbox) == (["one"] if given is Answer.ALL else [])
    if given is Answer.STOP:
        assert "Ada stopped the run" in str(state.message)
        assert "Nothing was spent. Run batch single-Stop again to be asked again." in str(state.message)


async def test_without_an_answer_the_run_stops_and_nothing_is_spent(
    sandbox: Sandbox, store: LocalVideoStore, account: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asking, "ANSWER_WITHIN", timedelta(seconds=1))
    state = await generate_videos(PROMPTS, account, store, batch="late", ask_above="3 videos", return_state=True)
    assert state.name == "Stopped"
    assert "nobody had answered by" in str(state.message)
    assert "nothing was spent" in str(state.message)
    assert sandbox.jobs() == []


@pytest.mark.parametrize("threshold", ["", "4 videos", "4 USD", "4.00 USD"])
async def test_nobody_is_asked_below_the_threshold(store: LocalVideoStore, account: Any, threshold: str) -> None:
    report = await generate_videos(PROMPTS, account, store, batch="few", ask_above=threshold)
    assert len(report.stored) == 4
    assert report.approval is None


@pytest.mark.parametrize(
    ("gateway", "prices", "threshold", "why"),
    [
        (
            "jimmyai",
            [],
            "1000 USD",
            "what they will cost is not known, or not of all, and may be more than 1000.00 USD",
        ),
        ("apimart", [{"per_video": "1 USD"}], "1000 credits", "4.00 USD cannot be compared with 1000 credits"),
    ],
)
async def test_a_cost_that_is_not_known_to_be_below_is_above(
    sandbox: Sandbox, store: LocalVideoStore, gateway: str, prices: list[Any], threshold: str, why: str
) -> None:
    account = credentials(sandbox, gateway, prices=prices)
    state = await begin("x", account, store, answer(Answer.STOP), ask_above=threshold)
    assert (await state.aresult(raise_on_failure=False)).report.approval.why == why


async def test_videos_that_were_submitted_need_no_approval(
    sandbox: Sandbox, store: LocalVideoStore, account: Any
) -> None:
    await generate_videos(PROMPTS[:3], account, store, batch="more")
    report = await generate_videos(PROMPTS, account, store, batch="more", ask_above="1 video")
    assert report.approval is None
    assert made(sandbox) == sorted(PROMPTS)


@pytest.mark.parametrize("threshold", ["-1 USD", "20", "20 usd", "many videos", "USD 20", "1e3 USD", "2.5 videos"])
async def test_a_bad_threshold_is_refused_by_name(
    sandbox: Sandbox, store: LocalVideoStore, account: Any, threshold: str
) -> None:
    with pytest.raises(ParameterTypeError, match="ask_above"):
        await generate_videos(PROMPTS, account, store, batch="bad", ask_above=threshold)
    assert sandbox.jobs() == []


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"answer": "Approve all"},
        {"answer": "Approve all", "approved_by": "  "},
        {"answer": "yes", "approved_by": "Ada"},
        answer(Answer.TRIAL, first=0),
    ],
)
async def test_a_form_that_is_not_filled_in_is_no_answer(
    sandbox: Sandbox, store: LocalVideoStore, account: Any, given: dict[str, Any]
) -> None:
    running = asyncio.create_task(generate_videos(PROMPTS, account, store, batch="form", ask_above="1 video"))
    run = await asked()
    await resume(run, given)
    async with get_client() as client:
        state = (await client.read_flow_run(run.id)).state
    assert state
    assert state.is_paused()
    assert sandbox.jobs() == []
    await resume(run, answer(Answer.STOP))
    with pytest.raises(BatchStoppedError):
        await running


class Deployed:
    """A run of a deployment, whose tries run in this process as those of a worker would."""

    def __init__(self, work: Flow[..., Any], run: FlowRun) -> None:
        self.work = work
        self.run = run

    @classmethod
    async def of(cls, work: Flow[..., Any], parameters: dict[str, Any]) -> "Deployed":
        async with get_client() as client:
            flow_id = await client.create_flow(work)
            deployment = await client.create_deployment(flow_id, f"test-{uuid4()}")
            given = work.serialize_parameters(parameters)
            run = await client.create_flow_run_from_deployment(deployment, parameters=given)
        return cls(work, run)

    async def now(self) -> FlowRun:
        async with get_client() as client:
            return await client.read_flow_run(self.run.id)

    async def begin(self, parameters: dict[str, Any]) -> Any:
        """One try; the state of the run after it."""
        with suppress(Pause):
            await run_flow_async(self.work, flow_run=await self.now(), parameters=parameters, return_type="state")
        return (await self.now()).state


async def test_a_run_of_a_deployment_is_suspended_and_any_process_goes_on_with_the_answer(
    sandbox: Sandbox, store: LocalVideoStore, account: Any
) -> None:
    parameters = {"prompts": PROMPTS, "credentials": account, "store": store, "batch": "d", "ask_above": "1 video"}
    deployed = await Deployed.of(generate_videos, {})
    state = await deployed.begin(parameters)
    assert state.name == "Suspended"
    assert sandbox.jobs() == []
    await resume(deployed.run, answer(Answer.TRIAL, first=1))
    state = await deployed.begin(parameters)
    assert state.name == "Trial made", state
    assert made(sandbox) == ["one"]
    # Started again by hand, it asks for the rest.
    async with get_client() as client:
        await client.set_flow_run_state(deployed.run.id, Scheduled())
    state = await deployed.begin(parameters)
    assert state.name == "Suspended", state
    await resume(deployed.run, answer(Answer.STOP))
    state = await deployed.begin(parameters)
    assert state.name == "Stopped"
    assert made(sandbox) == ["one"]
