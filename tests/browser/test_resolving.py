"""A submission whose answer was lost, settled by somebody who has nothing but the Prefect UI."""

import pytest
from playwright.sync_api import expect

from prefect_omnivideo.core.records.model import VideoRecord, VideoState
from prefect_omnivideo.core.records.repository import Records
from prefect_omnivideo.core.storage.folder import Folder
from tests.browser.conftest import VIDEOS, Stage
from tests.browser.ui import PrefectUI
from tests.browser.v2 import V2

pytestmark = pytest.mark.parametrize("ui", [V2], ids=["V2"], indirect=True)


def only_record(stage: Stage, batch: str) -> VideoRecord:
    (record,) = Records(Folder(stage.store)).batch(batch)
    return record


def test_a_lost_submission_is_found_and_stored_and_paid_once(ui: PrefectUI, stage: Stage) -> None:
    batch, prompt = f"lost-{ui.version.lower()}", f"A kettle boils in {ui.version} [fault:drop-after]"
    lost = stage.server.ended(stage.server.start(VIDEOS, {"prompts": [prompt], "batch": batch}))
    assert only_record(stage, batch).state is VideoState.UNKNOWN
    ui.open_artifact(str(lost.id), "omnivideo-report")
    expect(ui.artifact().locator(f"a[href$='/deployments/deployment/{stage.resolve}']")).to_be_visible()
    (job,) = [job for job in stage.sandbox.jobs() if job["prompt"] == prompt]
    ui.open_run_form(stage.resolve)
    decisions = ui.choices("decision")
    expect(decisions).to_have_text(["look", "found", "ask again", "resubmit", "abandon"])
    ui.page.keyboard.press("Escape")
    ui.choose("decision", "found")
    ui.fill("batch", batch)
    ui.fill("keys", only_record(stage, batch).key)
    ui.fill("task_id", job["id"])
    ui.pick_block("credentials", "APIMartCredentials", "prod")
    run = ui.submit()
    ui.open_run(run, "Completed")
    ui.open_artifact(run, "omnivideo-resolved")
    expect(ui.artifact().get_by_text("1 of 1 decided, 0 left to decide.").first).to_be_visible()
    expect(ui.artifact().get_by_text(prompt).first).to_be_visible()
    assert only_record(stage, batch).attempt.task_id == job["id"]
    stage.server.ended(stage.server.start(VIDEOS, {"prompts": [prompt], "batch": batch}))
    assert only_record(stage, batch).state is VideoState.STORED
    assert [job["prompt"] for job in stage.sandbox.jobs()].count(prompt) == 1
