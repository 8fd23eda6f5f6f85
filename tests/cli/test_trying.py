"""`omnivideo try`: one real video, every exchange shown, and a cassette that can be replayed."""

import json
from collections.abc import Generator
from pathlib import Path

import pytest

from prefect_omnivideo.cli.commands import app
from prefect_omnivideo.core.answers.status import read_status
from prefect_omnivideo.core.answers.submission import read_submission
from prefect_omnivideo.core.gateways.registry import get_gateway
from prefect_omnivideo.core.gateways.specification import Accepted, Answer
from prefect_omnivideo.core.gateways.words import JobStatus
from prefect_omnivideo.core.records.repository import Records
from prefect_omnivideo.core.storage.folder import Folder
from prefect_omnivideo.sandbox import CassetteError, Sandbox, Settings, running
from prefect_omnivideo.sandbox.cassette import Cassette
from tests.accounts import credentials

CASSETTES = Path(__file__).resolve().parents[1] / "cassettes"


@pytest.fixture
def saved(prefect_server: None) -> Generator[Sandbox]:
    with running(Settings(latency=0.2)) as sandbox:
        for gateway in ("apimart", "sora"):
            credentials(sandbox, gateway).save("trying", overwrite=True)
        yield sandbox


def omnivideo(*words: str) -> int:
    code = app(list(words), result_action="return_value")
    assert isinstance(code, int)
    return code


@pytest.mark.parametrize("gateway", ["apimart", "sora"])
def test_one_video_is_made_and_shown(
    gateway: str, saved: Sandbox, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["try", f"{gateway}-credentials/trying", "--folder", str(tmp_path), "--yes"]
    assert omnivideo(*words) == 0, capsys.readouterr()
    shown = capsys.readouterr().out
    assert all(
        part in shown for part in ("This would be sent", '"outcome": "accepted"', '"status": "succeeded"', "stored")
    )
    (record,) = Records(Folder(tmp_path)).all()
    assert record.state == "stored"
    cassette = (tmp_path / f"{gateway}.cassette.json").read_text()
    assert saved.key not in cassette + shown
    assert "token=" not in cassette.replace("token=***", "")
    exchanges = json.loads(cassette)["exchanges"]
    assert [each["asked"].split()[0] for each in exchanges][:2] == ["POST", "GET"]
    assert omnivideo(*words) == 0
    assert len(saved.jobs()) == 1, "run again, it pays for nothing"


def test_nothing_is_sent_without_a_yes(
    saved: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("builtins.input", lambda question: "n")
    assert omnivideo("try", "sora-credentials/trying", "--folder", str(tmp_path)) == 0
    assert "Nothing was sent" in capsys.readouterr().out
    assert saved.jobs() == []


def test_a_missing_block_is_said(saved: Sandbox, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert omnivideo("try", "sora-credentials/nobody", "--folder", str(tmp_path), "--yes") == 2
    assert "sora-credentials/nobody" in capsys.readouterr().err


@pytest.mark.parametrize("path", sorted(CASSETTES.glob("*.json")), ids=lambda path: path.stem)
def test_every_cassette_is_understood(path: Path) -> None:
    """The submission is accepted, and the last answer about the job says that it is finished, with a link."""
    recorded = json.loads(path.read_text("utf-8"))
    gateway = get_gateway(recorded["gateway"])
    answers = [Answer(e["http"], e["headers"], e["body"], "", e["asked"]) for e in recorded["exchanges"]]
    submissions = [answer for answer in answers if answer.asked.startswith("POST")]
    outcome = read_submission(gateway, submissions[0])
    assert isinstance(outcome, Accepted)
    jobs = [read_status(gateway, answer, outcome.task_id) for answer in answers if answer.asked.startswith("GET")]
    assert jobs[-1].status is JobStatus.SUCCEEDED
    assert [job.status for job in jobs[:-1] if job.status.is_final] == []


def test_the_sandbox_plays_a_cassette(prefect_server: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with running(Settings(cassette=CASSETTES / "sora.json")) as sandbox:
        account = credentials(sandbox, "sora", base_url=f"{sandbox.url}/cassette")
        account.save("cassette", overwrite=True)
        assert omnivideo("try", "sora-credentials/cassette", "--folder", str(tmp_path), "--yes") == 0, (
            capsys.readouterr().err
        )
    (record,) = Records(Folder(tmp_path)).all()
    assert record.state == "stored"


@pytest.mark.parametrize("text", ["", "[]", '{"exchanges": []}', '{"exchanges": [{"asked": "POST /"}]}'])
def test_what_is_no_cassette_is_said(text: str, tmp_path: Path) -> None:
    path = tmp_path / "c.json"
    path.write_text(text)
    with pytest.raises(CassetteError, match=str(path)):
        Cassette(path)
