"""The command line, as a person would type it."""

import html
import json
import logging
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from prefect_omnivideo import VideoRequest
from prefect_omnivideo.cli.commands import app
from prefect_omnivideo.core.records.compact import PackedRecords, pack
from prefect_omnivideo.core.records.model import Attempt, VideoRecord, new_record, now
from prefect_omnivideo.core.records.repository import Records
from prefect_omnivideo.core.reports.report import BatchReport
from prefect_omnivideo.core.storage.folder import Folder
from prefect_omnivideo.flows.run.verdict import write_report


def omnivideo(*arguments: str, text: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "prefect_omnivideo.cli", *arguments],
        input=text,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def encoded(gateway: str, request: dict[str, Any], *arguments: str) -> dict[str, Any]:
    done = omnivideo("encode", "--gateway", gateway, *arguments, text=json.dumps(request))
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_encode_shows_the_call_and_hides_the_key() -> None:
    call = encoded("apimart", {"prompt": "海边", "aspect_ratio": "9:16"})
    assert call["method"] == "POST"
    assert call["url"] == "https://api.apimart.ai/v1/videos/generations"
    assert call["headers"]["Authorization"] == "Bearer ***"
    assert call["json"] == {"model": "gemini-omni-flash-preview", "prompt": "海边", "aspect_ratio": "9:16"}


def test_encode_native_form() -> None:
    body = {"model": "omni_flash-10s", "prompt": "x", "input_reference[]": ["https://a/1.jpg", "https://a/2.jpg"]}
    call = encoded("12ai", body, "--native", "--base-url", "https://proxy.example/v1")
    assert call["url"] == "https://proxy.example/v1/videos"
    assert call["form"]["input_reference[]"] == ["https://a/1.jpg", "https://a/2.jpg"]
    assert "json" not in call


def test_encode_takes_the_other_route() -> None:
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
def test_encode_refuses_with_exit_code_2(gateway: str, text: str, said: str) -> None:
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


def test_jobs_shows_account_and_time_of_what_is_unknown(parked: tuple[Path, str]) -> None:
    store, key = parked
    done = omnivideo("jobs", "--store", str(store), "--state", "unknown")
    assert done.returncode == 0
    assert all(word in done.stdout for word in (key, "prod", "a red apple", "may have been paid", "UTC"))
    as_json = omnivideo("jobs", "--store", store.as_uri(), "--batch", "batch", "--json")
    assert [record["key"] for record in json.loads(as_json.stdout)] == [key]
    assert json.loads(omnivideo("jobs", "--store", str(store), "--state", "stored", "--json").stdout) == []


@pytest.mark.parametrize(
    ("decision", "state"),
    [(["--task-id", "task_1"], "submitted"), (["--resubmit"], "failed"), (["--abandon"], "failed")],
)
def test_resolve_settles_once(decision: list[str], state: str, parked: tuple[Path, str]) -> None:
    store, key = parked
    done = omnivideo("resolve", key[:6], "--store", str(store), *decision)
    assert done.returncode == 0, done.stderr
    record = next(Records(Folder(store)).batch("batch"))
    assert record.state == state
    again = omnivideo("resolve", key, "--store", str(store), "--task-id", "task_2")
    assert again.returncode == 2
    assert record.state in again.stderr


@pytest.mark.parametrize(
    ("decision", "state"), [("--task-id task_1", "submitted"), ("--resubmit", "failed"), ("--abandon", "failed")]
)
def test_the_command_that_report_and_gallery_print_can_be_run(
    decision: str, state: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As it stands, with a decision in the place of the one shown; whatever folder and batch are called."""
    folder = tmp_path / "my 'videos' | 2026?"
    folder.mkdir()
    records = Records(Folder(folder))
    records.claim(unknown("it's a batch"))
    empty = BatchReport.model_validate({"batch": "it's a batch", "records": []})
    report = write_report(records, empty, {}, logging.getLogger(__name__))
    everything = report.model_copy(update={"records": PackedRecords(map(pack, records.batch(report.batch)))})
    (shown,) = re.findall(r"`(omnivideo resolve .*?)`", everything.markdown().replace(r"\|", "|"))
    assert shown in html.unescape((folder / report.batch / "index.html").read_text())
    program, *words = shlex.split(shown.replace("--task-id TASK_ID", decision))
    assert program == "omnivideo"
    assert app(words, result_action="return_value") == 0, capsys.readouterr().err
    assert next(records.batch(report.batch)).state == state


def test_resolve_wants_one_decision(parked: tuple[Path, str]) -> None:
    store, key = parked
    for decision in ([], ["--resubmit", "--abandon"]):
        assert omnivideo("resolve", key, "--store", str(store), *decision).returncode == 2


def test_a_store_that_is_none_is_said() -> None:
    done = omnivideo("jobs", "--store", "no-such-folder")
    assert done.returncode == 2
    assert "no-such-folder" in done.stderr
