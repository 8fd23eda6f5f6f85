"""The forms that start runs, in both UIs."""

import re

from playwright.sync_api import expect

from tests.browser.conftest import Stage
from tests.browser.ui import PrefectUI


def test_an_empty_prompt_is_refused_by_the_form(ui: PrefectUI, stage: Stage) -> None:
    ui.open_run_form(stage.videos)
    ui.field("prompts").get_by_text("Add item").click()
    ui.submit_in_vain("prompts")


def test_a_limit_below_one_is_refused_by_the_form(ui: PrefectUI, stage: Stage) -> None:
    ui.open_run_form(stage.sheet)
    ui.tab("limit", "int").click()
    ui.fill("limit", "0")
    ui.submit_in_vain("limit")


def test_a_request_no_gateway_can_honour_ends_the_run_and_costs_nothing(ui: PrefectUI, stage: Stage) -> None:
    prompt = f"a cat on a sofa in {ui.version}"
    ui.open_run_form(stage.videos)
    ui.add_request({"prompt": prompt, "resolution": "4k"})
    run = ui.submit()
    ui.open_run(run, "Failed")
    expect(ui.log("prompt 1: APIMart, resolution").first).to_be_visible()
    assert prompt not in [job["prompt"] for job in stage.sandbox.jobs()]


def test_the_sheet_form_explains_every_field(ui: PrefectUI, stage: Stage) -> None:
    ui.open_run_form(stage.sheet)
    wanted = "sheet credentials store batch template on_bad_row limit offset dry_run deadline"
    assert ui.fields() == wanted.split()
    for name in ui.fields():
        expect(ui.description(name)).to_contain_text(re.compile(r"\w{3}.*\.$"))
    expect(ui.field("sheet").locator("textarea")).to_have_value("~/prompts.csv")
    expect(ui.switch("dry_run")).not_to_be_checked()
    expect(ui.choices("on_bad_row")).to_have_text(["stop", "skip"])
