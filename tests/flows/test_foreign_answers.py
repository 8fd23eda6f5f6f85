"""Gateways that answer otherwise than documented, through the public flow: every paid video comes home."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Generator
from itertools import cycle
from pathlib import Path
from typing import Any

import pytest
from pydantic import JsonValue

from prefect_omnivideo import LocalVideoStore
from prefect_omnivideo.core.records.model import VideoRecord, VideoState
from prefect_omnivideo.core.reports.report import BatchReport
from prefect_omnivideo.flows import BatchFailedError, generate_videos
from prefect_omnivideo.tasks.factory import store_video
from tests.accounts import KINDS
from tests.flows.foreign_gateway import PAGE, ForeignGateway, Shape, expected_of, running, shapes

pytestmark = pytest.mark.usefixtures("prefect_server")


@pytest.fixture(autouse=True)
def _no_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    """Prefect would try what cannot be had again after 5 and 30 seconds."""
    monkeypatch.setattr("prefect_omnivideo.flows.video.store_video", store_video.with_options(retries=0))


@pytest.fixture
def foreign() -> Generator[ForeignGateway]:
    with running() as gateway:
        yield gateway


async def test_finished_videos_come_home(foreign: ForeignGateway, tmp_path: Path) -> None:
    """In the answer, or at the content endpoint where that works; what is in neither place stays collectable."""
    offered = shapes("statuses", "succeeded")
    in_answer = [shape for shape in offered if _holds_video(shape)]
    elsewhere = [shape for shape in offered if not _holds_video(shape)]
    failing, content = cycle((404, 502, PAGE)), cycle((200, 404, 200, 502))
    to_come = {foreign.offer(shape, next(failing)) for shape in in_answer}
    prompts = {foreign.offer(shape, next(content)) for shape in elsewhere}
    by_endpoint = {prompt for prompt in prompts if foreign.works[prompt].content == 200}

    records = await _make(foreign, LocalVideoStore(folder=tmp_path), deadline=30)
    assert foreign.bill == Counter(list(foreign.works)), "one submission a prompt"
    stored = {prompt: record for prompt, record in records.items() if record.state is VideoState.STORED}
    wrong = [prompt for prompt, record in stored.items() if not _is_right(record, foreign)]
    assert wrong == []
    assert set(_states(records)) <= {VideoState.STORED, VideoState.FINISHED}, _states(records)
    assert sorted(to_come - stored.keys()) == []
    assert sorted(by_endpoint - stored.keys()) == []
    assert stored.keys() == to_come | by_endpoint, "what stayed at the gateway is collectable"
    assert not [path for path in foreign.asked if re.search("cancel|hook|callback", path)]


async def test_unfinished_jobs_are_waited_for_and_failed_ones_end_with_evidence(
    foreign: ForeignGateway, tmp_path: Path
) -> None:
    for shape in shapes("statuses", "queued", "running", "failed", "cancelled"):
        foreign.offer(shape, content=404)

    records = await _make(foreign, LocalVideoStore(folder=tmp_path), deadline=3)
    assert foreign.bill == Counter(list(foreign.works)), "one submission a prompt"
    for prompt, record in records.items():
        shape = foreign.works[prompt].shape
        allowed = {_STATES[word] for word in (expected_of(shape), *shape["expect"].get("also", ()))}
        assert record.state in allowed, prompt
        assert record.attempt.answers or record.state is not VideoState.FAILED, prompt
    assert foreign.asked == [], "nothing is fetched for a job that has no result"


async def test_answers_of_any_depth_and_size(foreign: ForeignGateway, tmp_path: Path) -> None:
    """Prefect looks into everything that a task is given."""
    deep: JsonValue = "x"
    for _ in range(700):
        deep = [deep]
    wide: JsonValue = [{"a": [number]} for number in range(50_000)]
    link = "https://host.example.com/v.mp4"
    noises: dict[str, JsonValue] = {"deep": deep, "wide": wide, "long": "x" * 5_000_000}
    for name, noise in noises.items():
        body = {"id": "x", "status": "completed", "video_url": link}
        shape: Shape = {"name": name, "gateway": "sora", "http": 200, "body": body, "expect": {"links": [link]}}
        foreign.works[foreign.offer(shape)].answer["noise"] = noise
    records = await _make(foreign, LocalVideoStore(folder=tmp_path), deadline=30)
    assert _states(records) == {VideoState.STORED: 3}


_STATES = {
    "queued": VideoState.SUBMITTED,
    "running": VideoState.SUBMITTED,
    "succeeded": VideoState.FINISHED,  # without a link
    "failed": VideoState.FAILED,
    "cancelled": VideoState.FAILED,
}


async def _make(foreign: ForeignGateway, store: LocalVideoStore, deadline: float) -> dict[str, VideoRecord]:
    """Everything on offer, made in one batch; the records by prompt."""
    records: dict[str, VideoRecord] = {}
    for kind in {work.shape["gateway"]: None for work in foreign.works.values()}:
        account: Any = KINDS[kind].model_validate(
            {"api_key": "sk-foreign", "base_url": foreign.base_url(kind), "poll_seconds": 0.05, "jobs_in_flight": 64}
        )
        prompts = [prompt for prompt, work in foreign.works.items() if work.shape["gateway"] == kind]
        report: BatchReport
        try:
            report = await generate_videos(prompts, account, store, batch="foreign", deadline=deadline)
        except BatchFailedError as error:
            report = error.report
        records |= {record.request.prompt: record for record in report.records}
    assert records.keys() == foreign.works.keys()
    return records


def _holds_video(shape: Shape) -> bool:
    return bool(shape["expect"].get("links") or shape["expect"].get("inline"))


def _is_right(record: VideoRecord, foreign: ForeignGateway) -> bool:
    """Whether the first file is the best result, and the others are results too."""
    results = [file.sha256 for file in foreign.works[record.request.prompt].results]
    files = [file.sha256 for file in record.files]
    return files[:1] == results[:1] and set(files) <= set(results)


def _states(records: dict[str, VideoRecord]) -> Counter[VideoState]:
    return Counter(record.state for record in records.values())
