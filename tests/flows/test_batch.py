"""A list of prompts, through the real flow engine: one submission a prompt, whatever goes wrong."""

import json
from collections import Counter
from collections.abc import Generator
from pathlib import Path
from typing import cast
from unittest.mock import AsyncMock
from uuid import UUID

import pytest
from prefect import flow, task
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId
from prefect.client.schemas.objects import StateType, TaskRunResult
from prefect.client.schemas.sorting import TaskRunSort
from prefect.context import FlowRunContext, TaskRunContext

from prefect_omnivideo import LocalVideoStore, VideoRequest
from prefect_omnivideo.core.client.poll_schedule import ENOUGH, durations
from prefect_omnivideo.core.errors import JobError, RequestError, StoreError, TransferError
from prefect_omnivideo.core.records.model import VideoRecord, VideoState
from prefect_omnivideo.core.reports.report import BatchReport
from prefect_omnivideo.core.storage.base import ObjectStore
from prefect_omnivideo.flows import BatchFailedError, BatchIncompleteError, generate_video, generate_videos
from prefect_omnivideo.flows.run import verdict as outcome
from prefect_omnivideo.flows.run.naming import batch_from, origin_of_run
from prefect_omnivideo.sandbox import Sandbox, Settings, running
from prefect_omnivideo.sandbox.faults import Fault, FaultPlan
from prefect_omnivideo.tasks import events
from tests.accounts import GATEWAYS, credentials
from tests.flows.conftest import Held

pytestmark = pytest.mark.usefixtures("prefect_server")


def bill(sandbox: Sandbox) -> Counter[str]:
    return Counter(job["prompt"] for job in sandbox.jobs())


async def test_a_faulty_batch_over_five_gateways_is_billed_once_a_prompt(
    sandbox: Sandbox, store: LocalVideoStore
) -> None:
    sandbox.reset()
    faults = ["429", "retry-after=1", "poll-500", "poll-garbage", "truncate", "expired-link", "strange-status"]
    good = [f"faulty {fault} [fault:{fault}]" for fault in faults] + [f"plain {number}" for number in range(7)]
    bad = [
        "refused [fault:400]",
        "moderated [fault:moderated]",
        "lost answer [fault:drop-after]",
        "no capacity [fault:503]",
    ]
    accounts = [credentials(sandbox, gateway, jobs_in_flight=2) for gateway in GATEWAYS]
    with pytest.raises(BatchFailedError) as caught:
        await generate_videos([*good, *bad], accounts, store, batch="faulty")
    report = caught.value.report
    assert [record.request.prompt for record in report.records] == [*good, *bad]
    assert {record.request.prompt for record in report.stored} == set(good)
    assert {record.request.prompt for record in report.failed} == set(bad[:2])
    assert {record.request.prompt for record in report.unknown} == set(bad[2:])
    assert bill(sandbox) == Counter([*good, *bad[1:3]]), "one submission a prompt, none twice"
    assert {job["gateway"] for job in sandbox.jobs()} == set(GATEWAYS)
    assert "moderated" in str(caught.value)
    assert sandbox.stats()["leaks"] == []

    assert (store.folder / "faulty" / "index.html").read_text().count('aria-label="Play ') == len(good)
    assert json.loads((store.folder / "faulty" / "report.json").read_text())["counts"]["stored"] == len(good)

    with pytest.raises(BatchFailedError) as again:
        await generate_videos([*good, *bad], accounts, store, batch="faulty")
    assert again.value.report.stored == report.stored
    assert bill(sandbox) == Counter([*good, *bad[1:3]]), "a second run pays for nothing that was paid"


async def test_only_new_prompts_of_a_growing_list_are_submitted(sandbox: Sandbox, store: LocalVideoStore) -> None:
    sandbox.reset()
    account = credentials(sandbox, "apimart")
    await generate_videos(["one", "two"], account, store, batch="growing")
    report = await generate_videos(["one", "two", VideoRequest(prompt="two", take=2)], account, store, batch="growing")
    assert len(report.stored) == 3
    assert bill(sandbox) == Counter({"one": 1, "two": 2})


async def test_repeated_prompts_are_one_video(sandbox: Sandbox, store: LocalVideoStore) -> None:
    sandbox.reset()
    report = await generate_videos(["same", "same"], credentials(sandbox, "jimmyai"), store)
    assert len(report.records) == 1
    assert bill(sandbox) == Counter({"same": 1})


async def test_an_unacceptable_prompt_spends_nothing(sandbox: Sandbox, store: LocalVideoStore) -> None:
    sandbox.reset()
    prompts: list[str | VideoRequest] = ["fine", VideoRequest(prompt="not fine", duration=7)]
    with pytest.raises(RequestError, match=r"prompt 2: JimmyAI, duration"):
        await generate_videos(prompts, credentials(sandbox, "jimmyai"), store)
    assert sandbox.jobs() == []


async def test_each_request_goes_to_an_account_that_can_honour_it(sandbox: Sandbox, store: LocalVideoStore) -> None:
    sandbox.reset()
    prompts: list[str | VideoRequest] = [
        VideoRequest(prompt="four seconds", duration=4, resolution="4k"),
        VideoRequest(
            prompt="two pictures", images=("https://pictures.example/1.png", "https://pictures.example/2.png")
        ),
    ]
    accounts = [credentials(sandbox, "apimart"), credentials(sandbox, "jimmyai")]
    await generate_videos(prompts, accounts, store)
    assert {job["prompt"]: job["gateway"] for job in sandbox.jobs()} == {
        "four seconds": "jimmyai",
        "two pictures": "apimart",
    }


async def test_a_store_that_cannot_be_written_spends_nothing(sandbox: Sandbox, tmp_path: Path) -> None:
    sandbox.reset()
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(StoreError):
        await generate_videos(["x"], credentials(sandbox, "apimart"), LocalVideoStore(folder=tmp_path / "file"))
    assert sandbox.jobs() == []


async def test_a_passed_deadline_is_pending_and_a_later_run_collects(
    slow_sandbox: Sandbox, held: Held, store: LocalVideoStore
) -> None:
    sandbox = slow_sandbox
    account = credentials(sandbox, "apimart")
    with pytest.raises(BatchIncompleteError, match=r"'late': .* still runs.*run batch late again") as caught:
        await generate_videos(["late"], account, store, batch="late", deadline=0.05)
    assert [record.state for record in caught.value.report.pending] == [VideoState.SUBMITTED]
    held.finish()
    report = await generate_videos(["late"], account, store, batch="late")
    assert len(report.stored) == 1
    assert bill(sandbox) == Counter({"late": 1})


class NoVideoError(TransferError):
    """One that the store task does not try again for."""

    waiting_helps = False


async def test_a_run_that_leaves_paid_videos_out_of_the_store_ends_incomplete(
    sandbox: Sandbox, store: LocalVideoStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its videos are finished, and not one can be downloaded; a retry by Prefect goes on with them."""
    sandbox.reset()
    prompts = ["one", "two [fault:moderated]"]
    account, tries = credentials(sandbox, "apimart"), list[str]()
    retried = generate_videos.with_options(retries=1, retry_delay_seconds=0)
    refuse = AsyncMock(side_effect=NoVideoError("the link gave no video"))
    monkeypatch.setattr("prefect_omnivideo.core.jobs.fetching.Fetching.all", refuse)
    state = await retried(prompts, account, store, batch="b", return_state=True)
    assert (state.type, state.name) == (StateType.FAILED, "Incomplete")
    assert (
        "2 videos: 1 still being made (1 of them finished at the gateway, and not in the store yet), 1 failed"
        in str(state.message)
    )
    assert "run batch b again" in str(state.message)
    async with get_client() as client:
        run = await client.read_flow_run(state.state_details.flow_run_id or UUID(int=0))
    assert (run.run_count, run.state_name) == (2, "Incomplete")
    with pytest.raises(TransferError):
        await generate_video(prompts[0], account, store, batch="b")
    state = await generate_video(prompts[0], account, store, batch="b", return_state=True)
    assert (state.type, state.name) == (StateType.FAILED, "Incomplete")

    @flow
    async def parent() -> None:
        with pytest.raises(BatchIncompleteError) as caught:
            await generate_videos(prompts, account, store, batch="b")
        tries.extend(record.request.prompt for record in caught.value.report.pending)

    await parent()
    assert tries == prompts[:1]
    assert bill(sandbox) == Counter(prompts)


async def test_another_account_does_not_touch_what_it_did_not_submit(
    slow_sandbox: Sandbox, store: LocalVideoStore
) -> None:
    sandbox = slow_sandbox
    for gateway, deadline in (("apimart", 0.01), ("jimmyai", 60)):
        with pytest.raises(BatchIncompleteError) as caught:
            await generate_videos(["mine"], credentials(sandbox, gateway), store, batch="mine", deadline=deadline)
        assert [record.attempt.gateway for record in caught.value.report.pending] == ["apimart"]
    with pytest.raises(JobError, match="Run again with that account"):
        await generate_video("mine", credentials(sandbox, "jimmyai"), store, batch="mine")
    assert bill(sandbox) == Counter({"mine": 1})


async def test_one_task_run_a_stage_with_names_that_say_what_happens(sandbox: Sandbox, store: LocalVideoStore) -> None:
    state = await generate_video("a red apple", credentials(sandbox, "omnirouters"), store, return_state=True)
    assert state.is_completed()
    async with get_client() as client:
        run_id = state.state_details.flow_run_id
        assert run_id is not None
        task_runs = await client.read_task_runs(
            flow_run_filter=FlowRunFilter(id=FlowRunFilterId(any_=[run_id])), sort=TaskRunSort.END_TIME_DESC, limit=10
        )
        flow_run = await client.read_flow_run(run_id)
    assert sorted(run.name for run in task_runs) == [
        "OmniRouters poll: a red apple",
        "OmniRouters store: a red apple",
        "OmniRouters submit: a red apple",
    ]
    assert flow_run.name == "video: a red apple"
    assert sandbox.key not in flow_run.model_dump_json()


async def test_the_flow_run_fails_with_a_readable_message(sandbox: Sandbox, store: LocalVideoStore) -> None:
    state = await generate_videos(
        ["good", "bad [fault:moderated]"], credentials(sandbox, "sora"), store, return_state=True
    )
    assert state.is_failed()
    assert "2 videos: 1 stored, 1 failed" in str(state.message)
    assert "bad" in str(state.message)


async def test_a_retried_flow_run_pays_for_nothing_again(sandbox: Sandbox, store: LocalVideoStore) -> None:
    """Prefect's own retry runs the whole flow again, under the same id and so on the same batch."""
    sandbox.reset()
    retried = generate_videos.with_options(retries=1, retry_delay_seconds=0)
    state = await retried(["good", "bad [fault:moderated]"], credentials(sandbox, "apimart"), store, return_state=True)
    assert state.is_failed()
    async with get_client() as client:
        run = await client.read_flow_run(state.state_details.flow_run_id or UUID(int=0))
    assert run.run_count == 2
    assert bill(sandbox) == Counter({"good": 1, "bad [fault:moderated]": 1})


async def test_a_retried_parent_pays_for_nothing_again(sandbox: Sandbox, store: LocalVideoStore) -> None:
    """The retry of a parent starts new runs of the flows within it."""
    sandbox.reset()
    account, batches = credentials(sandbox, "apimart"), list[str]()

    @flow(retries=1, retry_delay_seconds=0)
    async def parent() -> None:
        report = await generate_videos(["one", "two"], account, store)
        batches.append(report.batch)
        batches.append((await generate_video("three", account, store)).batch)
        if len(batches) == 2:
            raise RuntimeError("what comes after it fails")

    @task
    async def in_a_task() -> None:
        await parent()

    @flow
    async def outermost() -> None:
        await in_a_task()

    state = await outermost(return_state=True)
    assert bill(sandbox) == Counter({"one": 1, "two": 1, "three": 1})
    assert batches == [str(state.state_details.flow_run_id)] * 4


async def test_without_any_run_the_batch_has_a_stable_name(caplog: pytest.LogCaptureFixture) -> None:
    names = {batch_from(await origin_of_run(), None) for _ in range(2)}
    assert names == {"without-a-run"}
    assert "called outside of a run" in caplog.text


async def test_prefect_draws_arrows_within_a_video_and_remembers_no_video_that_is_done(
    sandbox: Sandbox, store: LocalVideoStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run of 10,000 prompts would take 120 MB more otherwise."""
    remembered: list[int] = []
    inputs: list[dict[str, list[TaskRunResult]]] = []

    def look(report: BatchReport) -> None:
        run = FlowRunContext.get()
        remembered.append(len(run.run_results) if run else -1)

    def note(record: VideoRecord, store: ObjectStore) -> None:
        run = TaskRunContext.get()
        if run and record.state is VideoState.STORED:
            inputs.append(cast("dict[str, list[TaskRunResult]]", run.task_run.task_inputs))

    monkeypatch.setattr(outcome, "announce_batch", look)
    monkeypatch.setattr(events, "announce_video", note)
    await generate_videos(["one", "two", "three"], credentials(sandbox, "jimmyai"), store, batch="arrows")
    assert remembered == [0]
    arrows = [{result.id for results in each.values() for result in results} for each in inputs]
    assert [len(each) for each in arrows] == [2, 2, 2], "from its submission and from its wait"
    assert len(set.union(*arrows)) == 6, "and from nobody else's"


@pytest.fixture
def broke_sandbox() -> Generator[Sandbox]:
    """Two gateways; the account at one of them has no money."""
    with running(Settings(latency=0.1, faults=FaultPlan((Fault("no-balance", gateway="apimart"),)))) as sandbox:
        yield sandbox


async def test_a_broke_account_beside_a_healthy_one_rests(broke_sandbox: Sandbox, store: LocalVideoStore) -> None:
    accounts = [
        credentials(broke_sandbox, "apimart", jobs_in_flight=3),
        credentials(broke_sandbox, "jimmyai", api_key="sk-wrong", jobs_in_flight=2),
        credentials(broke_sandbox, "sora", jobs_in_flight=2),
    ]
    prompts = [f"prompt {number}" for number in range(60)]
    report = await generate_videos(prompts, accounts, store, batch="b")
    assert len(report.stored) == 60
    assert bill(broke_sandbox) == Counter(dict.fromkeys(prompts, 1))
    asked = broke_sandbox.stats()["gateways"]
    assert asked["apimart"]["submissions"] <= 3
    assert asked["jimmyai"]["submissions"] <= 2


async def test_where_no_account_is_left_the_rest_fails_with_the_reason(
    broke_sandbox: Sandbox, store: LocalVideoStore
) -> None:
    with pytest.raises(BatchFailedError, match=r"insufficient balance.*and 15 more"):
        await generate_videos(
            [f"prompt {number}" for number in range(20)], credentials(broke_sandbox, "apimart", jobs_in_flight=1), store
        )
    assert broke_sandbox.stats()["gateways"]["apimart"]["submissions"] == 1
    assert bill(broke_sandbox) == Counter()


async def test_how_long_earlier_videos_of_the_batch_took_is_known(sandbox: Sandbox, store: LocalVideoStore) -> None:
    account = credentials(sandbox, "sora")
    prompts: list[str | VideoRequest] = [f"learned {number}" for number in range(ENOUGH)]
    await generate_videos(prompts, account, store, batch="learned")
    durations.cache_clear()  # as in another process
    await generate_videos(prompts, account, store, batch="learned")
    assert durations("sora", account.base_url, "").low is not None
