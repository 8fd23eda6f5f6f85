"""The old UI, which people can switch to."""

import json
import re
from collections.abc import Mapping

from playwright.sync_api import Locator

from tests.browser.ui import PrefectUI, without_optional


class V1(PrefectUI):
    version = "V1"
    path = ""
    save = "Create"

    def field(self, name: str) -> Locator:
        label = self.page.locator("label, h3").get_by_text(re.compile(rf"^{re.escape(name)}( \(Optional\))?$"))
        return self.page.locator(".schema-form-property").filter(has=label).last

    def fields(self) -> list[str]:
        return [
            without_optional(label) for label in self.page.locator(".schema-form-property__label").all_inner_texts()
        ]

    def description(self, field: str) -> Locator:
        return self.field(field).locator(".schema-form-property__description").first

    def tab(self, field: str, name: str) -> Locator:
        return self.field(field).get_by_role("button", name=name, exact=True)

    def add_request(self, values: Mapping[str, str]) -> None:
        menu = self.field("prompts").locator(".schema-form-property-menu button").first
        as_json = self.field("prompts").locator(".p-code-input textarea")
        self.do_until(menu.click, self.page.get_by_text("Use JSON input"))
        self.do_until(self.page.get_by_text("Use JSON input").click, as_json)
        as_json.fill(json.dumps([values]))

    def refusal(self, field: str) -> Locator:
        in_the_form = self.field(field).get_by_text("is not valid")
        return in_the_form.or_(self.page.get_by_text(f"Validation failed for field '{field}'")).first

    def switch(self, field: str) -> Locator:
        return self.field(field).locator("[type=checkbox]")

    def choices(self, field: str) -> Locator:
        options = self.page.locator(".p-select-option")
        self.do_until(lambda: self.chosen(field).press("ArrowDown"), options)
        return options

    def chosen(self, field: str) -> Locator:
        return self.field(field).locator(".p-select-button__control")

    def open_resume_form(self) -> None:
        self.do_until(self.page.get_by_role("button", name="Resume").click, self.page.get_by_text("Resume Flow Run"))

    def send_resume_form(self) -> None:
        self.page.get_by_role("button", name="Submit").click()

    def state(self) -> Locator:
        return self.page.locator(".state-badge").first

    def log_lines(self) -> Locator:
        return self.page.locator(".log-row")

    def open_artifacts(self, run: str) -> None:
        tab = self.page.get_by_role("listitem").filter(has_text=re.compile("^Artifacts$"))
        self.open(f"/runs/flow-run/{run}", tab)
        self.do_until(tab.click, self.artifacts("omnivideo"))

    def artifacts(self, key: str) -> Locator:
        return self.page.locator("a[href*='/artifacts/artifact/']").filter(has_text=key)

    def open_artifact(self, run: str, key: str) -> None:
        self.open_artifacts(run)
        self.do_until(self.artifacts(key).click, self.page.get_by_role("button", name="Show raw data"))

    def artifact(self) -> Locator:
        return self.page.locator(".artifact-data-view")

    def name_block(self, name: str) -> None:
        label = self.page.get_by_text("Block Name", exact=True)
        self.page.locator(".p-label").filter(has=label).last.locator("input").fill(name)

    def block_fields(self) -> list[tuple[str, str]]:
        fields = self.page.locator(".schema-form-fields").first.locator("> .schema-form-property")
        return [_name_and_default(field) for field in fields.all()]


def _name_and_default(field: Locator) -> tuple[str, str]:
    name = without_optional(field.locator("label, h3").first.inner_text())
    control = field.locator("input, textarea")
    if control.count():
        return name, control.first.input_value() or str(control.first.get_attribute("placeholder") or "")
    return name, field.locator(".p-select-button__value").inner_text()
