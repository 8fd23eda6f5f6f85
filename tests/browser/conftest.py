"""What a person at the Prefect UI has before them: a server, saved blocks, `serve.py` running, and a browser."""

import shutil
import sys
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect, sync_playwright
from prefect.client.schemas.objects import FlowRun
from prefect.settings import PREFECT_API_URL, temporary_settings

from prefect_omnivideo import LocalVideoStore
from prefect_omnivideo.sandbox import Sandbox, Settings, running
from tests.accounts import credentials
from tests.browser.ui import PrefectUI
from tests.deployments.stage import START, Server, prefect_server, process, until

CHROMIUM = shutil.which("chromium")
expect.set_options(timeout=20_000)  # milliseconds; nothing waits that long on an idle machine
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
VIDEOS, SHEET = "Generate videos/laptop", "Generate videos from a sheet/laptop"

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
]


@dataclass(frozen=True)
class Stage:
    """Everything that runs, and the ids of the two deployments of `serve.py`."""

    server: Server
    sandbox: Sandbox
    browser: Browser
    videos: str
    sheet: str
    hostile: FlowRun
    """A run over a sheet of hostile prompts, started when the stage was."""

    @property
    def store(self) -> Path:
        return self.server.home / "videos"


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Generator[Stage]:
    """One for all tests. Blocks are saved before the browser starts, as its event loop would be in their way."""
    if CHROMIUM is None:
        pytest.skip("chromium is not installed")
    home = tmp_path_factory.mktemp("prefect")
    sheet = "\n".join(["prompt", *('"' + prompt.replace('"', '""') + '"' for prompt in HOSTILE)])
    (home / "prompts.csv").write_text(sheet)
    with prefect_server(home) as server, running(Settings(latency=0.5)) as sandbox:
        server.wait()
        with temporary_settings({PREFECT_API_URL: server.api}):
            credentials(sandbox, "apimart").save("prod")
            LocalVideoStore(folder=home / "videos").save("videos")
        with process([sys.executable, "deployments/serve.py"], server.environment, home / "serve.log") as serving:
            until(lambda: server.knows(SHEET) or serving.poll() is not None, START)
            with server.client() as client:
                videos, sheet_id = (str(client.read_deployment_by_name(name).id) for name in (VIDEOS, SHEET))
                client.pause_deployment(sheet_id)  # its schedule must not join in at the full hour
            hostile = server.start(SHEET, {"batch": "hostile"})
            with (
                sync_playwright() as playwright,
                playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS) as browser,
            ):
                yield Stage(server, sandbox, browser, videos, sheet_id, hostile)


@pytest.fixture
def ui(stage: Stage) -> Generator[PrefectUI]:
    """A tab of its own for each test."""
    page = stage.browser.new_page(viewport={"width": 1300, "height": 900})
    yield PrefectUI(page, stage.server.api.removesuffix("/api"))
    page.close()
