"""A person is asked in the UI before a run spends more than it may unasked."""

from collections.abc import Sequence

from playwright.sync_api import expect

from tests.browser.conftest import VIDEOS, Stage, is_harmless
from tests.browser.pictures import picture
from tests.browser.ui import PrefectUI
from tests.browser.v2 import V2

HOSTILE = '"><img src=x onerror="window.owned = 1"> [apple](javascript:window.owned=1)'


def billed(stage: Stage, prompts: Sequence[str]) -> list[str]:
    return sorted(prompt for job in stage.sandbox.jobs() if (prompt := str(job["prompt"])) in prompts)


def test_a_run_is_approved_in_the_form_it_waits_for(ui: PrefectUI, stage: Stage) -> None:
    prompts = [
        f"{HOSTILE} {ui.version}",
        *(f"a {thing} for {ui.version}" for thing in ("boat", "lamp", "tree", "kite")),
    ]
    batch = f"asks {ui.version}"
    run = str(stage.server.start(VIDEOS, {"prompts": prompts, "batch": batch, "ask_above": "3 videos"}).id)
    ui.open_run(run, "Suspended")
    ui.open_resume_form()
    expect(ui.page.get_by_text(f"5 videos of the batch {batch}").first).to_be_visible()
    is_harmless(ui.page.get_by_text("window.owned = 1").first)
    ui.choose("Answer", "Approve all")
    ui.send_resume_form()
    expect(ui.page.get_by_text("required").first).to_be_visible()  # an answer needs a name
    ui.open_run(run, "Suspended")
    ui.open_resume_form()
    ui.fill("Approved By", "Ada")
    ui.choose("Answer", "Approve the first as a trial")
    ui.fill("First", "2")
    if isinstance(ui, V2):
        picture(ui.page, "approval")
    assert billed(stage, prompts) == []
    ui.resume()
    ui.open_run(run, "Trial made")
    assert billed(stage, prompts) == sorted(prompts[:2])
    ui.open_artifact(run, "omnivideo-report")
    expect(ui.artifact().get_by_text("Ada approved the first 2 of 5 videos as a trial").first).to_be_visible()
