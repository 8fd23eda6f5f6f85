"""The forms that start runs, in both UIs."""

import re

from playwright.sync_api import expect

from tests.browser.conftest import Stage
from tests.browser.ui import PrefectUI


def test_an_empty_prompt_is_refused_by_the_form(ui: PrefectUI, stage: Stage) -> None:
    ui.open_run_form(stage.videos)
    ui.field("prompts").get_by_text("Add item").click()
    ui.submit_in_vain("prompts")


def test_a_limit_below_zero_is_refused_by_the_form(ui: PrefectUI, stage: Stage) -> None:
    ui.open_run_form(stage.sheet)
    ui.fill("limit", "-1")
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
    wanted = "sheet credentials store batch template on_bad_row limit dry_run deadline"
    assert ui.fields() == wanted.split()
    expect(ui.page.get_by_text("Property is type")).to_have_count(0)
    for name in ui.fields():
        expect(ui.description(name)).to_contain_text(re.compile(r"\w{3}.*\.$"))
    expect(ui.field("sheet").locator("textarea")).to_have_value("~/prompts.csv")
    expect(ui.switch("dry_run")).not_to_be_checked()
    expect(ui.choices("on_bad_row")).to_have_text(["stop", "skip"])


def test_a_name_typed_into_the_form_stays_the_name_of_the_run(ui: PrefectUI, stage: Stage) -> None:
    ui.open_run_form(stage.videos)
    name = f"Typed in {ui.version}"
    ui.name_run(name)
    ui.add_prompts([f"a fig in {ui.version}"])
    ui.open_run(ui.submit(), "Completed")
    expect(ui.page.get_by_text(name, exact=True).first).to_be_visible()


def test_a_run_without_a_batch_is_named_by_its_prompts(ui: PrefectUI, stage: Stage) -> None:
    ui.open_run_form(stage.videos)
    ui.add_prompts([f"a plum in {ui.version}", "a pear"])
    run = ui.submit()
    ui.open_run(run, "Completed")
    ui.open_artifact(run, "omnivideo-report")
    expect(ui.artifact().get_by_role("heading").first).to_have_text(f"2 prompts: a plum in {ui.version} (batch {run})")
