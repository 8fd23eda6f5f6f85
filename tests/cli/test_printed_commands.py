"""Every command that is printed for people runs as it stands, whatever folder and batch are called."""

import html
import logging
import re
import shlex
from pathlib import Path

import pytest
from markdown_it import MarkdownIt

from prefect_omnivideo import VideoRequest
from prefect_omnivideo.cli.commands import app
from prefect_omnivideo.core.errors import StoreError, SubmissionUnknownError
from prefect_omnivideo.core.jobs.ownership import check_hopeful
from prefect_omnivideo.core.records.compact import PackedRecords, pack
from prefect_omnivideo.core.records.model import Attempt, VideoRecord, new_record, now
from prefect_omnivideo.core.records.repository import Records
from prefect_omnivideo.core.reports.commands import TASK_ID, jobs_command
from prefect_omnivideo.core.reports.report import BatchReport
from prefect_omnivideo.core.storage.folder import Folder
from prefect_omnivideo.flows.run.verdict import write_report


def unknown(batch: str) -> VideoRecord:
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


class Scene:
    """A store with a video of unknown outcome, and what is said and written about it."""

    def __init__(self, folder: Path, batch: str) -> None:
        folder.mkdir()
        self.records, self.batch = Records(Folder(folder)), batch
        self.record = self.records.claim(unknown(batch))[0].record
        empty = BatchReport.model_validate({"batch": batch, "records": []})
        written, _ = write_report(self.records, empty, {}, logging.getLogger(__name__))
        self.report = written.model_copy(update={"records": PackedRecords([pack(self.record)])})
        self.page = (folder / batch / "index.html").read_text()

    def printed(self) -> dict[str, str]:
        """The texts, as they are shown to people."""
        with pytest.raises(SubmissionUnknownError) as raised:
            check_hopeful(self.record, self.records.store)
        return {
            "report": codes_in(MarkdownIt("commonmark").render(self.report.markdown())),
            "gallery": codes_in(self.page),
            "message": str(raised.value),
        }


def codes_in(page: str) -> str:
    return "\n".join(f"`{html.unescape(code)}`" for code in re.findall(r"<code[^>]*>(.*?)</code>", page))


@pytest.fixture(params=["batch", "it's a batch", "-x", "daily/2026-11-21"])
def scene(tmp_path: Path, request: pytest.FixtureRequest) -> Scene:
    return Scene(tmp_path / "my 'videos' | 2026? $HOME", request.param)


def run(command: str) -> int:
    program, *words = shlex.split(command)
    assert program == "omnivideo"
    code = app(words, result_action="return_value")
    assert isinstance(code, int)
    return code


@pytest.mark.parametrize("where", ["report", "gallery", "message"])
def test_the_three_decisions_about_an_unknown_outcome(
    where: str, scene: Scene, capsys: pytest.CaptureFixture[str]
) -> None:
    accept, resubmit, abandon = re.findall(r"`(omnivideo resolve .*?)`", scene.printed()[where])
    assert run(accept) == 2, "the stand-in for the task id is never written down"
    assert f"in the place of {TASK_ID}" in capsys.readouterr().err
    assert run(abandon) == 0, capsys.readouterr().err
    assert next(scene.records.batch(scene.batch)).is_abandoned
    assert run(resubmit) == 0
    failure = next(scene.records.batch(scene.batch)).failure
    assert failure
    assert failure.released
    assert run(accept.replace(TASK_ID, "task_1")) == 0
    assert next(scene.records.batch(scene.batch)).attempt.task_id == "task_1"


def test_the_list_of_a_batch(scene: Scene, capsys: pytest.CaptureFixture[str]) -> None:
    assert scene.report.store
    assert run(jobs_command(scene.report.store, scene.report.endpoint_url, batch=scene.batch, state="unknown")) == 0
    assert scene.record.key in capsys.readouterr().out


def test_a_report_without_a_store_prints_no_half_command(scene: Scene) -> None:
    page = scene.report.model_copy(update={"store": None}).markdown()
    assert "omnivideo" not in page
    assert "STORE" not in page


def test_a_failed_trial_prints_how_to_see_its_record(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(slug: str) -> None:
        raise StoreError(f"the block {slug} cannot be loaded")

    monkeypatch.setattr("prefect_omnivideo.cli.trying.saved_credentials", fail)
    folder = tmp_path / "my videos"
    arguments = ["try", "sora-credentials/prod", "--folder", str(folder)]
    assert app(arguments, result_action="return_value") == 2
    assert "omnivideo jobs" not in capsys.readouterr().err, "there is no folder to look into"
    folder.mkdir()
    assert app(arguments, result_action="return_value") == 2
    (command,) = re.findall(r"omnivideo jobs .*", capsys.readouterr().err)
    assert run(command) == 0
