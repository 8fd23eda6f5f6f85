"""What Prefect is told while a batch runs and after it: events for automations, artifacts for people."""

from typing import Any

import httpx
import pytest
from prefect.client.base import PrefectHttpxAsyncClient
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterFlowRunId
from prefect.client.schemas.sorting import ArtifactSort

from prefect_omnivideo import LocalVideoStore
from prefect_omnivideo.flows import generate_videos
from prefect_omnivideo.flows.run import progress, verdict
from prefect_omnivideo.sandbox import Sandbox
from prefect_omnivideo.tasks import events
from tests.accounts import credentials

pytestmark = pytest.mark.usefixtures("prefect_server")

PROMPTS = ["good", "bad [fault:moderated]", "lost [fault:drop-after]"]


@pytest.fixture
def emitted(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    monkeypatch.setattr(events, "emit_event", lambda event, **rest: found.append({"event": event, **rest}))
    return found


async def test_every_state_a_video_comes_to_is_an_event(
    sandbox: Sandbox, store: LocalVideoStore, emitted: list[dict[str, Any]]
) -> None:
    state = await generate_videos(PROMPTS, credentials(sandbox, "apimart"), store, batch="b", return_state=True)
    assert state.is_failed()
    seen = sorted((event["payload"].get("prompt", ""), event["event"]) for event in emitted)
    assert seen == [
        ("", "omnivideo.batch.completed"),
        (PROMPTS[1], "omnivideo.video.failed"),
        (PROMPTS[1], "omnivideo.video.submitted"),
        (PROMPTS[0], "omnivideo.video.stored"),
        (PROMPTS[0], "omnivideo.video.submitted"),
        (PROMPTS[2], "omnivideo.video.unknown"),
    ]
    failed = next(event for event in emitted if event["event"] == "omnivideo.video.failed")
    assert failed["payload"]["category"] == "moderated"
    assert failed["related"][0]["prefect.resource.id"] == "omnivideo.batch.b"
    batch = next(event for event in emitted if event["event"] == "omnivideo.batch.completed")
    assert (batch["payload"]["stored"], batch["payload"]["failed"], batch["payload"]["unknown"]) == (1, 1, 1)
    assert sandbox.key not in str(emitted)


async def test_progress_report_and_table_are_artifacts(sandbox: Sandbox, store: LocalVideoStore) -> None:
    state = await generate_videos(PROMPTS, credentials(sandbox, "sora"), store, batch="b", return_state=True)
    run_id = state.state_details.flow_run_id
    assert run_id is not None
    async with get_client() as client:
        artifacts = await client.read_artifacts(
            artifact_filter=ArtifactFilter(flow_run_id=ArtifactFilterFlowRunId(any_=[run_id])),
            sort=ArtifactSort.CREATED_DESC,
            limit=20,
        )
    by_key = {artifact.key: artifact for artifact in artifacts}
    assert by_key["omnivideo-progress"].data == 100
    assert "omnivideo resolve" in str(by_key["omnivideo-report"].data)
    table = str(by_key["omnivideo-videos"].data)
    assert all(word in table for word in ("good", "stored", "moderated", ".mp4"))
    assert sandbox.key not in str([artifact.data for artifact in artifacts])


async def test_what_cannot_be_shown_stops_no_video(
    sandbox: Sandbox, store: LocalVideoStore, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A Prefect API whose artifact routes fail, events that cannot be sent, and a gallery that cannot be made."""
    sandbox.reset()
    send = PrefectHttpxAsyncClient.send

    async def failing(client: PrefectHttpxAsyncClient, request: httpx.Request, *args: Any, **kwargs: Any) -> Any:
        if "/artifacts/" in request.url.path:
            return httpx.Response(500, request=request)
        return await send(client, request, *args, **kwargs)

    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("this is broken")

    monkeypatch.setattr(PrefectHttpxAsyncClient, "send", failing)
    monkeypatch.setattr(events, "emit_event", broken)
    monkeypatch.setattr(verdict, "gallery", broken)
    monkeypatch.setattr(progress, "SECONDS_BETWEEN", 0.0)
    prompts = [f"prompt {number}" for number in range(20)]
    report = await generate_videos(prompts, credentials(sandbox, "apimart", jobs_in_flight=2), store, batch="b")
    assert len(report.stored) == 20
    assert sorted(job["prompt"] for job in sandbox.jobs()) == sorted(prompts)
    for what in ("the progress", "the events of videos", "the report", "the table of videos"):
        assert caplog.text.count(f"{what} cannot be shown in Prefect") == 1
