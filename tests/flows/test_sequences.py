"""Storyboards through the real flow engine: both ways to continue, killed and resumed, and what was paid counted."""

import asyncio
import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import httpx
import pytest
from prefect.settings import PREFECT_API_URL

from prefect_omnivideo import LocalVideoStore, VideoRequest
from prefect_omnivideo.core.errors import RequestError, StoreError
from prefect_omnivideo.core.media.last_frame import last_frame
from prefect_omnivideo.core.media.probe import examine
from prefect_omnivideo.core.records.repository import Records
from prefect_omnivideo.core.storyboards import joining
from prefect_omnivideo.core.storyboards.storyboard import Shot
from prefect_omnivideo.flows import BatchFailedError, BatchStoppedError, generate_sequence, generate_videos
from prefect_omnivideo.sandbox import Sandbox, Settings, running
from tests.accounts import credentials

pytestmark = pytest.mark.usefixtures("prefect_server")


def bill(sandbox: Sandbox) -> Counter[str]:
    return Counter(job["prompt"] for job in sandbox.jobs())


def job_of(sandbox: Sandbox, prompt: str) -> dict[str, Any]:
    (found,) = [job for job in sandbox.jobs() if job["prompt"] == prompt]
    return found


def seconds_of(path: Path) -> float:
    with path.open("rb") as file:
        examined = examine(file)
    assert examined is not None
    return float(str(examined.facts["duration"]))


async def test_shots_are_continued_by_extension_and_joined(sandbox: Sandbox, store: LocalVideoStore) -> None:
    sandbox.reset()
    report = await generate_sequence(["a door", "it opens", "a hall"], credentials(sandbox, "apimart"), store, "b")
    assert bill(sandbox) == Counter({"a door": 1, "it opens": 1, "a hall": 1})
    first, second, third = (job_of(sandbox, prompt) for prompt in ("a door", "it opens", "a hall"))
    assert "extend_from_task_id" not in first["body"]
    assert second["body"]["extend_from_task_id"] == first["id"]
    assert third["body"]["extend_from_task_id"] == second["id"]
    (sequence,) = report.sequences
    assert sequence.whole is not None
    parts = [float(str(record.files[0].media["duration"])) for record in report.stored]
    whole = store.folder / sequence.whole.name
    assert seconds_of(whole) == pytest.approx(sum(parts), abs=0.05)
    assert [shot.starts_at for shot in sequence.shots] == [
        0,
        pytest.approx(parts[0], abs=0.01),
        pytest.approx(parts[0] + parts[1], abs=0.01),
    ]
    assert json.loads((store.folder / "b/sequences/sequence.json").read_text())["whole"]["seconds"]

    written = whole.stat().st_mtime_ns
    again = await generate_sequence(["a door", "it opens", "a hall"], credentials(sandbox, "apimart"), store, "b")
    assert again.sequences == report.sequences
    assert whole.stat().st_mtime_ns == written
    assert len(sandbox.jobs()) == 3


async def test_shots_are_continued_from_the_last_frame(sandbox: Sandbox, store: LocalVideoStore) -> None:
    sandbox.reset()
    shots = [Shot(prompt="sun", duration=4), Shot(prompt="noon", duration=6)]
    report = await generate_sequence(shots, credentials(sandbox, "jimmyai"), store, "b")
    sun, noon = (job_of(sandbox, prompt)["body"] for prompt in ("sun", "noon"))
    assert "image_urls" not in sun
    assert noon["generation_type"] == "frame"
    (link,) = noon["image_urls"]
    record = next(record for record in report.stored if record.request.prompt == "sun")
    with (store.folder / record.files[0].name).open("rb") as file:
        image = last_frame(file)
    assert httpx.get(link).content == image
    assert (store.folder / f"{record.stem}-last.jpg").read_bytes() == image
    follower = next(record for record in report.stored if record.request.prompt == "noon")
    assert follower.attempt.continues == record.files[0].sha256
    assert link not in (store.folder / f"{follower.stem}.json").read_text()
    assert report.sequences[0].whole
    assert report.sequences[0].whole.seconds == pytest.approx(10, abs=0.05)


async def test_kling_extends_by_its_own_id_of_the_video(sandbox: Sandbox, store: LocalVideoStore) -> None:
    sandbox.reset()
    shots = [
        Shot(prompt="rain", model="kling-v1-6"),
        Shot(prompt="snow", model="kling-v1-6", continue_by="extend"),
    ]
    report = await generate_sequence(shots, credentials(sandbox, "sora"), store, "b")
    rain, snow = report.stored
    assert snow.attempt.continues == rain.attempt.task_id
    body = job_of(sandbox, "snow")["body"]
    assert (body["mode"], body["video_id"]) == ("extend", rain.attempt.video_id)
    assert rain.attempt.video_id not in ("", rain.attempt.task_id)


async def test_storyboards_are_made_side_by_side_each_by_one_account(sandbox: Sandbox, store: LocalVideoStore) -> None:
    sandbox.reset()
    boards: Any = {name: [f"{name} {number}" for number in range(3)] for name in ("east", "west", "north")}
    accounts = [credentials(sandbox, "apimart", jobs_in_flight=1), credentials(sandbox, "jimmyai", jobs_in_flight=1)]
    report = await generate_sequence(boards, accounts, store, "b")
    assert len(report.stored) == 9
    assert [each.problem for each in report.sequences] == ["", "", ""]
    gateways = {name: {job["gateway"] for job in sandbox.jobs() if job["prompt"].startswith(name)} for name in boards}
    assert all(len(each) == 1 for each in gateways.values())
    assert set().union(*gateways.values()) == {"apimart", "jimmyai"}
    for name in boards:
        jobs = sorted((job for job in sandbox.jobs() if job["prompt"].startswith(name)), key=lambda job: job["number"])
        assert [job["prompt"] for job in jobs] == boards[name]


@pytest.mark.parametrize(
    ("shots", "gateway", "message"),
    [
        (["a", Shot(prompt="b", after="c"), Shot(prompt="c", shot="c", after="2")], "apimart", "'c' comes after it"),
        (["a", Shot(prompt="b", after="x")], "apimart", "there is no shot 'x'"),
        (["a", "b"], "12ai", "storyboard sequence, shot 2: 12AI, continue_by: it extends no video"),
        ({"x": ["a"], "y": ["b", Shot(prompt="c", continue_by="last_frame")]}, "apimart", "storyboard y, shot 2: APIM"),
        ([], "apimart", "it has no shots"),
        ("no/such/file.yaml", "apimart", "no/such/file.yaml cannot be read"),
    ],
)
async def test_what_cannot_be_made_is_refused_before_anything_is_spent(
    shots: Any, gateway: str, message: str, sandbox: Sandbox, store: LocalVideoStore
) -> None:
    sandbox.reset()
    with pytest.raises(RequestError, match=message):
        await generate_sequence(shots, credentials(sandbox, gateway), store, "b")
    assert sandbox.jobs() == []
    assert sandbox.stats()["gateways"][gateway].get("submissions", 0) == 0


async def test_a_list_of_prompts_may_not_refer_to_shots(sandbox: Sandbox, store: LocalVideoStore) -> None:
    sandbox.reset()
    for field in ("extend_from", "first_frame"):
        request = VideoRequest.model_validate({"prompt": "b", field: "shot:sequence/1"})
        with pytest.raises(RequestError, match="is a shot of a storyboard"):
            await generate_videos(["a", request], credentials(sandbox, "apimart"), store, "b")
    assert sandbox.jobs() == []


async def test_a_failed_shot_stops_what_follows_it_and_the_next_run_goes_on(
    sandbox: Sandbox, store: LocalVideoStore
) -> None:
    sandbox.reset()
    account = credentials(sandbox, "apimart")
    with pytest.raises(BatchFailedError) as caught:
        await generate_sequence(["a", "b [fault:moderated]", "c", "d"], account, store, "b")
    assert bill(sandbox) == Counter({"a": 1, "b [fault:moderated]": 1})
    assert "it continues shot 2 of storyboard sequence, which is not stored" in str(caught.value)
    (sequence,) = caught.value.report.sequences
    assert sequence.problem == "not stored yet: shot '2', '3', '4'"
    report = await generate_sequence(["a", "b, tamed", "c", "d"], account, store, "b")
    assert bill(sandbox) == Counter({"a": 1, "b [fault:moderated]": 1, "b, tamed": 1, "c": 1, "d": 1})
    assert report.sequences[0].whole


async def test_a_lost_answer_stops_it_too(sandbox: Sandbox, store: LocalVideoStore) -> None:
    sandbox.reset()
    shots = ["a", "b [fault:drop-after]", "c"]
    for _ in range(2):
        with pytest.raises(BatchFailedError) as caught:
            await generate_sequence(shots, credentials(sandbox, "apimart"), store, "b")
        assert len(caught.value.report.unknown) == 1
        assert bill(sandbox) == Counter(shots[:2])


async def test_a_budget_leaves_out_what_follows_and_the_next_run_goes_on(
    sandbox: Sandbox, store: LocalVideoStore
) -> None:
    sandbox.reset()
    account = credentials(sandbox, "apimart")
    boards: Any = {"x": ["x1", "x2", "x3"], "y": ["y1", "y2", "y3"]}
    with pytest.raises(BatchStoppedError) as caught:
        await generate_sequence(boards, account, store, "b", max_videos=4)
    assert len(sandbox.jobs()) == 4
    assert caught.value.report.left_out == 2
    report = await generate_sequence(boards, account, store, "b", max_videos=6)
    assert bill(sandbox) == Counter([*boards["x"], *boards["y"]])
    assert all(each.whole for each in report.sequences)


async def test_an_account_that_refuses_leaves_a_storyboard_it_has_not_begun_to_another(
    sandbox: Sandbox, store: LocalVideoStore
) -> None:
    sandbox.reset()
    accounts = [credentials(sandbox, "apimart", api_key="wrong"), credentials(sandbox, "jimmyai")]
    report = await generate_sequence(["a", "b"], accounts, store, "b")
    assert [record.attempt.gateway for record in report.stored] == ["jimmyai", "jimmyai"]
    with pytest.raises(
        RequestError, match=r"shot 3: APIMart, credentials: it continues .*, made with account 'jimmyai'"
    ):
        await generate_sequence(["a", "b", "c"], credentials(sandbox, "apimart"), store, "b")
    with pytest.raises(BatchFailedError, match="it continues shot 1 of storyboard sequence, which is not stored"):
        await generate_sequence(["x", "y"], accounts[0], store, "c")
    assert bill(sandbox) == Counter({"a": 1, "b": 1})


async def test_redoing_a_shot_marks_what_follows_and_remakes_it_only_when_asked(
    sandbox: Sandbox, store: LocalVideoStore, caplog: pytest.LogCaptureFixture
) -> None:
    sandbox.reset()
    account = credentials(sandbox, "apimart")
    first = await generate_sequence(["a", "b", "c", "d"], account, store, "b")
    redone = ["a", Shot(prompt="b", take=2), "c", "d"]
    marked = await generate_sequence(redone, account, store, "b")
    assert bill(sandbox) == Counter({"a": 1, "b": 2, "c": 1, "d": 1})
    assert [one.key == two.key for one, two in zip(first.records, marked.records, strict=True)] == [
        True,
        False,
        True,
        True,
    ]
    assert marked.sequences[0].stale == ("3",)
    assert marked.sequences[0].written_at > first.sequences[0].written_at
    assert "what shot 3 continues was made anew since; run again with remake_stale" in caplog.text
    remade = await generate_sequence(redone, account, store, "b", remake_stale=True)
    assert bill(sandbox) == Counter({"a": 1, "b": 2, "c": 2, "d": 2})
    assert remade.sequences[0].stale == ()
    for remake_stale in (True, False):
        again = await generate_sequence(redone, account, store, "b", remake_stale=remake_stale)
        assert [each.key for each in again.records] == [each.key for each in remade.records]
    assert len(sandbox.jobs()) == 7


async def test_shots_that_do_not_fit_stay_and_are_encoded_again_when_asked(
    sandbox: Sandbox, store: LocalVideoStore
) -> None:
    sandbox.reset()
    account = credentials(sandbox, "apimart")
    shots = [Shot(prompt="wide"), Shot(prompt="tall", aspect_ratio="9:16")]
    with pytest.raises(
        BatchFailedError, match=r"is not joined: .*shot 2 has size 720x1280.*Run again with re_encode"
    ) as c:
        await generate_sequence(shots, account, store, "b")
    assert len(c.value.report.stored) == 2
    report = await generate_sequence(shots, account, store, "b", re_encode=True)
    assert report.sequences[0].whole
    assert len(sandbox.jobs()) == 2


async def test_a_store_that_refuses_the_whole_loses_no_shot(
    sandbox: Sandbox, store: LocalVideoStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    sandbox.reset()

    def refuse(*_: object, **__: object) -> None:
        raise StoreError("the disk is full")

    account = credentials(sandbox, "apimart")
    with monkeypatch.context() as patch:
        patch.setattr(joining, "stitch", refuse)
        with pytest.raises(BatchFailedError, match="is not joined: the disk is full"):
            await generate_sequence(["a", "b"], account, store, "b")
    assert (store.folder / "b/index.html").read_text().count('aria-label="Play a') == 1
    assert (await generate_sequence(["a", "b"], account, store, "b")).sequences[0].whole
    assert len(sandbox.jobs()) == 2


async def test_a_file_of_storyboards(sandbox: Sandbox, store: LocalVideoStore, tmp_path: Path) -> None:
    sandbox.reset()
    file = tmp_path / "boards.csv"
    file.write_text("storyboard,shot,prompt\nday,1,sun\nnight,1,moon\nday,2,dusk\n")
    report = await generate_sequence(str(file), credentials(sandbox, "apimart"), store, "b")
    assert [(each.storyboard, len(each.shots)) for each in report.sequences] == [("day", 2), ("night", 1)]
    assert len(await asyncio.to_thread(list, store.folder.glob("b/sequences/*.mp4"))) == 2


KILLED = """
import asyncio, json, sys
from prefect_omnivideo import APIMartCredentials, JimmyAICredentials, LocalVideoStore
from prefect_omnivideo.flows import generate_sequence

given = json.loads(sys.argv[1])
accounts = [APIMartCredentials(**given["apimart"]), JimmyAICredentials(**given["jimmyai"])]
asyncio.run(generate_sequence(given["boards"], accounts, LocalVideoStore(folder=given["folder"]), "b"))
"""


async def test_a_killed_sequence_goes_on_and_pays_for_nothing_again(store: LocalVideoStore) -> None:
    """SIGKILL while the first shots are made, and again while the second ones are; by both ways of continuing."""
    boards: Any = {
        name: [{"prompt": f"{name} 1", "continue_by": "auto"}]
        + [{"prompt": f"{name} {number}", "continue_by": name} for number in (2, 3)]
        for name in ("extend", "last_frame")
    }
    prompts = [shot["prompt"] for board in boards.values() for shot in board]

    def submitted(prompt: str) -> bool:
        found = [record for record in Records(store.open()).batch("b") if record.request.prompt == prompt]
        return any(record.attempt.task_id for record in found)

    with running(Settings(latency=1.5)) as sandbox:
        accounts = {name: credentials(sandbox, name) for name in ("apimart", "jimmyai")}
        plain = {
            name: {"api_key": sandbox.key, "base_url": each.base_url, "poll_seconds": 0.1}
            for name, each in accounts.items()
        }
        given = json.dumps({"boards": boards, "folder": str(store.folder), **plain})
        env = {**os.environ, "PREFECT_API_URL": str(PREFECT_API_URL.value()), "PREFECT_LOGGING_TO_API_ENABLED": "false"}
        for number in (1, 2):
            process = subprocess.Popen([sys.executable, "-c", KILLED, given], env=env)
            try:
                async with asyncio.timeout(120):
                    while not all(submitted(f"{name} {number}") for name in boards):
                        assert process.poll() is None
                        await asyncio.sleep(0.05)
            finally:
                process.kill()
                process.wait()
            assert not submitted("extend 3")
        report = await generate_sequence(boards, list(accounts.values()), store, "b")
        assert bill(sandbox) == Counter(dict.fromkeys(prompts, 1))
        ids = {job["prompt"]: job["id"] for job in sandbox.jobs()}
        bodies = {job["prompt"]: job["body"] for job in sandbox.jobs()}
    assert [bodies[f"extend {number}"]["extend_from_task_id"] for number in (2, 3)] == [
        ids["extend 1"],
        ids["extend 2"],
    ]
    assert all(len(bodies[f"last_frame {number}"]["image_urls"]) == 1 for number in (2, 3))
    for sequence in report.sequences:
        assert sequence.whole is not None
        parts = [record.files[0] for record in report.stored if record.request.prompt.startswith(sequence.storyboard)]
        assert seconds_of(store.folder / sequence.whole.name) == pytest.approx(
            sum(seconds_of(store.folder / part.name) for part in parts), abs=0.05
        )
