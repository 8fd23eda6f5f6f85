"""A person keeps one of several takes, in the form that a run waits for; the copy is the take that was chosen."""

from playwright.sync_api import expect

from prefect_omnivideo.core.choosing.copies import ChosenVideo
from prefect_omnivideo.core.records.repository import Records
from prefect_omnivideo.core.storage.folder import Folder
from tests.browser.conftest import CHOOSE, VIDEOS, Stage, is_harmless
from tests.browser.pictures import picture
from tests.browser.ui import PrefectUI
from tests.browser.v2 import V2

HOSTILE = '"><img src=x onerror="window.owned = 1"> [apple](javascript:window.owned=1)'


def test_a_take_is_chosen_in_the_form_and_copied(ui: PrefectUI, stage: Stage) -> None:
    batch = f"takes-{ui.version.lower()}"
    takes = [{"prompt": prompt, "take": take} for prompt in (HOSTILE, "A kite over dunes") for take in (1, 2)]
    stage.server.ended(stage.server.start(VIDEOS, {"prompts": takes, "batch": batch}))
    run = str(stage.server.start(CHOOSE, {"batch": batch}).id)
    ui.open_run(run, "Suspended")
    ui.open_resume_form()
    expect(ui.page.get_by_text("2 prompts of the batch").first).to_be_visible()
    is_harmless(ui.page.get_by_text("window.owned = 1").first)
    ui.fill("Chosen By", "Ada")
    ui.choose(f"1. {HOSTILE}", "take 2")
    ui.choose("2. A kite over dunes", "none")
    if isinstance(ui, V2):
        picture(ui.page, "choosing")
    ui.resume()
    ui.open_run(run, "Completed")
    ui.open_artifact(run, "omnivideo-chosen")
    expect(ui.artifact().get_by_text("1 video chosen: 1 copied, 0 already there.").first).to_be_visible()
    is_harmless(ui.artifact().get_by_text("window.owned = 1").first)
    (beside,) = (stage.store / "chosen" / batch).glob("*.json")
    chosen = ChosenVideo.model_validate_json(beside.read_bytes())
    (wanted,) = (
        record
        for record in Records(Folder(stage.store)).batch(batch)
        if (record.request.prompt, record.request.take) == (HOSTILE, 2)
    )
    assert (chosen.chosen_by, chosen.video.key) == ("Ada", wanted.key)
    assert (stage.store / chosen.files[0].name).read_bytes() == (stage.store / wanted.files[0].name).read_bytes()
