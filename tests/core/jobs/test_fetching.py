"""The order in which a finished job's links are tried, and what each kind of trouble leads to."""

import logging
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from prefect_omnivideo.blocks import SoraCompatibleCredentials
from prefect_omnivideo.core.client.client import GatewayClient
from prefect_omnivideo.core.errors import LinkExpiredError, NotAVideoError, StatusUnavailableError, TransferError
from prefect_omnivideo.core.gateways.specification import Answer, Job, Link
from prefect_omnivideo.core.gateways.words import JobStatus
from prefect_omnivideo.core.jobs.fetching import CONTENT, LINK_RENEWALS, Fetching
from prefect_omnivideo.core.records.model import StoredFile, new_record
from prefect_omnivideo.core.records.repository import Records
from prefect_omnivideo.core.request import VideoRequest
from prefect_omnivideo.core.storage.folder import Folder
from prefect_omnivideo.core.transfer.transfer import Source, Transferred
from tests.core.records.samples import attempt

ACCOUNT = SoraCompatibleCredentials.model_validate(
    {"api_key": "sk-key", "base_url": "http://gateway.example"}
).account()
TROUBLE: dict[str, type[TransferError]] = {"none": NotAVideoError, "old": LinkExpiredError, "down": TransferError}


def link(name: str, *, group: str = "") -> Link:
    """`d…` is documented, `g…` a guess; after the letter comes what its server does: video, none, old or down."""
    return Link(f"http://files.example/{name}", group or name, is_documented=name.startswith("d"))


@dataclass
class Rounds:
    """The answers of the gateway, one after the other, and what was asked for of their links."""

    fetching: Fetching
    answers: list[list[Link]]
    status: JobStatus = JobStatus.SUCCEEDED
    tried: list[str] = field(default_factory=list[str])
    asked: int = 0

    def job(self, links: list[Link], status: JobStatus = JobStatus.SUCCEEDED) -> Job:
        return Job("task_1", status, links=tuple(links), answer=Answer(200, {}, {"id": "task_1", "asked": self.asked}))

    async def run(self) -> list[StoredFile]:
        return await self.fetching.all(self.job(self.answers[0]))


@pytest.fixture
def play(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, log: logging.Logger) -> Any:
    def start(*answers: list[Link], content: str = "none", status: JobStatus = JobStatus.SUCCEEDED) -> Rounds:
        sent = attempt(gateway="sora", base_url=ACCOUNT.base_url, submit_path="/v1/videos", task_id="task_1")
        record = new_record(VideoRequest(prompt="a pear", model="m"), "daily", sent)
        rounds = Rounds(Fetching(record, ACCOUNT, Records(Folder(tmp_path)), log, 1000), list(answers), status)

        def move(source: Source, store: Folder, name: str, *, max_bytes: int, metadata: Any) -> Transferred:
            assert max_bytes == 1000
            is_content = "files.example" not in source.url
            what = content if is_content else source.url.rpartition("/")[2][1:].partition("-")[0]
            rounds.tried.append(CONTENT if is_content else source.url.rpartition("/")[2])
            if what in TROUBLE:
                raise TROUBLE[what](what)
            return Transferred(f"{name}.mp4", 1, "0", "video/mp4", "files.example", 0.1)

        async def ask(client: GatewayClient, task_id: str, path: str, sent: Any = ()) -> Job:
            rounds.asked += 1
            number = min(rounds.asked, len(rounds.answers) - 1)
            return rounds.job(rounds.answers[number], rounds.status)

        monkeypatch.setattr("prefect_omnivideo.core.jobs.fetching.transfer", move)
        monkeypatch.setattr("prefect_omnivideo.core.jobs.fetching._examine", lambda *_: ({}, None, ""))
        monkeypatch.setattr(GatewayClient, "status", ask)
        return rounds

    return start


ORDERS: list[tuple[str, list[str], str, list[str]]] = [
    ("the documented place goes first", ["dvideo", "gvideo"], "video", ["dvideo"]),
    ("then the content endpoint", ["dnone", "gvideo"], "video", ["dnone", CONTENT]),
    ("then a guess", ["dnone", "gvideo"], "none", ["dnone", CONTENT, "gvideo"]),
    ("then the next guess", ["dnone", "gnone", "gvideo"], "none", ["dnone", CONTENT, "gnone", "gvideo"]),
    ("the content endpoint may fail for good", ["dnone", "gvideo"], "down", ["dnone", CONTENT, "gvideo"]),
    ("no documented link at all", ["gvideo"], "down", [CONTENT, "gvideo"]),
]


@pytest.mark.parametrize(("why", "links", "content", "tried"), ORDERS, ids=[row[0] for row in ORDERS])
async def test_the_order_of_the_links(why: str, links: list[str], content: str, tried: list[str], play: Any) -> None:
    rounds = play([link(name) for name in links], content=content)
    (file,) = await rounds.run()
    assert rounds.tried == tried
    assert rounds.asked == 0
    is_guess = tried[-1].startswith("g")
    assert file.found_at == (tried[-1] if is_guess else "")
    assert bool(rounds.fetching.evidence) is is_guess


HELD_BACK: list[tuple[str, list[str], str, list[str]]] = [
    ("a server that is down may still have the result", ["ddown", "gvideo"], "none", ["ddown", CONTENT]),
    ("and the content endpoint changes nothing about that", ["ddown", "gvideo"], "down", ["ddown", CONTENT]),
    ("nor does a documented place that holds none", ["ddown", "dnone", "gvideo"], "none", ["ddown", "dnone", CONTENT]),
    ("a guess whose server is down is not passed over", ["gdown", "gvideo"], "none", [CONTENT, "gdown"]),
]


@pytest.mark.parametrize(("why", "links", "content", "tried"), HELD_BACK, ids=[row[0] for row in HELD_BACK])
async def test_no_guess_takes_the_place_of_a_result(
    why: str, links: list[str], content: str, tried: list[str], play: Any
) -> None:
    rounds = play([link(name) for name in links], content=content)
    with pytest.raises(TransferError):
        await rounds.run()
    assert rounds.tried == tried


async def test_an_old_link_is_renewed_before_anything_is_guessed(play: Any) -> None:
    rounds = play([link("dold"), link("gvideo")], [link("dvideo"), link("gvideo")], content="old")
    (file,) = await rounds.run()
    assert (rounds.tried, rounds.asked) == (["dold", CONTENT, "dvideo"], 1)
    assert not file.found_at


async def test_what_cannot_be_renewed_is_guessed_at_the_end(play: Any) -> None:
    rounds = play([link("dold"), link("gvideo")], content="old")
    (file,) = await rounds.run()
    assert rounds.asked == LINK_RENEWALS
    assert rounds.tried == ["dold", CONTENT] * (LINK_RENEWALS + 1) + ["gvideo"]
    assert file.found_at == "gvideo"


async def test_an_answer_without_success_renews_nothing(play: Any) -> None:
    """A gateway that forgets a job which it had finished does not make its links worthless."""
    rounds = play([link("dold")], [], content="old", status=JobStatus.RUNNING)
    with pytest.raises(LinkExpiredError):
        await rounds.run()
    assert rounds.tried.count("dold") == LINK_RENEWALS + 1
    assert rounds.fetching.evidence


async def test_a_cover_beside_the_video_is_left_out(play: Any) -> None:
    names = ["dnone-cover", "dvideo-1", "dvideo-2"]
    rounds = play([link(name, group="data.files[]") for name in names])
    files = await rounds.run()
    assert rounds.tried == names
    assert [file.name.endswith(end) for file, end in zip(files, (".mp4", "-2.mp4"), strict=True)] == [True, True]


async def test_a_job_that_a_proxy_does_not_find_just_now_is_still_finished(
    play: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A proxy with two keys in one model group finds the job, and its bytes, every other time."""
    rounds = play([link("dold"), link("gvideo")], content="old")

    async def missing(self: GatewayClient, *args: object) -> Job:
        rounds.asked += 1
        raise StatusUnavailableError("not found", not_found=True)

    monkeypatch.setattr(GatewayClient, "status", missing)
    (file,) = await rounds.run()
    assert rounds.asked == LINK_RENEWALS
    assert file.found_at == "gvideo"
