"""What was paid for is brought home without its prompts, by the account that paid."""

from collections import Counter
from unittest.mock import AsyncMock
from uuid import UUID

import pytest
from prefect import get_client
from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterFlowRunId

from prefect_omnivideo import LocalVideoStore
from prefect_omnivideo.blocks.credentials import GatewayCredentials
from prefect_omnivideo.core.client.client import GatewayClient
from prefect_omnivideo.core.gateways.specification import Answer, HttpCall
from prefect_omnivideo.core.records import resolve as settle
from prefect_omnivideo.core.records.model import VideoRecord, VideoState, now
from prefect_omnivideo.core.records.repository import Records
from prefect_omnivideo.core.reports.spending import Spending
from prefect_omnivideo.core.storage.base import ETag
from prefect_omnivideo.core.storage.folder import Folder
from prefect_omnivideo.flows import BatchFailedError, BatchIncompleteError, collect_videos, generate_videos
from prefect_omnivideo.flows.run.cancelling import report_cancellation
from prefect_omnivideo.sandbox import Sandbox
from tests.accounts import credentials
from tests.flows.conftest import Held

pytestmark = pytest.mark.usefixtures("prefect_server")


def bill(sandbox: Sandbox) -> Counter[str]:
    return Counter(job["prompt"] for job in sandbox.jobs())


async def test_everything_pending_is_collected_and_nothing_submitted(
    slow_sandbox: Sandbox, held: Held, store: LocalVideoStore
) -> None:
    sandbox = slow_sandbox
    accounts = [credentials(sandbox, "apimart"), credentials(sandbox, "jimmyai")]
    with pytest.raises(BatchIncompleteError) as caught:
        await generate_videos(["one", "two", "three"], accounts, store, batch="b", deadline=0.01)
    assert len(caught.value.report.pending) == 3
    held.finish()
    report = await collect_videos("b", accounts, store)
    assert len(report.stored) == 3
    assert bill(sandbox) == Counter({"one": 1, "two": 1, "three": 1})
    assert len((await collect_videos("b", accounts[:1], store)).stored) == 3, "nothing left to do needs no account"


async def test_what_another_account_submitted_stays_pending(slow_sandbox: Sandbox, store: LocalVideoStore) -> None:
    sandbox = slow_sandbox
    with pytest.raises(BatchIncompleteError):
        await generate_videos(["one"], credentials(sandbox, "apimart"), store, batch="b", deadline=0.01)
    with pytest.raises(BatchIncompleteError) as caught:
        await collect_videos("b", credentials(sandbox, "jimmyai"), store)
    assert len(caught.value.report.pending) == 1


async def test_every_batch_with_open_videos_is_collected(
    slow_sandbox: Sandbox, held: Held, store: LocalVideoStore
) -> None:
    account = credentials(slow_sandbox, "apimart")
    for prompt, batch in (("one", "daily/1"), ("two", "daily/2"), ("three", "daily/2")):
        with pytest.raises(BatchIncompleteError):
            await generate_videos([prompt], account, store, batch=batch, deadline=0.01)
    with pytest.raises(BatchIncompleteError, match=r"daily/1: .*daily/2: ") as caught:
        await collect_videos(None, account, store, deadline=0.01)
    assert len(caught.value.report.pending) == 3
    held.finish()
    report = await collect_videos(None, account, store)
    assert sorted(record.request.prompt for record in report.stored) == ["one", "three", "two"]
    assert (store.folder / "daily/2/index.html").read_text().count('aria-label="Play ') == 2
    assert len((await collect_videos(None, account, store)).records) == 0, "nothing is left"
    assert bill(slow_sandbox) == Counter({"one": 1, "two": 1, "three": 1})


async def spending(run_id: UUID | None) -> list[str]:
    """The pages about spending of a run."""
    assert run_id is not None
    async with get_client() as client:
        artifacts = await client.read_artifacts(
            artifact_filter=ArtifactFilter(flow_run_id=ArtifactFilterFlowRunId(any_=[run_id]))
        )
    return [str(artifact.data) for artifact in artifacts if artifact.key == "omnivideo-spending"]


async def test_a_sweep_of_all_batches_shows_what_the_store_did_cost(
    slow_sandbox: Sandbox, held: Held, store: LocalVideoStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads: list[str] = []
    read = Folder.read
    account = credentials(slow_sandbox, "apimart")
    for number in (1, 2):
        await generate_videos(
            [f"video {number}"], account, store, batch=f"daily/{number}", deadline=0.01, return_state=True
        )
    waiting = await collect_videos(None, account, store, deadline=0.01, return_state=True)
    (page,) = await spending(waiting.state_details.flow_run_id)
    assert "| in all | unknown | 0 | unknown |" in page
    held.finish()
    assert len((await collect_videos("daily/1", account, store)).stored) == 1
    one = await collect_videos("daily/1", account, store, return_state=True)
    assert await spending(one.state_details.flow_run_id) == [], "one batch is not the store"

    def counting(folder: Folder, name: str) -> tuple[bytes, ETag] | None:
        reads.append(name)
        return read(folder, name)

    monkeypatch.setattr(Folder, "read", counting)
    swept = await collect_videos(None, account, store, return_state=True)
    assert Counter(name for name in reads if name.startswith("daily/1/")).most_common(1)[0][1] == 1, "read once"
    (page,) = await spending(swept.state_details.flow_run_id)
    assert "| in all | USD | 2 | 2.00 |" in page, "a video of an earlier run and one of this"
    assert f"{now():%Y-%m-%d} 2.00 █" in page
    assert slow_sandbox.charged() == {"USD": "2.0"}


async def test_a_spending_that_cannot_be_counted_stops_no_sweep(
    slow_sandbox: Sandbox, held: Held, store: LocalVideoStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = credentials(slow_sandbox, "apimart")
    for number in (1, 2):
        await generate_videos([f"video {number}"], account, store, batch=f"b{number}", deadline=0.01, return_state=True)
    held.finish()
    await collect_videos("b1", account, store)

    def fails(*_: object) -> None:
        raise RuntimeError("no sums today")

    monkeypatch.setattr(Spending, "add", fails)
    swept = await collect_videos(None, account, store, return_state=True)
    assert swept.is_completed()
    assert await spending(swept.state_details.flow_run_id) == [], "a part would look like the whole"


async def test_a_lost_answer_is_settled_by_a_person(sandbox: Sandbox, store: LocalVideoStore) -> None:
    sandbox.reset()
    account = credentials(sandbox, "apimart")
    prompts = ["found [fault:drop-after*1]", "not found [fault:drop-before*1]", "given up [fault:drop-after*1]"]
    with pytest.raises(BatchFailedError) as caught:
        await generate_videos(prompts, account, store, batch="b")
    keys = {record.request.prompt: record.key for record in caught.value.report.unknown}
    assert set(keys) == set(prompts)
    records = Records(store.open())
    task_id = next(job["id"] for job in sandbox.jobs() if job["prompt"] == prompts[0])
    settle.accept(records, keys[prompts[0]], None, task_id)
    settle.resubmit(records, keys[prompts[1]], None)
    settle.abandon(records, keys[prompts[2]], None)
    report = await generate_videos(prompts, account, store, batch="b")
    assert [record.request.prompt for record in report.stored] == prompts[:2]
    assert report.failed[0].failure is not None
    assert report.failed[0].failure.category == "abandoned"
    assert bill(sandbox) == Counter(dict.fromkeys(prompts, 1))


async def cancelled(accounts: list[GatewayCredentials], store: LocalVideoStore) -> dict[str, VideoRecord]:
    """The records by their gateways after a run was stopped, and what is done then was done."""
    state = await generate_videos(["a", "b"], accounts, store, batch="b", deadline=0.01, return_state=True)
    run = AsyncMock()
    run.id = state.state_details.flow_run_id
    run.name, run.expected_start_time, run.flow_id = "run", None, state.state_details.flow_run_id
    run.parent_task_run_id = None
    run.parameters = {"prompts": ["x"], "credentials": accounts, "store": store, "batch": "b"}
    await report_cancellation(generate_videos, run, state)
    return {record.attempt.gateway: record for record in Records(store.open()).batch("b")}


async def test_cancelling_says_what_goes_on_and_leaves_it_to_be_collected(
    slow_sandbox: Sandbox, held: Held, store: LocalVideoStore, caplog: pytest.LogCaptureFixture
) -> None:
    accounts = [credentials(slow_sandbox, "12ai"), credentials(slow_sandbox, "apimart")]
    by_gateway = await cancelled(accounts, store)
    for record in by_gateway.values():
        assert record.state is VideoState.SUBMITTED
        assert str(record.attempt.task_id) in caplog.text
    assert caplog.text.count("continues and is billed; the next run of batch b collects it") == 2
    held.finish()
    assert len((await collect_videos("b", accounts, store)).stored) == 2, "nothing that was paid for is discarded"


async def test_jobs_are_cancelled_at_the_gateway_where_the_credentials_say_so(
    slow_sandbox: Sandbox, store: LocalVideoStore
) -> None:
    accounts = [credentials(slow_sandbox, "12ai", cancel_remote_jobs=True), credentials(slow_sandbox, "apimart")]
    by_gateway = await cancelled(accounts, store)
    assert by_gateway["12ai"].failure is not None
    assert by_gateway["12ai"].failure.category == "cancelled"
    assert by_gateway["apimart"].state is VideoState.SUBMITTED


@pytest.mark.parametrize(
    "answer", [Answer(200, {}, None, "<html>"), Answer(200, {}, {}), Answer(200, {}, {"success": 1})]
)
async def test_a_cancel_that_is_not_confirmed_in_so_many_words_leaves_the_job_to_be_collected(
    answer: Answer, slow_sandbox: Sandbox, store: LocalVideoStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask = GatewayClient._get

    async def get(client: GatewayClient, call: HttpCall, task_id: str) -> Answer:
        return answer if call.method == "DELETE" else await ask(client, call, task_id)

    monkeypatch.setattr(GatewayClient, "_get", get)
    accounts = [credentials(slow_sandbox, "12ai", cancel_remote_jobs=True)]
    assert (await cancelled(accounts, store))["12ai"].state is VideoState.SUBMITTED
