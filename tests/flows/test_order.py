"""Reports, galleries and listings show the videos of a batch in the order of their prompts."""

import json

import pytest

from prefect_omnivideo import LocalVideoStore, VideoRequest
from prefect_omnivideo.cli.app import app
from prefect_omnivideo.core.records.model import VideoRecord
from prefect_omnivideo.core.records.repository import Records
from prefect_omnivideo.flows import BatchIncompleteError, collect_videos, generate_video, generate_videos
from prefect_omnivideo.sandbox import Sandbox
from tests.accounts import credentials
from tests.flows.conftest import Held

pytestmark = pytest.mark.usefixtures("prefect_server")

PROMPTS = ["pears", "apples", "zebras", "Bears", "a river"]


def told(record: VideoRecord) -> str:
    return f"{record.request.prompt} {record.request.take}" if record.request.take > 1 else record.request.prompt


def reported(store: LocalVideoStore, batch: str) -> list[str]:
    whole = json.loads((store.folder / batch / "report.json").read_text())
    return [told(VideoRecord.model_validate(record)) for record in whole["records"]]


def listed(store: LocalVideoStore, capsys: pytest.CaptureFixture[str], *options: str) -> list[str]:
    capsys.readouterr()
    app(["jobs", "--store", str(store.folder), "--json", *options], result_action="return_value")
    return [told(VideoRecord.model_validate(record)) for record in json.loads(capsys.readouterr().out)]


async def test_prompts_keep_their_order_whoever_reports(
    sandbox: Sandbox, store: LocalVideoStore, capsys: pytest.CaptureFixture[str]
) -> None:
    account = credentials(sandbox, "apimart")
    wanted = [VideoRequest(prompt=prompt, take=take) for prompt in PROMPTS for take in (1, 2)]
    order = [f"{prompt}{take}" for prompt in PROMPTS for take in ("", " 2")]
    report = await generate_videos(wanted, account, store, batch="ordered")
    assert [told(record) for record in report.records] == reported(store, "ordered") == order

    part = await generate_videos(PROMPTS[3:1:-1], account, store, batch="ordered")
    assert [told(record) for record in part.records] == PROMPTS[3:1:-1]
    at = order.index("zebras")
    others = [each for each in order if each not in PROMPTS[3:1:-1]]
    assert reported(store, "ordered") == [*others[: at + 1], "Bears", "zebras", *others[at + 1 :]]

    await generate_videos(["an afterthought", "aardvarks"], account, store, batch="ordered")
    await generate_video("a single", account, store, batch="ordered")
    collected = await collect_videos("ordered", account, store)
    whole = [*order, "an afterthought", "aardvarks", "a single"]
    assert [told(record) for record in collected.records] == reported(store, "ordered") == whole
    assert listed(store, capsys, "--batch", "ordered") == whole

    await generate_videos(["before"], account, store, batch="another")
    assert listed(store, capsys) == ["before", *whole]


async def test_who_asked_first_decides(slow_sandbox: Sandbox, held: Held, store: LocalVideoStore) -> None:
    account = credentials(slow_sandbox, "apimart")
    for prompts in (["b", "a"], ["x", "a"], ["b"]):
        with pytest.raises(BatchIncompleteError):
            await generate_videos(prompts, account, store, batch="late", deadline=0.01)
    held.finish()
    await collect_videos("late", account, store)
    placed = [
        (record.request.prompt, record.place and record.place.position)
        for record in Records(store.open()).batch("late")
    ]
    assert placed == [("a", 2), ("b", 1), ("x", 1)]
    assert reported(store, "late") == ["b", "a", "x"]
