"""A run that fails ends with the message: no traceback buries what to do."""

import logging
from pathlib import Path

import pytest

from prefect_omnivideo import LocalVideoStore, VideoRequest
from prefect_omnivideo.core.errors import RequestError
from prefect_omnivideo.flows import BatchFailedError, generate_videos
from prefect_omnivideo.sandbox import Sandbox
from tests.accounts import credentials

pytestmark = pytest.mark.usefixtures("prefect_server")


def shown(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What the page of the run shows, line by line."""
    runs = [record for record in caplog.records if record.name.startswith(("prefect.flow_runs", "prefect.task_runs"))]
    assert not any(record.exc_info for record in runs)
    return [line for record in runs for line in record.getMessage().splitlines()]


async def test_a_refused_list_is_told_line_by_line(
    sandbox: Sandbox, store: LocalVideoStore, caplog: pytest.LogCaptureFixture
) -> None:
    prompts: list[str | VideoRequest] = [
        "fine",
        VideoRequest(prompt="a", duration=7),
        VideoRequest(prompt="b", duration=9),
    ]
    with caplog.at_level(logging.INFO), pytest.raises(RequestError) as caught:
        await generate_videos(prompts, credentials(sandbox, "jimmyai"), store)
    assert "\n" in str(caught.value)
    *_, last = lines = shown(caplog)
    assert lines[-1 - len(str(caught.value).splitlines()) : -1] == str(caught.value).splitlines()
    assert last.startswith("Finished in state Failed(")


async def test_a_failed_video_is_told_in_the_last_line(
    sandbox: Sandbox, store: LocalVideoStore, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO), pytest.raises(BatchFailedError) as caught:
        await generate_videos(["bad [fault:moderated]"], credentials(sandbox, "sora"), store)
    assert shown(caplog)[-1] == f"Finished in state Failed({str(caught.value)!r})"


async def test_a_video_that_no_retry_helps(
    sandbox: Sandbox, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("prefect_omnivideo.tasks.factory.store_video.retry_delay_seconds", [0])
    store = LocalVideoStore(folder=tmp_path, max_video_bytes=10)
    with caplog.at_level(logging.INFO):
        state = await generate_videos(["too big"], credentials(sandbox, "sora"), store, return_state=True)
    assert state.name == "Incomplete"
    assert "larger" in shown(caplog)[-1]
