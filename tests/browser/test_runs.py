"""A run and its artifacts in both UIs, as the people see them who use this."""

import re
from pathlib import Path
from urllib.parse import unquote, urlsplit

from playwright.sync_api import Page, expect

from tests.browser.conftest import BATCH, HOSTILE, PROMPTS, VIDEOS, Stage, is_harmless
from tests.browser.pictures import picture
from tests.browser.ui import PrefectUI
from tests.browser.v2 import V2
from tests.deployments.stage import START, until


def test_a_batch_started_from_the_form_is_billed_once_each(stage: Stage, batch: str) -> None:
    bill = [job["prompt"] for job in stage.sandbox.jobs()]
    assert [bill.count(prompt) for prompt in PROMPTS] == [1] * len(PROMPTS)


def test_a_batch_has_one_progress_bar_one_report_and_one_table(ui: PrefectUI, batch: str) -> None:
    ui.open_artifacts(batch)
    for key in ("omnivideo-progress", "omnivideo-report", "omnivideo-videos"):
        expect(ui.artifacts(key)).to_have_count(1)


def test_the_progress_is_seen_while_a_batch_runs(page: Page, stage: Stage, batch: str) -> None:
    """One video is stored, and another one is still being made."""
    ui = V2(page, stage.server.api.removesuffix("/api"))
    run = stage.server.start(VIDEOS, {"prompts": ["A fern uncurls", "Moss grows [fault:never]"], "batch": "progress"})
    until(lambda: stage.server.artifacts(run), START)
    ui.open_artifact(str(run.id), "omnivideo-progress")
    expect(page.get_by_text("1 of 2 done, 1 of them stored: batch progress").first).to_be_visible()
    expect(ui.artifact()).to_contain_text("Progress: 50%")
    assert not stage.server.read(run).state.is_final()
    stage.server.cancel(run)
    ui.open_artifact(batch, "omnivideo-progress")
    expect(ui.artifact()).to_contain_text("Progress: 100%")


def test_the_report_names_what_failed_and_what_to_do_and_fits_the_page(ui: PrefectUI, batch: str) -> None:
    """Reasons, advice and commands end within the page: nobody sees that a table goes on beyond its edge."""
    ui.open_artifact(batch, "omnivideo-report")
    report = ui.artifact()
    expect(report.get_by_text("6 videos: 4 stored, 1 failed, 1 of unknown outcome").first).to_be_visible()
    expect(report.get_by_text("content_policy_violation")).to_be_visible()
    expect(report.get_by_text("Do not send it again as it is")).to_have_count(1)
    command = re.compile(f"omnivideo resolve [0-9a-f]{{16}} --batch={BATCH} --store file:")
    expect(report.get_by_text(command).first).to_be_visible()
    cut = report.evaluate(
        """page => [...page.querySelectorAll("p, li, td, code, div")]
          .filter(part => part.scrollWidth > part.clientWidth + 1 && getComputedStyle(part).overflowX != "visible")
          .map(part => part.textContent.slice(0, 80))"""
    )
    assert cut == []
    _photograph(ui, "report", height=1500)


def test_the_table_has_a_row_for_each_video_and_addresses_to_copy(ui: PrefectUI, batch: str) -> None:
    ui.open_artifact(batch, "omnivideo-videos")
    expect(ui.page.get_by_text(f"{BATCH}: its videos").first).to_be_visible()
    names = ui.artifact().locator("thead th").all_inner_texts()
    assert names[:5] == ["state", "reason", "prompt", "file", "cost"]
    assert names[-1] == "address"
    rows = ui.artifact().locator("tbody tr")
    expect(rows).to_have_count(len(PROMPTS))
    for prompt in PROMPTS:
        row = rows.filter(has=ui.page.locator("td").nth(2).get_by_text(prompt, exact=True))
        expect(row).to_have_count(1)
    stored = rows.filter(has_text="stored")
    expect(stored).to_have_count(4)
    for row in stored.all():
        cells = row.locator("td").all_inner_texts()
        path = Path(unquote(urlsplit(cells[-1]).path))
        assert path.is_file()
        assert path.name == cells[3]
    _photograph(ui, "table")  # last: it changes the addresses


def test_a_prompt_is_found_in_the_table_by_typing_it(ui: PrefectUI, stage: Stage) -> None:
    stage.server.ended(stage.hostile)
    ui.open_artifact(str(stage.hostile.id), "omnivideo-videos")
    expect(ui.artifact().locator("tbody tr")).to_have_count(len(HOSTILE))
    for prompt in HOSTILE:
        row = ui.find_row(prompt)
        expect(row).to_have_count(1)
        expect(row).to_contain_text(prompt)


def test_hostile_prompts_are_text_in_run_report_and_table(stage: Stage, ui: PrefectUI) -> None:
    run = str(stage.hostile.id)
    ui.open_run(run, "Failed")
    expect(
        ui.log(HOSTILE[0]).first
    ).to_be_visible()  # Prefect itself makes links of addresses in logs, and only of those
    expect(ui.page.locator("a[href^='javascript:'], img[src='x']")).to_have_count(0)
    ui.open_artifact(run, "omnivideo-report")
    for prompt in HOSTILE[1:]:
        is_harmless(ui.artifact().get_by_text(prompt, exact=True))
    ui.open_artifact(run, "omnivideo-videos")
    expect(ui.artifact().locator("tbody tr")).to_have_count(len(HOSTILE))
    for prompt in HOSTILE:
        is_harmless(ui.artifact().locator("tbody").get_by_text(prompt).first)
    expect(ui.artifact().get_by_text(HOSTILE[-1], exact=True)).to_be_visible()


def test_what_the_hostile_prompts_would_do_is_noticed(page: Page) -> None:
    page.set_content(f"<p>{HOSTILE[1]}</p>")
    page.wait_for_function("window.owned === 1")


def _photograph(ui: PrefectUI, name: str, height: int = 900) -> None:
    if isinstance(ui, V2):
        picture(ui.page, name, height)
