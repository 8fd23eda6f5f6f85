"""The UI that a server opens by default."""

import re
from collections.abc import Mapping

from playwright.sync_api import Locator

from tests.browser.ui import PrefectUI, without_optional

# A field is a label with a description, a menu, and a fieldset with the controls.
FIELD = "xpath=ancestor::div[./fieldset][1]"
TALL = 6000


class V2(PrefectUI):
    version = "V2"
    path = "/v2"
    save = "Save"

    def field(self, name: str) -> Locator:
        label = self.page.locator("label").get_by_text(re.compile(rf"^{re.escape(name)}( \(Optional\))?$"))
        return label.first.locator(FIELD)

    def fields(self) -> list[str]:
        labels = self.page.locator("xpath=//form//fieldset[not(ancestor::fieldset)]/parent::div").locator("label")
        outer = [label for label in labels.all() if not label.locator("xpath=ancestor::fieldset").count()]
        return [without_optional(label.inner_text()) for label in outer]

    def description(self, field: str) -> Locator:
        return self.field(field).locator("p").first

    def tab(self, field: str, name: str) -> Locator:
        return self.field(field).get_by_role("tab", name=name, exact=True)

    def add_request(self, values: Mapping[str, str]) -> None:
        self.tab("prompts", "requests").click()
        item = self.field("prompts").locator("fieldset fieldset")
        self.do_until(self.field("prompts").get_by_text("Add item").click, item)
        for name, value in values.items():
            field = name.replace("_", " ").title()
            if (text := self.tab(field, "str")).count():
                text.click()
            self.fill(field, value)

    def refusal(self, field: str) -> Locator:
        # The browser itself refuses numbers below the least.
        return self.field(field).get_by_text("is not valid").or_(self.field(field).locator("input:invalid"))

    def switch(self, field: str) -> Locator:
        return self.field(field).get_by_role("switch")

    def choices(self, field: str) -> Locator:
        options = self.page.get_by_role("option")
        self.do_until(self.chosen(field).click, options)
        return options

    def chosen(self, field: str) -> Locator:
        return self.field(field).locator("button[aria-label^='Select']")

    def open_resume_form(self) -> None:
        resume = self.page.get_by_role("menuitem", name="Resume")
        self.do_until(self.page.get_by_role("button", name="Open menu").click, resume)
        self.do_until(resume.click, self.page.get_by_role("heading", name="Resume Flow Run"))

    def send_resume_form(self) -> None:
        self.page.get_by_role("dialog").get_by_role("button", name="Resume").click()

    def state(self) -> Locator:
        return self.page.locator("main").last.locator("[class*='bg-state']").first

    def log_lines(self) -> Locator:
        self.page.set_viewport_size({"width": 1300, "height": TALL})  # it draws only the lines in view
        return self.page.get_by_role("log").get_by_role("listitem")

    def open_artifacts(self, run: str) -> None:
        tab = self.page.get_by_role("tab", name="Artifacts")
        self.open(f"/runs/flow-run/{run}", tab)
        self.do_until(tab.click, self.artifacts("omnivideo"))

    def artifacts(self, key: str) -> Locator:
        return self.page.locator("a[href*='/artifacts/']").filter(has_text=key)

    def open_artifact(self, run: str, key: str) -> None:
        self.open_artifacts(run)
        mine = self.page.locator(f"main a[href$='/runs/flow-run/{run}']")
        mine = mine.locator("xpath=ancestor::div[.//a[contains(@href, '/artifacts/artifact/')]][1]").locator("a")
        self.do_until(self.artifacts(key).click, mine)  # leads to the artifacts of all runs with this key
        self.do_until(mine.first.click, self.page.get_by_role("button", name="Show Raw Data"))

    def artifact(self) -> Locator:
        return self.page.get_by_role("tabpanel", name="Artifact")

    def name_block(self, name: str) -> None:
        self.page.get_by_role("textbox", name="Name", exact=True).fill(name)

    def block_fields(self) -> list[tuple[str, str]]:
        return [(name, self._default(name)) for name in self.fields()]

    def _default(self, name: str) -> str:
        controls = self.field(name).locator("fieldset").first.locator("input, textarea, button[aria-label^='Select']")
        if not controls.count():
            return ""
        first = controls.first
        return first.inner_text() if first.evaluate("e => e.tagName") == "BUTTON" else first.input_value()
