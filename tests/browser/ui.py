"""The Prefect UI as a person uses it: forms are filled by the names they show, pages are read."""

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from playwright.sync_api import Locator, Page, Route, expect

ROOT = Path(__file__).resolve().parents[2]
RUN_SECONDS = 60.0
"""How long a run of a few videos may take on a busy machine."""
MOST_SHOTS = 20
MOST_TRIES = 5


class PrefectUI:
    """One browser tab at the UI of a Prefect server.

    Args:
        page: the tab. It reaches nothing but this machine; logos come from this repository.
        url: address of the UI, without a trailing slash.
    """

    def __init__(self, page: Page, url: str) -> None:
        self.page = page
        self.url = url
        page.route(re.compile(r"^https?://(?!127\.0\.0\.1)"), _answer)

    def open_run_form(self, deployment: str) -> None:
        """The form that starts a run of a deployment, once it can be filled in."""
        self.page.goto(f"{self.url}/deployments/deployment/{deployment}/run")
        expect(self.page.get_by_role("button", name="Submit")).to_be_enabled()
        expect(self.field("deadline")).to_be_visible()

    def field(self, name: str) -> Locator:
        """A parameter in a run form, with its label, description and error."""
        label = self.page.locator(".schema-form-property__label").get_by_text(re.compile(rf"^{name}( \(Optional\))?$"))
        return self.page.locator(".schema-form-property").filter(has=label)

    def add_prompts(self, prompts: Sequence[str]) -> None:
        for number, prompt in enumerate(prompts):
            self.field("prompts").get_by_text("Add item").click()
            self.field("prompts").locator("textarea").nth(number).fill(prompt)

    def enter_json(self, field: str, text: str) -> None:
        """Fill a parameter in through the JSON input of its menu."""
        self.field(field).locator(".schema-form-property-menu button").first.click()
        self.page.get_by_text("Use JSON input").click()
        self.field(field).locator(".p-code-input textarea").fill(text)

    def pick_block(self, field: str, kind: str, name: str) -> None:
        """Choose a saved block: the tab of its kind, then its name in the list."""
        self.field(field).get_by_role("button", name=kind, exact=True).click()
        picker = self.field(field).locator(".p-select-button__control")
        picker.press("ArrowDown")
        self.page.locator(".p-select-option").get_by_text(name, exact=True).click()
        expect(picker).to_have_text(name)

    def submit(self) -> str:
        """Start the run; its id. A busy server answers 503, and unlike Prefect's clients its UI leaves it at that."""
        for _ in range(MOST_TRIES):
            with self.page.expect_response("**/create_flow_run") as answer:
                self.page.get_by_role("button", name="Submit").click()
            if answer.value.status != 503:
                break
        assert answer.value.ok, answer.value.text()
        return str(answer.value.json()["id"])

    def open_run(self, run: str, state: str) -> None:
        """The page of a run, once the run is in a state."""
        self.page.goto(f"{self.url}/runs/flow-run/{run}")
        expect(self.page.locator(".state-badge").first).to_have_text(state, timeout=1000 * RUN_SECONDS)

    def open_artifacts(self, run: str) -> None:
        """The artifacts of a run, reached from its page."""
        self.page.goto(f"{self.url}/runs/flow-run/{run}")
        self.page.get_by_role("listitem").filter(has_text=re.compile("^Artifacts$")).click()

    def artifacts(self, key: str) -> Locator:
        """Links to the artifacts with a key, among those of a run."""
        return self.page.locator("a[href*='/artifacts/artifact/']").filter(has_text=key)

    def open_artifact(self, run: str, key: str) -> None:
        """The page of an artifact, reached from the page of its run."""
        self.open_artifacts(run)
        self.artifacts(key).click()
        expect(self.page.get_by_role("button", name="Show raw data")).to_be_visible()

    def open_block_form(self, slug: str) -> None:
        self.page.goto(f"{self.url}/blocks/catalog/{slug}/create")
        expect(self.page.get_by_role("button", name="Create")).to_be_visible()

    def create_block(self, name: str, values: Mapping[str, str]) -> None:
        """Fill the block form in, leaving everything else as it is, and save the block."""
        for label, value in {"Block Name": name, **values}.items():
            self.page.locator(".p-label").filter(has=self.page.get_by_text(label, exact=True)).last.locator(
                "input, textarea"
            ).fill(value)
        self.page.get_by_role("button", name="Create").click()
        self.page.wait_for_url("**/blocks/block/**")

    def block_fields(self) -> list[tuple[str, str]]:
        """Name and default of every field of a block form, from top to bottom."""
        fields = self.page.locator(".schema-form-fields").first.locator("> .schema-form-property")
        return [_name_and_default(field) for field in fields.all()]


def _name_and_default(field: Locator) -> tuple[str, str]:
    name = field.locator("label, h3").first.inner_text().removesuffix(" (Optional)")
    control = field.locator("input, textarea")
    if control.count():
        return name, control.first.input_value() or str(control.first.get_attribute("placeholder") or "")
    return name, field.locator(".p-select-button__value").inner_text()


def _answer(route: Route) -> None:
    """Logos as the public repository will show them, and nothing else from outside."""
    logo = ROOT / "blocks" / "logos" / route.request.url.rpartition("/")[2]
    if "/blocks/logos/" in route.request.url and logo.is_file():
        route.fulfill(path=logo)
    else:
        route.abort()


def picture(page: Page, name: str, height: int = 900) -> None:
    """A screenshot for the documentation, in the folder that SCREENSHOTS names, if it names one."""
    if folder := os.environ.get("SCREENSHOTS"):
        page.set_viewport_size({"width": (page.viewport_size or {"width": 1300})["width"], "height": height})
        page.wait_for_load_state("networkidle")
        page.evaluate(_PRESENTABLE)
        taken, before = page.screenshot(), b""
        for _ in range(MOST_SHOTS):  # until nothing moves any more, such as the spinner of a player
            if taken == before:
                break
            taken, before = page.screenshot(), taken
        Path(folder, f"{name}.png").write_bytes(taken)


# No cursor blinks, and the folder of a test reads like the folder of a person.
_PRESENTABLE = """() => {
  document.activeElement.blur();
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    texts.currentNode.data = texts.currentNode.data.replace(/\\/\\S*\\/prefect0\\//, "///home/ada/");
  }
}"""
