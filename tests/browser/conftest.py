"""What a person at the Prefect UI has before them: a server, saved blocks, `serve.py` running, and a browser."""

import re
import sys
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, expect
from prefect.blocks.core import Block
from prefect.client.schemas.objects import FlowRun
from prefect.settings import PREFECT_API_URL, temporary_settings

from prefect_omnivideo import LocalVideoStore
from prefect_omnivideo.sandbox import Sandbox, Settings, running
from tests.accounts import credentials
from tests.browser.chromium import CHROMIUM, chromium
from tests.browser.pictures import picture
from tests.browser.ui import PrefectUI
from tests.browser.v1 import V1
from tests.browser.v2 import V2
from tests.deployments.stage import START, Server, prefect_server, process, until

MILLISECONDS = 90_000  # nothing waits that long on an idle machine
expect.set_options(timeout=MILLISECONDS)
VIDEOS, SHEET = "Generate videos/laptop", "Generate videos from a sheet/laptop"
RESOLVE, CHOOSE = "Resolve videos/laptop", "Choose takes/laptop"

BATCH = "autumn"
PROMPTS = [
    "A paper boat crosses a puddle",
    "Rain on neon streets, slow tracking shot",
    "A lighthouse in a storm, waves against the rocks",
    "Fog rolls over a pine forest at dawn",
    "A potter's hands shape wet clay [fault:drop-after]",
    "A cat chases a ball of yarn [fault:moderated]",
]
HOSTILE = [
    "<script>window.owned = 1</script> a red apple",
    '"><img src=x onerror="window.owned = 1"> [apple](javascript:window.owned=1) [fault:moderated]',
    "an advert for www.evil.example on a wall [fault:moderated]",
    "http://evil.example and mailto:me@evil.example and AT&amp;T &copy; [fault:moderated]",
    "# *Tom* & _Jerry_ ~~cat~~ | `mouse` \\* <b>cheese</b> [fault:moderated]",
    "[fault:moderated] wide shot, 50% fog; a_b & 5 > 4",
]
"""Every way in which a prompt could become more than text; the last one is text as it is."""
LIVE = (
    "a[href*=evil], a[href^='javascript:'], a[href^='mailto:'], img[src='x'], "
    ":is(td, li) :is(b, em, del, s, h1, blockquote), td strong"
)


@dataclass(frozen=True)
class Laptop:
    """A server and `serve.py`, as on a laptop without a work pool, and the ids of its deployments."""

    server: Server
    sandbox: Sandbox
    videos: str
    sheet: str
    resolve: str
    hostile: FlowRun
    """A run over a sheet of hostile prompts, started when everything else was."""

    @property
    def store(self) -> Path:
        return self.server.home / "videos"


@dataclass(frozen=True)
class Stage(Laptop):
    """The laptop with a browser."""

    browser: Browser

    def tab(self) -> Page:
        """A new tab of the browser."""
        page = self.browser.new_page(viewport={"width": 1300, "height": 900})
        page.set_default_timeout(MILLISECONDS)
        return page

    def ui(self, kind: type[PrefectUI]) -> PrefectUI:
        """One of the server's two UIs, in a new tab."""
        return kind(self.tab(), self.server.api.removesuffix("/api"))


_until_the_last_test = ExitStack()


@pytest.fixture(scope="session")
def browser() -> Browser:
    """One for all tests of this folder."""
    if CHROMIUM is None:
        pytest.skip("chromium is not installed")
    return _until_the_last_test.enter_context(chromium())


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> None:
    """Close the browser with the last test of this folder: beside playwright's event loop no test could run its own."""
    if nextitem is None or nextitem.path.parent != item.path.parent:
        _until_the_last_test.close()


@pytest.fixture(scope="session")
def laptop(tmp_path_factory: pytest.TempPathFactory) -> Generator[Laptop]:
    """One for all tests."""
    home = tmp_path_factory.mktemp("prefect")
    sheet = "\n".join(["prompt", *('"' + prompt.replace('"', '""') + '"' for prompt in HOSTILE)])
    (home / "prompts.csv").write_text(sheet)
    with prefect_server(home) as server, running(Settings(latency=0.5)) as sandbox:
        server.wait()
        save_block(server, "prod", credentials(sandbox, "apimart"))
        save_block(server, "videos", LocalVideoStore(folder=home / "videos"))
        with process([sys.executable, "deployments/serve.py"], server.environment, home / "serve.log") as serving:
            until(lambda: server.knows(CHOOSE) or serving.poll() is not None, START)
            with server.client() as client:
                names = (VIDEOS, SHEET, RESOLVE)
                videos, sheet_id, resolve = (str(client.read_deployment_by_name(name).id) for name in names)
                client.pause_deployment(sheet_id)  # its schedule must not join in at the full hour
            hostile = server.start(SHEET, {"batch": "hostile"})
            yield Laptop(server, sandbox, videos, sheet_id, resolve, hostile)


@pytest.fixture(scope="session")
def stage(browser: Browser, laptop: Laptop) -> Stage:
    """The same with a browser."""
    return Stage(**vars(laptop), browser=browser)


def save_block(server: Server, name: str, block: Block) -> None:
    """Save a block, in a thread of its own: the event loop of playwright would be in the way."""

    def save() -> None:
        with temporary_settings({PREFECT_API_URL: server.api}):
            block.save(name)

    with ThreadPoolExecutor(1) as elsewhere:
        elsewhere.submit(save).result()


@pytest.fixture
def page(stage: Stage) -> Generator[Page]:
    """A tab of its own for each test."""
    page = stage.tab()
    yield page
    page.close()


@pytest.fixture(params=[V2, V1], ids=lambda kind: kind.version)
def ui(stage: Stage, page: Page, request: pytest.FixtureRequest) -> PrefectUI:
    """Each of the server's two UIs, the default one first."""
    kind: type[PrefectUI] = request.param
    return kind(page, stage.server.api.removesuffix("/api"))


@pytest.fixture(scope="session")
def batch(stage: Stage) -> str:
    """A run of a batch, started from the form and waited for in the UI; its id."""
    ui = stage.ui(V2)
    ui.open_run_form(stage.videos)
    ui.add_prompts(PROMPTS)
    ui.pick_block("credentials", "APIMartCredentials", "prod")
    ui.pick_block("store", "LocalVideoStore", "videos")
    ui.fill("batch", BATCH)
    picture(ui.page, "run-form", height=1250)
    run = ui.submit()
    ui.open_run(run, "Failed")
    expect(ui.page.get_by_text(f"{len(PROMPTS)} prompts for {BATCH}").first).to_be_visible()
    expect(ui.log("4 stored")).not_to_have_count(0)
    ui.open_run(run, "Failed")  # afresh, as the server counts task runs a little later
    expect(ui.page.get_by_text(re.compile("^[0-9]+ Task runs$")).first).to_be_visible()
    picture(ui.page, "run-page")
    ui.page.close()
    return run


def is_harmless(shown: Locator) -> None:
    """The prompt is there as it was written, and nothing in it ran, was rendered, or could be clicked."""
    expect(shown).to_be_visible()
    expect(shown.page.locator(LIVE)).to_have_count(0)
    assert shown.page.evaluate("window.owned") is None
