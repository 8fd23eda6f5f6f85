"""Results are one click away: what people see links to the web server that shows the store, if one does."""

import re
from typing import Any

import pytest
from prefect import flow
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterFlowRunId
from prefect.client.schemas.objects import State

from prefect_omnivideo import LocalVideoStore
from prefect_omnivideo.core.reports.report import BatchReport
from prefect_omnivideo.flows import BatchFailedError, BatchIncompleteError, collect_videos, generate_videos
from prefect_omnivideo.sandbox import Sandbox
from prefect_omnivideo.tasks import events
from tests.accounts import credentials
from tests.flows.conftest import Held

pytestmark = pytest.mark.usefixtures("prefect_server")

WEB = "https://videos.example.com/omni"


@pytest.fixture
def public(store: LocalVideoStore) -> LocalVideoStore:
    return LocalVideoStore(folder=store.folder, public_url=WEB)


@pytest.fixture
def emitted(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    monkeypatch.setattr(events, "emit_event", lambda event, **rest: found.append({"event": event, **rest}))
    return found


async def artifacts_of(state: State[Any]) -> dict[str, str]:
    assert state.state_details.flow_run_id is not None
    only = ArtifactFilter(flow_run_id=ArtifactFilterFlowRunId(any_=[state.state_details.flow_run_id]))
    async with get_client() as client:
        return {str(each.key): str(each.data) for each in await client.read_artifacts(artifact_filter=only)}


async def test_everything_links_to_the_public_url(
    sandbox: Sandbox, public: LocalVideoStore, emitted: list[dict[str, Any]]
) -> None:
    account = credentials(sandbox, "apimart")
    state = await generate_videos(["a red apple"], account, public, batch="b", return_state=True)
    report: BatchReport = await state.aresult()
    video = f"{WEB}/{report.stored[0].files[0].name}"
    assert report.gallery == f"{WEB}/b/index.html"
    assert str(state.message).startswith("1 video: 1 stored.")
    assert str(state.message).endswith(f" Report: {WEB}/b/index.html")
    artifacts = await artifacts_of(state)
    assert f"](<{WEB}/b/index.html>)" in artifacts["omnivideo-report"]
    assert video.removeprefix("https://") in artifacts["omnivideo-videos"]
    by_event = {event["event"]: event["payload"] for event in emitted}
    assert by_event["omnivideo.video.stored"]["url"] == video
    assert by_event["omnivideo.video.stored"]["uri"] == report.stored[0].files[0].uri
    assert report.stored[0].files[0].uri.startswith("file://"), "a record keeps the address that does not change"
    assert by_event["omnivideo.batch.completed"]["gallery"] == f"{WEB}/b/index.html"


async def test_without_one_the_addresses_are_those_of_the_store(sandbox: Sandbox, store: LocalVideoStore) -> None:
    account = credentials(sandbox, "apimart")
    state = await generate_videos(["a red apple"], account, store, batch="b", return_state=True)
    gallery = (store.folder / "b" / "index.html").as_uri()
    assert str(state.message).startswith("1 video: 1 stored.")
    assert str(state.message).endswith(f" Report: {gallery}")
    assert f"`{gallery}`" in (await artifacts_of(state))["omnivideo-report"]
    assert await collect_videos("b", account, store, return_state=False)


async def test_a_run_that_fails_ends_with_its_report_too(sandbox: Sandbox, public: LocalVideoStore) -> None:
    prompts, account = ["good", "lost [fault:drop-after]"], credentials(sandbox, "sora")
    state = await generate_videos(prompts, account, public, batch="b", return_state=True)
    assert str(state.message).endswith(f" Report: {WEB}/b/index.html")
    with pytest.raises(BatchFailedError, match=rf" Report: {WEB}/b/index.html$"):
        await generate_videos(prompts, account, public, batch="b")


async def test_the_start_page_has_all_batches_of_the_store(sandbox: Sandbox, public: LocalVideoStore) -> None:
    account, page = credentials(sandbox, "apimart"), public.folder / "index.html"
    for batch in ("monday", "daily/2026-08-01"):
        await generate_videos(["one"], account, public, batch=batch)
    assert re.findall('<a href="([^"]*)"', page.read_text()) == ["daily/2026-08-01/index.html", "monday/index.html"]
    page.unlink()
    await collect_videos(None, account, public)
    assert "monday/index.html" in page.read_text(), "the sweep makes it anew"


async def test_the_sweep_of_all_batches_ends_with_the_start_page(
    slow_sandbox: Sandbox, held: Held, public: LocalVideoStore
) -> None:
    account = credentials(slow_sandbox, "apimart")
    with pytest.raises(BatchIncompleteError):
        await generate_videos(["one"], account, public, batch="b", deadline=0.05)
    held.finish()
    state = await collect_videos(None, account, public, return_state=True)
    assert str(state.message).startswith("1 video: 1 stored.")
    assert str(state.message).endswith(f" Report: {WEB}/index.html")


async def test_a_start_page_that_cannot_be_written_fails_no_run(
    sandbox: Sandbox, store: LocalVideoStore, caplog: pytest.LogCaptureFixture
) -> None:
    (store.folder / "index.html").mkdir(parents=True)
    account = credentials(sandbox, "apimart")
    state = await generate_videos(["one"], account, store, batch="b", return_state=True)
    assert state.is_completed()
    assert str(state.message).endswith("/b/index.html")
    assert "the batch could not be put on the start page of the store" in caplog.text
    assert (await collect_videos(None, account, store, return_state=True)).is_completed()


async def test_callers_get_the_report_itself(sandbox: Sandbox, public: LocalVideoStore) -> None:
    @flow
    async def around() -> BatchReport:
        return await generate_videos(["one"], credentials(sandbox, "sora"), public, batch="b")

    report = await around()
    assert isinstance(report, BatchReport)
    assert len(report.stored) == 1
