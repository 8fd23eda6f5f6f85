"""The Prefect UI as a person uses it: forms are filled by the names they show, pages are read."""

import logging
import re
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import ClassVar

from playwright.sync_api import Locator, Page, Response, expect
from playwright.sync_api import TimeoutError as NotSeenError

_log = logging.getLogger(__name__)

RUN_SECONDS = 240.0
"""How long a run of a few videos may take on a busy machine."""
TRY_SECONDS = 30.0
"""How long a page may take to show what a click or an address asked for, before it is asked again."""
MOST_TRIES = 6


class PrefectUI(ABC):
    """One browser tab at a UI of a Prefect server; the server has two of them.

    Args:
        page: the tab. It reaches nothing but this machine.
        server: address of the server, without a trailing slash.
    """

    version: ClassVar[str]
    path: ClassVar[str]
    """Where the server has this UI."""
    save: ClassVar[str]
    """The button that saves a new block."""

    def __init__(self, page: Page, server: str) -> None:
        self.page = page
        self.url = server + self.path
        page.route(re.compile(r"^https?://(?!127\.0\.0\.1)"), lambda route: route.abort())

    # Run forms

    def open_run_form(self, deployment: str) -> None:
        """The form that starts a run of a deployment, once it can be filled in."""
        self.open(f"/deployments/deployment/{deployment}/run", self.field("store"))
        expect(self.page.get_by_role("button", name="Submit")).to_be_enabled()

    @abstractmethod
    def field(self, name: str) -> Locator:
        """A parameter in a run form, or a field in a block form, with its label, description and error."""

    @abstractmethod
    def fields(self) -> list[str]:
        """Names of the parameters in a run form, from top to bottom."""

    @abstractmethod
    def description(self, field: str) -> Locator:
        """The text below the name of a field."""

    @abstractmethod
    def tab(self, field: str, name: str) -> Locator:
        """One of the types of a field that has several."""

    def fill(self, field: str, value: str) -> None:
        """Type a text or a number into a field."""
        self.field(field).locator("input, textarea").first.fill(value)

    def name_run(self, name: str) -> None:
        """Type a name in place of the one that the form proposes."""
        self.page.locator("form input").first.fill(name)

    def add_prompts(self, prompts: Sequence[str]) -> None:
        for number, prompt in enumerate(prompts):
            text = self.field("prompts").locator("textarea").nth(number)
            self.do_until(self.field("prompts").get_by_text("Add item").click, text)
            text.fill(prompt)

    @abstractmethod
    def add_request(self, values: Mapping[str, str]) -> None:
        """Add a full request to the prompts, as its fields or as JSON."""

    def pick_block(self, field: str, kind: str, name: str) -> None:
        """Choose a saved block: the tab of its kind, then its name in the list."""
        self.do_until(self.tab(field, kind).click, self.chosen(field))
        self.choose(field, name)

    @abstractmethod
    def chosen(self, field: str) -> Locator:
        """The control of a field with a list, which shows what is chosen."""

    def choose(self, field: str, choice: str) -> None:
        """Choose something from the list of a field."""

        def open_and_take() -> None:
            self.choices(field).get_by_text(choice, exact=True).click()

        self.do_until(open_and_take, self.chosen(field).filter(has_text=re.compile(rf"^\s*{re.escape(choice)}\s*$")))

    @abstractmethod
    def choices(self, field: str) -> Locator:
        """What a field with a list offers, once the list is open."""

    def submit(self) -> str:
        """Start the run; its id."""
        answer = self._sent("**/create_flow_run", self.page.get_by_role("button", name="Submit").click)
        assert answer.ok, answer.text()
        return str(answer.json()["id"])

    def submit_in_vain(self, field: str) -> None:
        """Try to start a run that the form refuses because of a field."""
        self.page.get_by_role("button", name="Submit").click()
        expect(self.refusal(field)).to_be_visible()
        expect(self.page).to_have_url(re.compile("/run$"))

    @abstractmethod
    def refusal(self, field: str) -> Locator:
        """What shows that the form does not accept the value of a field."""

    @abstractmethod
    def switch(self, field: str) -> Locator:
        """The control of a field that is on or off."""

    # Runs and artifacts

    def open_run(self, run: str, state: str) -> None:
        """The page of a run, once the run is in a state."""
        for _ in range(MOST_TRIES):  # a page may stop to ask the server
            self.open(f"/runs/flow-run/{run}", self.state())
            try:
                expect(self.state()).to_have_text(state, timeout=1000 * RUN_SECONDS / MOST_TRIES)
                return
            except AssertionError:
                continue
        expect(self.state()).to_have_text(state)

    @abstractmethod
    def open_resume_form(self) -> None:
        """The form that a suspended run waits for, from the page of the run."""

    def resume(self) -> None:
        """Send the form, filled in."""
        answer = self._sent("**/resume", self.send_resume_form)
        _log.warning("resumed: %d %s", answer.status, answer.text())  # shown beside a state that did not change

    @abstractmethod
    def send_resume_form(self) -> None:
        """Press the button that sends the form."""

    @abstractmethod
    def state(self) -> Locator:
        """The state of the run whose page is open."""

    def log(self, text: str) -> Locator:
        """Lines in the log of a run that has ended; the server gets the last of them after the state."""
        for _ in range(MOST_TRIES):
            try:
                expect(self.log_lines().filter(has_text=text)).not_to_have_count(0, timeout=5000)
                break
            except AssertionError:
                self.page.reload()
        return self.log_lines().filter(has_text=text)

    @abstractmethod
    def log_lines(self) -> Locator:
        """The lines of the log of the run whose page is open."""

    @abstractmethod
    def open_artifacts(self, run: str) -> None:
        """The artifacts of a run, reached from its page."""

    @abstractmethod
    def artifacts(self, key: str) -> Locator:
        """Links to the artifacts with a key, among those of a run."""

    @abstractmethod
    def open_artifact(self, run: str, key: str) -> None:
        """The page of an artifact, reached from the page of its run."""

    @abstractmethod
    def artifact(self) -> Locator:
        """The content of the artifact whose page is open: a page of text, or a table."""

    def find_row(self, text: str) -> Locator:
        """The row of a table that a search leaves. V2 loses what is typed while it still shows the search before."""
        rows = self.artifact().locator("tbody tr")
        for _ in range(MOST_TRIES):
            self.artifact().get_by_placeholder("Search").fill(text)
            try:
                expect(rows).to_have_count(1, timeout=5000)
                break
            except AssertionError:
                self.artifact().get_by_placeholder("Search").fill("")
        return rows

    # Blocks

    def open_block_form(self, slug: str) -> None:
        """The form of a new block, once its fields and their defaults are there; its button comes first."""
        self.open(f"/blocks/catalog/{slug}/create", self.page.get_by_role("button", name=self.save))
        before: list[tuple[str, str]] = []
        deadline = time.monotonic() + TRY_SECONDS
        while time.monotonic() < deadline and ((now := self.block_fields()) != before or not now):
            before = now
            self.page.wait_for_timeout(250)

    def create_block(self, name: str, values: Mapping[str, str]) -> None:
        """Fill the block form in, leaving everything else as it is, and save the block."""
        self.name_block(name)
        for field, value in values.items():
            self.fill(field, value)
        answer = self._sent("**/block_documents/", self.page.get_by_role("button", name=self.save).click)
        assert answer.ok, answer.text()
        self.page.wait_for_url("**/blocks/block/**")

    @abstractmethod
    def name_block(self, name: str) -> None:
        """Type the name of a new block into its form."""

    @abstractmethod
    def block_fields(self) -> list[tuple[str, str]]:
        """Name and default of every field of a block form, from top to bottom."""

    # A busy machine

    def do_until(self, act: Callable[[], object], sign: Locator) -> None:
        """Do something until its effect shows: a page that is drawn anew at that moment loses a click."""
        for _ in range(MOST_TRIES):
            try:
                act()
                expect(sign.first).to_be_visible(timeout=1000 * TRY_SECONDS)
                return
            except (AssertionError, NotSeenError):
                continue
        expect(sign.first).to_be_visible()

    def open(self, path: str, sign: Locator) -> None:
        """Open a page of this UI; again, if the server was too busy to answer a part of it."""
        self.do_until(lambda: self.page.goto(self.url + path), sign)

    def _sent(self, url: str, press: Callable[[], None]) -> Response:
        """What the server answered to a form, once it took it.

        A busy server answers 503 (its database is locked), and unlike Prefect's clients its UI leaves it at that.
        """
        answer = None
        for _ in range(MOST_TRIES):
            try:
                with self.page.expect_request(url, timeout=1000 * TRY_SECONDS) as request:
                    press()
            except NotSeenError:
                continue  # nothing was sent
            answer = request.value.response()
            if answer and answer.status != 503:
                break
        assert answer, f"no answer from {url}"
        return answer


def without_optional(label: str) -> str:
    """The name of a field, from its label."""
    return label.strip().removesuffix("(Optional)").strip()
