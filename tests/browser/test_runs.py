"""A run and its artifacts in both UIs, as the people see them who use this."""

import re

from playwright.sync_api import Page, expect

from tests.browser.conftest import BATCH, HOSTILE, PROMPTS, Stage, is_harmless
from tests.browser.pictures import picture
from tests.browser.ui import PrefectUI
from tests.browser.v2 import V2


def test_a_batch_started_from_the_form_is_billed_once_each(stage: Stage, batch: str) -> None:
    bill = [job["prompt"] for job in stage.sandbox.jobs()]
    assert [bill.count(prompt) for prompt in PROMPTS] == [1] * len(PROMPTS)


def test_a_batch_has_one_progress_bar_one_report_and_one_table(ui: PrefectUI, batch: str) -> None:
    ui.open_artifacts(batch)
    for key in ("omnivideo-progress", "omnivideo-report", "omnivideo-videos"):
        expect(ui.artifacts(key)).to_have_count(1)


def test_the_report_names_what_failed_and_what_to_do(ui: PrefectUI, batch: str) -> None:
    ui.open_artifact(batch, "omnivideo-report")
    report = ui.artifact()
    expect(report.get_by_text("6 videos: 4 stored, 1 failed, 1 of unknown outcome").first).to_be_visible()
    expect(report.get_by_text("content_policy_violation")).to_be_visible()
    expect(report.get_by_text("Do not send it again as it is")).to_have_count(1)
    command = re.compile(f"omnivideo resolve [0-9a-f]{{16}} --batch {BATCH} --store file:")
    expect(report.get_by_text(command).first).to_be_visible()
    _photograph(ui, "report")


def test_the_table_has_a_row_for_each_video(ui: PrefectUI, batch: str) -> None:
    ui.open_artifact(batch, "omnivideo-videos")
    rows = ui.artifact().locator("tbody tr")
    expect(rows).to_have_count(len(PROMPTS))
    for prompt in PROMPTS[:4]:
        expect(rows.filter(has_text=prompt)).to_have_count(1)
    expect(rows.filter(has_text=".mp4")).to_have_count(4)
    _photograph(ui, "table")


def test_hostile_prompts_are_text_in_run_report_and_table(stage: Stage, ui: PrefectUI) -> None:
    run = str(stage.hostile.id)
    ui.open_run(run, "Failed")
    is_harmless(ui.log(HOSTILE[0]).first)
    ui.open_artifact(run, "omnivideo-report")
    is_harmless(ui.artifact().get_by_text(HOSTILE[1]))
    ui.open_artifact(run, "omnivideo-videos")
    expect(ui.artifact().locator("tbody tr")).to_have_count(len(HOSTILE))
    is_harmless(ui.artifact().locator("tbody").get_by_text("window.owned = 1").first)


def test_what_the_hostile_prompts_would_do_is_noticed(page: Page) -> None:
    page.set_content(f"<p>{HOSTILE[1]}</p>")
    page.wait_for_function("window.owned === 1")


def _photograph(ui: PrefectUI, name: str) -> None:
    if isinstance(ui, V2):
        picture(ui.page, name)
