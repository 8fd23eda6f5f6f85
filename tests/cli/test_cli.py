"""The command line, as a person would type it: in this process, but for one that goes through the installed command."""

import io
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from prefect_omnivideo import VideoRequest
from prefect_omnivideo.cli import main
from prefect_omnivideo.core.exchange import exchange
from prefect_omnivideo.core.records.model import Attempt, VideoRecord, new_record, now
from prefect_omnivideo.core.records.repository import Records
from prefect_omnivideo.core.storage.folder import Folder
from tests.core.transfer.lying_server import answer, mp4, running


class Done(NamedTuple):
    """What a command printed, and the exit code it ended with."""

    returncode: int
    stdout: str
    stderr: str


Command = Callable[..., Done]


@pytest.fixture
def omnivideo(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """The command, with arguments and the text on its standard input."""

    def run(*arguments: str, text: str = "") -> Done:
        monkeypatch.setattr(sys, "argv", ["omnivideo", *arguments])
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
        with pytest.raises(SystemExit) as ended:
            main()
        assert isinstance(ended.value.code, int)
        return Done(ended.value.code, *capsys.readouterr())

    return run


@pytest.fixture
def encoded(omnivideo: Command) -> Callable[..., dict[str, Any]]:
    """The call that a request for a gateway becomes."""

    def encode(gateway: str, request: dict[str, Any], *arguments: str) -> dict[str, Any]:
        done = omnivideo("encode", "--gateway", gateway, *arguments, text=json.dumps(request))
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return encode


@pytest.mark.server
def test_the_installed_command() -> None:
    command = [Path(sys.executable).with_name("omnivideo"), "encode", "--gateway"]
    text = '{"prompt": "海边"}'.encode()
    done = subprocess.run([*command, "apimart"], input=text, capture_output=True, timeout=120, check=True)
    assert json.loads(done.stdout)["json"]["prompt"] == "海边"
    refused = subprocess.run([*command, "nobody"], input=text, capture_output=True, timeout=120, check=False)
    assert (refused.returncode, refused.stdout) == (2, b"")
    assert b"Traceback" not in refused.stderr


def test_encode_shows_the_call_and_hides_the_key(encoded: Callable[..., dict[str, Any]]) -> None:
    call = encoded("apimart", {"prompt": "海边", "aspect_ratio": "9:16"})
    assert call["method"] == "POST"
    assert call["url"] == "https://api.apimart.ai/v1/videos/generations"
    assert call["headers"]["Authorization"] == "Bearer ***"
    assert call["json"] == {"model": "gemini-omni-flash-preview", "prompt": "海边", "aspect_ratio": "9:16"}


def test_encode_native_form(encoded: Callable[..., dict[str, Any]]) -> None:
    body = {"model": "omni_flash-10s", "prompt": "x", "input_reference[]": ["https://a/1.jpg", "https://a/2.jpg"]}
    call = encoded("12ai", body, "--native", "--base-url", "https://proxy.example/v1")
    assert call["url"] == "https://proxy.example/v1/videos"
    assert call["form"]["input_reference[]"] == ["https://a/1.jpg", "https://a/2.jpg"]
    assert "json" not in call


def test_encode_takes_the_other_route(encoded: Callable[..., dict[str, Any]]) -> None:
    call = encoded("omnirouters", {"prompt": "x"}, "--submit-path", "/v1/video/generations")
    assert call["url"] == "https://omnirouters.com/v1/video/generations"


@pytest.mark.parametrize(
    ("gateway", "text", "said"),
    [
        ("jimmyai", '{"prompt": "x", "duration": 5}', "duration"),
        ("apimart", '{"prompt": "x", "colour": "red"}', "colour"),
        ("apimart", "no json", "standard input"),
        ("apimart", "[]", "standard input"),
        ("nobody", '{"prompt": "x"}', "12ai"),
    ],
)
def test_encode_refuses_with_exit_code_2(gateway: str, text: str, said: str, omnivideo: Command) -> None:
    done = omnivideo("encode", "--gateway", gateway, text=text)
    assert done.returncode == 2
    assert said in done.stderr
    assert done.stdout == ""
    assert "Traceback" not in done.stderr


def unknown(batch: str) -> VideoRecord:
    """A video of unknown outcome."""
    moment = now()
    attempt = Attempt(
        gateway="apimart",
        account="prod",
        base_url="https://api.apimart.ai",
        submit_path="/v1/videos/generations",
        claim_id="c",
        started_at=moment,
        claim_ends_at=moment,
    )
    return new_record(VideoRequest(prompt="a red apple"), batch, attempt).unknown()


@pytest.fixture
def parked(tmp_path: Path) -> tuple[Path, str]:
    """A store with one video of unknown outcome, and its key."""
    record = unknown("batch")
    Records(Folder(tmp_path)).claim(record)
    return tmp_path, record.key


def test_jobs_shows_account_and_time_of_what_is_unknown(parked: tuple[Path, str], omnivideo: Command) -> None:
    store, key = parked
    done = omnivideo("jobs", "--store", str(store), "--state", "unknown")
    assert done.returncode == 0
    assert all(word in done.stdout for word in (key, "prod", "a red apple", "may have been paid", "UTC"))
    as_json = omnivideo("jobs", "--store", store.as_uri(), "--batch", "batch", "--json")
    assert [record["key"] for record in json.loads(as_json.stdout)] == [key]
    assert json.loads(omnivideo("jobs", "--store", str(store), "--state", "stored", "--json").stdout) == []


STATES: dict[str, Callable[[VideoRecord], VideoRecord]] = {
    "unknown": lambda record: record.unknown("the answer was lost"),
    "submitted": lambda record: record.submitted("task_0"),
    "finished": lambda record: record.submitted("task_0").finished(None, trouble="no link"),
    "failed": lambda record: record.submitted("task_0").failed("gateway error", "it said so"),
    "abandoned": lambda record: record.submitted("task_0").failed("abandoned", "a person gave it up"),
}


@pytest.mark.parametrize("before", STATES)
@pytest.mark.parametrize(
    ("decision", "after"),
    [
        (["--task-id", "task_1"], "submitted"),
        (["--ask-again"], "submitted"),
        (["--resubmit"], "failed"),
        (["--abandon"], "failed"),
    ],
    ids=lambda value: str(value),
)
def test_resolve_decides_from_every_state_but_stored(
    before: str, decision: list[str], after: str, tmp_path: Path, omnivideo: Command
) -> None:
    record = STATES[before](unknown("batch"))
    Records(Folder(tmp_path)).claim(record)
    done = omnivideo("resolve", record.key[:6], "--store", str(tmp_path), *decision)
    found = next(Records(Folder(tmp_path)).batch("batch"))
    if decision == ["--ask-again"] and before == "unknown":
        assert done.returncode == 2
        assert "--task-id" in done.stderr
        return
    assert done.returncode == 0, done.stderr
    assert found.state == after
    if decision[0] == "--task-id":
        assert found.attempt.task_id == "task_1"
        assert found.attempt.earlier_task_ids == (() if before == "unknown" else ("task_0",)), "none is forgotten"
    if after == "submitted":
        assert found.failure is None
    if decision == ["--resubmit"]:
        assert found.failure is not None
        assert found.failure.may_resubmit


def test_what_is_stored_needs_no_decision(tmp_path: Path, omnivideo: Command) -> None:
    record = unknown("batch").submitted("task_0").stored(())
    Records(Folder(tmp_path)).claim(record)
    done = omnivideo("resolve", record.key, "--store", str(tmp_path), "--abandon")
    assert done.returncode == 2
    assert "is stored" in done.stderr


@pytest.mark.server
def test_a_link_that_a_person_found_is_stored(tmp_path: Path, omnivideo: Command) -> None:
    record = STATES["failed"](unknown("batch"))
    Records(Folder(tmp_path)).claim(record)
    with running() as server:
        server.answers = [answer(mp4(1000))]
        link = f"{server.url}/v.mp4?sig=abcdef0123"
        done = omnivideo("resolve", record.key, "--store", str(tmp_path), "--link", link)
    assert done.returncode == 0, done.stderr
    found = next(Records(Folder(tmp_path)).batch("batch"))
    assert found.state == "stored"
    assert (tmp_path / found.files[0].name).stat().st_size == found.files[0].size
    assert "abcdef0123" not in found.model_dump_json()


def test_the_answers_kept_with_a_video_are_shown(tmp_path: Path, omnivideo: Command) -> None:
    said = exchange("POST /v1/videos", 503, {"x-oneapi-request-id": "r1"}, None, "upstream connect error")
    record = unknown("batch").unknown("nobody knows", (said,))
    Records(Folder(tmp_path)).claim(record)
    done = omnivideo("jobs", "--store", str(tmp_path), "--answers", record.key[:8])
    assert done.returncode == 0, done.stderr
    assert all(part in done.stdout for part in ("POST /v1/videos", "HTTP 503", "r1", "upstream connect error"))


@pytest.mark.parametrize(
    ("http", "text", "says"),
    [
        (200, '{"id": "v1", "status": "queued"}', ["accepted", '"v1"', '"path": "id"', "queued"]),
        (503, "upstream connect error", ["unknown", "never retried"]),
        (200, '{"id": "v1", "state": "done", "out": {"mp4": "https://e.com/a?sig=0123456"}}', ["out.mp4", "a?***"]),
        (400, '{"code": "invalid_request", "message": "no", "data": null}', ["rejected", "refused", "no"]),
        (200, "<html>", ["unknown"]),
    ],
)
def test_decode_shows_what_is_understood_and_where_it_stands(
    http: int, text: str, says: list[str], omnivideo: Command
) -> None:
    done = omnivideo("decode", "--gateway", "sora", "--http", str(http), text=text)
    assert done.returncode == 0, done.stderr
    assert all(part in done.stdout for part in says), done.stdout
    assert "0123456" not in done.stdout


def test_decode_wants_a_gateway_or_a_block(omnivideo: Command) -> None:
    assert omnivideo("decode", text="{}").returncode == 2


def test_resolve_wants_one_decision(parked: tuple[Path, str], omnivideo: Command) -> None:
    store, key = parked
    for decision in ([], ["--resubmit", "--abandon"]):
        assert omnivideo("resolve", key, "--store", str(store), *decision).returncode == 2


def test_a_store_that_is_none_is_said(omnivideo: Command) -> None:
    done = omnivideo("jobs", "--store", "no-such-folder")
    assert done.returncode == 2
    assert "no-such-folder" in done.stderr
