"""From the report in the Prefect UI to a playing video, over the web server that shows the store."""

import socket
import sys
from collections.abc import Generator

import httpx
import pytest
from playwright.sync_api import expect
from prefect.client.schemas.objects import FlowRun

from prefect_omnivideo import LocalVideoStore
from tests.browser.conftest import VIDEOS, Stage, save_block
from tests.browser.ui import PrefectUI
from tests.browser.v2 import V2
from tests.deployments.stage import START, process, until

pytestmark = pytest.mark.parametrize("ui", [V2], ids=["V2"], indirect=True)

PROMPT = "A heron lifts off a misty lake"
PLAYS = "video => video.currentTime > 0.2 && !video.error"


def answers(address: str) -> bool:
    try:
        return httpx.get(address).is_success
    except httpx.TransportError:
        return False


@pytest.fixture(scope="module")
def published(stage: Stage) -> Generator[FlowRun]:
    """A run into a store that `omnivideo serve` shows."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    web, slug = f"http://127.0.0.1:{port}", "local-video-store/public"
    save_block(stage.server, "public", LocalVideoStore(folder=stage.server.home / "public", public_url=web))
    store = {"$ref": {"block_document_slug": slug}}
    command = [sys.executable, "-m", "prefect_omnivideo.cli", "serve", "--store", slug, "--port", str(port)]
    with process(command, stage.server.environment, stage.server.home / "viewer.log"):
        until(lambda: answers(web), START)
        run = stage.server.start(VIDEOS, {"prompts": [PROMPT], "batch": "published", "store": store})
        yield stage.server.ended(run)


def test_the_link_in_the_report_leads_to_a_gallery_that_plays(ui: PrefectUI, published: FlowRun) -> None:
    assert published.state_name == "Completed"
    ui.open_artifact(str(published.id), "omnivideo-report")
    link = ui.artifact().locator("a[href$='/published/index.html']")
    expect(link).to_be_visible()
    opens_a_tab = link.get_attribute("target") == "_blank"
    if opens_a_tab:
        with ui.page.expect_popup() as opened:
            link.click()
        gallery = opened.value
    else:
        link.click()
        gallery = ui.page
    gallery.wait_for_url("**/published/index.html")
    expect(gallery.get_by_role("heading", name=PROMPT)).to_be_visible()
    gallery.locator("a.frame").click()
    gallery.wait_for_function(PLAYS, arg=gallery.locator("article video").element_handle())
    if opens_a_tab:
        gallery.close()
