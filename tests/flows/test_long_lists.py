"""Python lists of any length, through a real server: what is too long for its parameters stays in the store."""

import json
from collections import Counter
from typing import Any

import pytest
from prefect.client.orchestration import get_client
from prefect.runtime import flow_run

from prefect_omnivideo import LocalVideoStore, VideoRequest
from prefect_omnivideo.core.errors import RequestError
from prefect_omnivideo.core.records.compact import PackedRecords
from prefect_omnivideo.core.reports.report import BatchReport
from prefect_omnivideo.flows import batch, generate_videos
from prefect_omnivideo.flows.run import flow
from prefect_omnivideo.sandbox import Sandbox
from tests.accounts import credentials

pytestmark = pytest.mark.usefixtures("prefect_server")


class Made:
    """What the flow was to make, and in which run."""

    def __init__(self) -> None:
        self.requests: list[VideoRequest] = []
        self.run = ""

    async def instead(
        self, requests: list[VideoRequest], accounts: Any, store: Any, name: str, *rest: Any, **more: Any
    ) -> BatchReport:
        self.requests, self.run = requests, str(flow_run.id)
        return BatchReport(batch=name, records=PackedRecords())


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> Made:
    made = Made()
    monkeypatch.setattr(batch, "run_batch", made.instead)
    return made


async def run_of(made: Made) -> tuple[str, dict[str, Any]]:
    async with get_client() as client:
        run = await client.read_flow_run(made.run)  # type: ignore[arg-type]
    return run.name, run.parameters


@pytest.mark.parametrize("count", [2_000, 10_000])
async def test_a_long_list_works(made: Made, sandbox: Sandbox, store: LocalVideoStore, count: int) -> None:
    wanted = [VideoRequest(prompt=f"a clip, number {number:>8} 海", duration=8) for number in range(count)]
    await generate_videos(wanted, credentials(sandbox, "apimart"), store, batch="long")
    name, parameters = await run_of(made)
    assert made.requests == wanted
    assert name == f"{count} prompts for long"
    assert len(json.dumps(parameters)) < 200_000
    sent = parameters["prompts"]
    if count == 2_000:  # short enough, as only what was given travels
        assert sent[0] == {"prompt": wanted[0].prompt, "duration": 8}
        return
    assert (sent["count"], sent["begins"]) == (count, [request.prompt for request in wanted[:3]])

    made.requests = []
    await generate_videos(sent, credentials(sandbox, "apimart"), store, batch="long")
    assert made.requests == wanted, "a run that has nothing but its parameters has the list"
    assert await run_of(made) == (name, parameters)


async def test_what_is_kept_is_made_once(
    sandbox: Sandbox, store: LocalVideoStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    sandbox.reset()
    monkeypatch.setattr(flow, "LONGEST_LIST", 10)
    account = credentials(sandbox, "jimmyai")
    prompts: list[str | VideoRequest] = ["pears", VideoRequest(prompt="apples", take=2)]
    for _ in range(2):
        report = await generate_videos(prompts, account, store, batch="kept")
        assert [record.request.prompt for record in report.stored] == ["pears", "apples"]
    assert Counter(job["prompt"] for job in sandbox.jobs()) == Counter(["pears", "apples"])


async def test_a_list_that_cannot_be_kept_spends_nothing(
    made: Made, sandbox: Sandbox, store: LocalVideoStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(flow, "LONGEST_LIST", 10)
    given: Any = {"$ref": {"block_document_slug": "local-video-store/any"}}
    with pytest.raises(RequestError, match=r"prompts: the list is too long for a parameter.*or a sheet"):
        await generate_videos(["pears", "apples"], credentials(sandbox, "jimmyai"), given)
    store.folder.write_text("not a folder")
    with pytest.raises(RequestError, match=r"prompts: a list of 2 prompts is too long.*nothing was submitted"):
        await generate_videos(["pears", "apples"], credentials(sandbox, "jimmyai"), store)
    assert made.requests == []
