"""A person chooses among takes in Prefect's own form or by a file; what is chosen is copied and announced once."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from prefect import Flow

from prefect_omnivideo import LocalVideoStore, VideoRequest
from prefect_omnivideo.core.choosing.copies import ChosenVideo, stem
from prefect_omnivideo.core.errors import RequestError, StoreError
from prefect_omnivideo.core.records.model import VideoRecord
from prefect_omnivideo.core.records.repository import Records
from prefect_omnivideo.flows import ChoiceIncompleteError, choose_takes, choosing, collect_videos, generate_from_sheet
from prefect_omnivideo.flows.run import forms
from prefect_omnivideo.sandbox import Sandbox
from prefect_omnivideo.tasks import events
from tests.accounts import credentials
from tests.core.choosing.test_copies import put
from tests.core.records.samples import record
from tests.flows.test_approval import Deployed, asked, inputs, resume
from tests.flows.test_resolving import page_of

pytestmark = pytest.mark.usefixtures("prefect_server")
HOSTILE = '"><img src=x onerror="window.owned = 1"> [apple](javascript:window.owned=1) {{ 7 * 7 }}'
BATCH = "Autumn campaign"
NAME = "Autumn-campaign"


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forms, "_SECONDS_BETWEEN", 0.05)


@pytest.fixture
def emitted(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    monkeypatch.setattr(events, "emit_event", lambda event, **rest: found.append({"event": event, **rest}))
    return found


@pytest.fixture
def videos(store: LocalVideoStore) -> list[VideoRecord]:
    """Two takes of a hostile prompt, two of a harmless one, and one of a third."""
    wanted = [(HOSTILE, 1), (HOSTILE, 2), ("pear", 1), ("pear", 2), ("plum", 1)]
    return put(store.open(), *(record(prompt, batch=NAME, take=take) for prompt, take in wanted))


def file_of(folder: Path, *given: tuple[VideoRecord, str], batch: str = NAME) -> str:
    file = folder / "marks.json"
    listed = [{"key": video.key, "mark": mark} for video, mark in given]
    file.write_text(json.dumps({"batch": batch, "store": None, "marks": listed}))
    return str(file)


def copy(store: LocalVideoStore, video: VideoRecord) -> bytes:
    return (store.folder / "chosen" / NAME / f"{stem(video.request)}.mp4").read_bytes()


def original(store: LocalVideoStore, video: VideoRecord) -> bytes:
    return (store.folder / video.files[0].name).read_bytes()


async def test_the_form_shows_the_takes_and_the_answer_is_copied(
    store: LocalVideoStore, videos: list[VideoRecord], emitted: list[dict[str, Any]]
) -> None:
    work: Any = choose_takes
    running = asyncio.create_task(work(BATCH, store, return_state=True))
    run = await asked()
    kept = await inputs(run)
    page, fields = kept["description"], kept["schema"]["properties"]
    assert f"take 2: 8\\.0 s, 1280×720, {videos[1].files[0].size / 1e6:.1f} MB" in page
    assert videos[1].files[0].name in page
    assert "The only take of 1 other prompt is kept." in page
    assert "<img" not in page
    assert list(fields) == ["chosen_by", "prompt_1", "prompt_2"]
    titles = [fields[name]["title"] for name in ("prompt_1", "prompt_2")]
    assert sorted(title[3:8] for title in titles) == sorted([HOSTILE[:5], "pear"])
    assert fields["prompt_1"]["enum"] == ["take 1", "take 2", "none"]
    assert kept["schema"]["required"] == list(fields)
    assert not (store.folder / "chosen").exists()
    pear = "prompt_1" if titles[0].endswith("pear") else "prompt_2"
    hostile = "prompt_2" if pear == "prompt_1" else "prompt_1"
    await resume(run, {"chosen_by": " Ada ", pear: "take 2", hostile: "none"})
    state = await running
    assert state.is_completed()
    said = "2 videos chosen: 2 copied, 0 already there. No take is kept of 1 prompt."
    assert state.message == said
    done = await state.aresult()
    assert (done.by, done.source, done.copied) == ("Ada", "form", 2)
    assert copy(store, videos[2]) == original(store, videos[3])
    assert copy(store, videos[4]) == original(store, videos[4])
    beside = json.loads((store.folder / "chosen" / NAME / f"{stem(videos[2].request)}.json").read_text())
    assert (beside["chosen_by"], beside["take"]) == ("Ada", 2)
    page = await page_of(state, "omnivideo-chosen")
    assert "by Ada at 20" in page
    assert said in page
    assert [event["event"] for event in emitted] == ["omnivideo.video.chosen"] * 2
    by_prompt = {event["payload"]["prompt"]: event for event in emitted}
    payload = by_prompt["pear"]["payload"]
    assert payload["uri"] == (store.folder / "chosen" / NAME / f"{stem(videos[2].request)}.mp4").as_uri()
    assert (payload["take"], payload["sha256"], payload["copy_of"], payload["chosen_by"]) == (
        2,
        videos[3].files[0].sha256,
        videos[3].files[0].uri,
        "Ada",
    )
    assert by_prompt["pear"]["resource"]["prefect.resource.id"] == f"omnivideo.video.{videos[3].key}"
    assert by_prompt["pear"]["related"][0]["prefect.resource.id"] == f"omnivideo.batch.{NAME}"


async def test_a_file_is_carried_out_without_asking_and_a_second_time_nothing_happens(
    store: LocalVideoStore, videos: list[VideoRecord], emitted: list[dict[str, Any]], tmp_path: Path
) -> None:
    file = file_of(tmp_path, (videos[1], "keep"), (videos[3], "keep"), (videos[2], "reject"), (videos[4], "again"))
    done = await choose_takes(BATCH, store, choices=file)
    assert (done.copied, done.source, [request.take for request in done.again]) == (2, "file marks.json", [2])
    assert len(emitted) == 2
    again = await choose_takes(BATCH, store, choices=file)
    assert (again.copied, len(again.videos), len(emitted)) == (0, 2, 2)
    other = file_of(tmp_path, (videos[0], "keep"), (videos[3], "keep"))
    assert (await choose_takes(BATCH, store, choices=other)).copied == 1
    assert copy(store, videos[0]) == original(store, videos[0])
    assert len(emitted) == 3


async def test_what_is_wanted_again_is_made_by_the_flow_that_is_named(
    sandbox: Sandbox, store: LocalVideoStore, tmp_path: Path
) -> None:
    sandbox.reset()
    account = credentials(sandbox, "apimart")
    sheet = tmp_path / "prompts.jsonl"
    sheet.write_text('{"prompt": "pear", "takes": 2}\n{"prompt": "plum"}\n')
    report = await generate_from_sheet(str(sheet), account, store, batch=BATCH)
    first = next(video for video in report.stored if video.request.prompt == "pear" and video.request.take == 1)
    state = await choose_takes(BATCH, store, choices=file_of(tmp_path, (first, "again")), return_state=True)
    done = await state.aresult()
    assert "Another take is wanted of 1 prompt." in str(state.message)
    assert f"the sheet {done.sheet} and the batch {NAME}" in done.how_to_make()
    assert len(sandbox.jobs()) == 3, "nothing is spent by choosing"
    report = await generate_from_sheet(done.sheet, account, store, batch=NAME)
    assert [video.request for video in report.stored] == [VideoRequest(prompt="pear", take=3)]
    assert len(sandbox.jobs()) == 4


async def test_the_sweep_finds_no_work_in_the_copies(
    sandbox: Sandbox, store: LocalVideoStore, videos: list[VideoRecord], tmp_path: Path
) -> None:
    await choose_takes(BATCH, store, choices=file_of(tmp_path, (videos[1], "keep")))
    report = await collect_videos("", credentials(sandbox, "apimart"), store)
    assert len(report.records) == 0
    assert list(Records(store.open()).batches()) == [NAME]


async def test_without_several_takes_nobody_is_asked(store: LocalVideoStore) -> None:
    (video,) = put(store.open(), record("plum", batch=NAME))
    done = await choose_takes(NAME, store)
    assert (done.copied, done.by) == (1, "")
    assert copy(store, video) == original(store, video)


async def test_without_an_answer_nothing_is_copied(store: LocalVideoStore, videos: list[VideoRecord]) -> None:
    with pytest.raises(StoreError, match="nobody chose within"):
        await choose_takes(BATCH, store, wait=0.0003)
    assert not (store.folder / "chosen").exists()


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"batch": "nothing"}, "batch: .* holds no stored video"),
        ({"batch": " "}, "batch: it is empty"),
        ({"to": "../x"}, "to: "),
        ({"to": ""}, "to: "),
        ({"choices": "absent.json"}, "choices: "),
    ],
)
async def test_bad_input_is_refused_by_name(
    store: LocalVideoStore, videos: list[VideoRecord], given: dict[str, str], says: str, tmp_path: Path
) -> None:
    file = file_of(tmp_path, (videos[1], "keep"))
    with pytest.raises(RequestError, match=says):
        await choose_takes(**{"batch": BATCH, "store": store, "choices": file, **given})
    assert not (store.folder / "chosen").exists()


async def test_a_form_that_nobody_would_fill_in_is_not_shown(
    store: LocalVideoStore, videos: list[VideoRecord], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(choosing, "MOST_ASKED", 1)
    with pytest.raises(RequestError, match=r"choices: 2 prompts have several takes.*file of marks that the gallery"):
        await choose_takes(BATCH, store)


async def test_a_video_that_cannot_be_copied_fails_the_run_and_the_others_are_copied(
    store: LocalVideoStore, videos: list[VideoRecord], tmp_path: Path
) -> None:
    (store.folder / videos[1].files[0].name).unlink()
    with pytest.raises(ChoiceIncompleteError, match="1 could not be copied") as caught:
        await choose_takes(BATCH, store, choices=file_of(tmp_path, (videos[1], "keep"), (videos[4], "keep")))
    assert caught.value.chosen.copied == 1
    assert copy(store, videos[4]) == original(store, videos[4])


async def test_a_suspended_run_goes_on_with_the_answer_and_asks_anew_when_started_by_hand(
    store: LocalVideoStore, videos: list[VideoRecord]
) -> None:
    work: Flow[..., Any] = choose_takes
    parameters = {"batch": BATCH, "store": store}
    deployed = await Deployed.of(work, {})
    state = await deployed.begin(parameters)
    assert state.name == "Suspended"
    # Another take comes while the run waits: the answer is about those that were shown.
    put(store.open(), record("pear", batch=NAME, take=3))
    await resume(deployed.run, {"chosen_by": "Ada", "prompt_1": "take 2", "prompt_2": "take 1"})
    state = await deployed.begin(parameters)
    assert state.is_completed(), state
    beside = [ChosenVideo.model_validate_json(file.read_bytes()) for file in (store.folder / "chosen").rglob("*.json")]
    assert sorted(video.take for video in beside) == [1, 1, 2]
    assert {video.chosen_by for video in beside} == {"Ada"}
    # A prompt that nobody was asked about has several takes now.
    deployed = await Deployed.of(work, {})
    await deployed.begin(parameters)
    put(store.open(), record("plum", batch=NAME, take=2))
    await resume(deployed.run, {"chosen_by": "Ada", "prompt_1": "take 2", "prompt_2": "take 1"})
    state = await deployed.begin(parameters)
    assert state.name == "Suspended"
    await resume(deployed.run, {"chosen_by": "Ada", **dict.fromkeys(("prompt_1", "prompt_2", "prompt_3"), "none")})
    state = await deployed.begin(parameters)  # a run that waits would be found by other tests
    assert (
        state.message
        == "0 videos chosen: 0 copied, 0 already there. No take is kept of 3 prompts. 3 of earlier choices still there."
    )
