"""The forms that start runs, in both UIs."""

import inspect
import re
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from playwright.sync_api import Page, expect
from prefect import Flow
from prefect.deployments.runner import RunnerDeployment
from prefect.settings import PREFECT_API_URL, temporary_settings

from prefect_omnivideo import flows
from prefect_omnivideo.flows.shard import generate_shard
from tests.browser.conftest import Stage
from tests.browser.ui import PrefectUI
from tests.browser.v2 import V2

FLOWS = {
    each.name: each
    for each in (*(getattr(flows, name) for name in flows.__all__), generate_shard)
    if isinstance(each, Flow)
}

SENTENCE = re.compile(r"\w{3}.*\.$")


@pytest.fixture(scope="module")
def deployments(stage: Stage) -> Mapping[str, str]:
    """Ids of a deployment of each flow; nobody serves those that are not in `serve.py`."""
    served = {"Generate videos": stage.videos, "Generate videos from a sheet": stage.sheet}
    served["Resolve videos"] = stage.resolve  # the reports link the one that there is
    others = {name: flow for name, flow in FLOWS.items() if name not in served}

    def deploy(flow: Flow[..., Any]) -> str:
        with temporary_settings({PREFECT_API_URL: stage.server.api}):
            return str(RunnerDeployment.from_flow(flow, "form").apply())

    with ThreadPoolExecutor(1) as elsewhere:  # the event loop of playwright would be in the way
        return served | dict(zip(others, elsewhere.map(deploy, others.values()), strict=True))


@pytest.mark.parametrize("name", FLOWS)
def test_every_form_explains_every_field(name: str, page: Page, stage: Stage, deployments: Mapping[str, str]) -> None:
    """By a sentence, and without words of Python."""
    ui = V2(page, stage.server.api.removesuffix("/api"))
    ui.open_run_form(deployments[name])
    assert ui.fields() == list(inspect.signature(FLOWS[name].fn).parameters)
    for field in ui.fields():
        expect(ui.description(field)).to_contain_text(SENTENCE)
    expect(page.locator("form")).not_to_contain_text(re.compile(r"NoneType|Property is type|\bNone\b|`|::"))


def test_preset_blocks_are_shown_as_chosen_and_an_empty_prompt_is_refused(ui: PrefectUI, stage: Stage) -> None:
    ui.open_run_form(stage.videos)
    expect(ui.chosen("credentials")).to_have_text("prod")
    expect(ui.chosen("store")).to_have_text("videos")
    ui.field("prompts").get_by_text("Add item").click()
    ui.submit_in_vain("prompts")


def test_a_request_no_gateway_can_honour_ends_the_run_and_costs_nothing(ui: PrefectUI, stage: Stage) -> None:
    prompt = f"a cat on a sofa in {ui.version}"
    ui.open_run_form(stage.videos)
    ui.add_request({"prompt": prompt, "resolution": "4k"})
    run = ui.submit()
    ui.open_run(run, "Failed")
    expect(ui.log("prompt 1: APIMart, resolution").first).to_be_visible()
    assert prompt not in [job["prompt"] for job in stage.sandbox.jobs()]


def test_the_sheet_form_shows_what_is_preset_and_refuses_a_limit_below_zero(ui: PrefectUI, stage: Stage) -> None:
    ui.open_run_form(stage.sheet)
    assert ui.fields() == list(inspect.signature(FLOWS["Generate videos from a sheet"].fn).parameters)
    expect(ui.page.get_by_text("Property is type")).to_have_count(0)
    for name in ui.fields():
        expect(ui.description(name)).to_contain_text(SENTENCE)
    expect(ui.field("sheet").locator("textarea")).to_have_value("~/prompts.csv")
    expect(ui.switch("dry_run")).not_to_be_checked()
    ui.fill("limit", "-1")
    ui.submit_in_vain("limit")
    expect(ui.choices("on_bad_row")).to_have_text(["stop", "skip"])


def test_a_run_has_the_name_typed_into_the_form_or_one_made_of_its_prompts(ui: PrefectUI, stage: Stage) -> None:
    ui.open_run_form(stage.videos)
    ui.add_prompts([f"a plum in {ui.version}", "a pear"])
    run = ui.submit()
    ui.open_run_form(stage.videos)
    name = f"Typed in {ui.version}"
    ui.name_run(name)
    ui.add_prompts([f"a fig in {ui.version}"])
    ui.open_run(ui.submit(), "Completed")
    expect(ui.page.get_by_text(name, exact=True).first).to_be_visible()
    ui.open_run(run, "Completed")
    ui.open_artifact(run, "omnivideo-report")
    expect(ui.artifact().get_by_role("heading").first).to_have_text(f"2 prompts: a plum in {ui.version} (batch {run})")
