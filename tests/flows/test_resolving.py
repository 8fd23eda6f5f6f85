"""Videos are settled from a form: by the same code as on the command line, and with a report of what is left."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterFlowRunId
from prefect.client.schemas.objects import State
from prefect.deployments.runner import RunnerDeployment
from prefect.settings import PREFECT_UI_URL, temporary_settings

from prefect_omnivideo import LocalVideoStore
from prefect_omnivideo.core.errors import RequestError, StoreError
from prefect_omnivideo.core.records.model import VideoRecord
from prefect_omnivideo.core.records.repository import Records
from prefect_omnivideo.flows import BatchFailedError, generate_videos, resolve_videos
from prefect_omnivideo.sandbox import Sandbox
from tests.accounts import credentials

pytestmark = pytest.mark.usefixtures("prefect_server")

LOST = ["lost one [fault:drop-after]", "lost two [fault:drop-after]"]
Parked = Callable[..., Awaitable[list[VideoRecord]]]


@pytest.fixture
def parked(sandbox: Sandbox, store: LocalVideoStore) -> Parked:
    """Two videos of unknown outcome that the gateway has made, and one that is stored."""

    async def park(batch: str = "Autumn campaign") -> list[VideoRecord]:
        with pytest.raises(BatchFailedError) as caught:
            await generate_videos(["good", *LOST], credentials(sandbox, "apimart"), store, batch=batch)
        return list(caught.value.report.unknown)

    return park


async def page_of(state: State[Any], key: str = "omnivideo-resolved") -> str:
    assert state.state_details.flow_run_id is not None
    only = ArtifactFilter(flow_run_id=ArtifactFilterFlowRunId(any_=[state.state_details.flow_run_id]))
    async with get_client() as client:
        found = await client.read_artifacts(artifact_filter=only)
    (page,) = [str(artifact.data) for artifact in found if artifact.key == key]
    return page


async def test_what_a_person_found_is_collected_and_paid_once(
    sandbox: Sandbox, store: LocalVideoStore, parked: Parked
) -> None:
    sandbox.reset()
    first, second = await parked()
    made = {job["prompt"]: job["id"] for job in sandbox.jobs()}
    state = await resolve_videos(
        store,
        "found",
        batch="Autumn campaign",
        keys=first.key[:8],
        task_id=made[first.request.prompt],
        credentials=credentials(sandbox, "apimart"),
        return_state=True,
    )
    assert str(state.message).startswith("1 of 1 decided, 1 left to decide. Report: ")
    page = await page_of(state)
    assert "knows the task" in page
    assert second.key in page.partition("## Left to decide")[2]
    assert first.key not in page.partition("## Left to decide")[2]
    report = await resolve_videos(store, "resubmit", batch="Autumn-campaign")
    assert [record.key for record in report.records] == [second.key], "all that are left, and only they"
    jobs = len(sandbox.jobs())
    prompts = ["good", *LOST]
    with pytest.raises(BatchFailedError):  # the fault of the second prompt is still there
        await generate_videos(prompts, credentials(sandbox, "apimart"), store, batch="Autumn campaign")
    assert len(sandbox.jobs()) == jobs + 1, "the one that was found is not sent again"
    record = Records(store.open()).find(first.key).record
    assert record.state == "stored"


async def test_what_is_given_up_fails_no_run(sandbox: Sandbox, store: LocalVideoStore, parked: Parked) -> None:
    sandbox.reset()
    await parked()
    state = await resolve_videos(store, "abandon", batch="Autumn campaign", return_state=True)
    assert str(state.message).startswith("2 of 2 decided, 0 left to decide.")
    assert "Left to decide" not in await page_of(state)
    gallery = (store.folder / "Autumn-campaign" / "index.html").read_text()
    assert "abandoned" in gallery, "the gallery tells the truth at once"
    report = await generate_videos(["good", *LOST], credentials(sandbox, "apimart"), store, batch="Autumn campaign")
    assert len(report.stored) == 1


async def test_a_task_id_that_the_gateway_does_not_know_changes_nothing(
    sandbox: Sandbox, store: LocalVideoStore, parked: Parked
) -> None:
    first, _ = await parked()
    state = await resolve_videos(
        store,
        "found",
        keys=first.key,
        task_id="no-such-task",
        credentials=credentials(sandbox, "apimart"),
        return_state=True,
    )
    assert state.is_failed()
    assert str(state.message).startswith("0 of 1 decided, 2 left to decide.")
    assert "Nothing was changed" in str(state.message)
    assert "## Not decided" in await page_of(state)
    assert Records(store.open()).find(first.key).record == first


@pytest.mark.parametrize(
    ("form", "says"),
    [
        ({"decision": "found", "batch": "b", "keys": "0123"}, "task_id"),
        ({"decision": "found", "batch": "b", "task_id": "t"}, "the key of one video"),
        ({"decision": "found", "batch": "b", "task_id": "t", "keys": "01, 02"}, "the key of one video"),
        ({"decision": "abandon", "batch": "b", "task_id": "t"}, "task_id"),
        ({"decision": "look", "batch": "b"}, "credentials"),
        ({"decision": "resubmit"}, "batch"),
        ({"decision": "abandon", "keys": " , "}, "batch"),
    ],
)
async def test_half_a_decision_is_refused_by_name(form: dict[str, Any], says: str, store: LocalVideoStore) -> None:
    with pytest.raises(RequestError, match=says):
        await resolve_videos(store=store, **form)
    assert not store.folder.exists()


async def test_the_report_of_a_batch_leads_to_the_form(
    sandbox: Sandbox, store: LocalVideoStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    deployment = await RunnerDeployment.from_flow(resolve_videos, "settle").apply()
    given = ([*LOST], credentials(sandbox, "apimart"), store, "b")
    with temporary_settings({PREFECT_UI_URL: "http://127.0.0.1:4200"}):
        state = await generate_videos(*given, return_state=True)
    page = await page_of(state, "omnivideo-report")
    assert f"Resolve videos** at [`http://127.0.0.1:4200/deployments/deployment/{deployment}`](<http" in page


async def test_a_key_of_no_video_is_said(store: LocalVideoStore, parked: Parked) -> None:
    await parked()
    with pytest.raises(StoreError, match="no video"):
        await resolve_videos(store, "abandon", keys="ffffffffffffffff")


async def test_a_submission_in_progress_is_not_for_a_person(store: LocalVideoStore, parked: Parked) -> None:
    """Another worker may be sending it at this moment."""
    records = Records(store.open())
    first, second = await parked()
    claimed = first.again(first.attempt.model_copy(update={"claim_ends_at": first.updated_at + timedelta(hours=1)}))
    records.update(records.find(first.key), lambda _: claimed)
    report = await resolve_videos(store, "resubmit", batch="Autumn campaign")
    assert [record.key for record in report.records] == [second.key]
    with pytest.raises(BatchFailedError, match="is being submitted right now"):
        await resolve_videos(store, "resubmit", keys=first.key)
