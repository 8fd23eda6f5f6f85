"""The gallery in a browser, opened from disk as a person opens it."""

from collections.abc import Generator

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import BATCH, HOSTILE, PROMPTS, Stage, is_harmless
from tests.browser.pictures import picture

PLAY = """video => new Promise((played, failed) => {
  video.muted = true;
  video.onerror = () => failed(new Error(video.error.message));
  video.ontimeupdate = () => video.currentTime > 0.2 && played([video.videoWidth, video.videoHeight]);
  setTimeout(() => failed(new Error("it does not play")), 20000);
  video.play().catch(failed);
})"""


@pytest.fixture
def gallery(stage: Stage, batch: str) -> Generator[Page]:
    """The gallery of the batch, opened from the folder on disk."""
    with stage.browser.new_context(viewport={"width": 1300, "height": 900}, offline=True) as context:
        page = context.new_page()
        page.goto((stage.store / BATCH / "index.html").as_uri())
        yield page


def test_a_video_plays_in_the_gallery(gallery: Page) -> None:
    expect(gallery.get_by_role("article")).to_have_count(len(PROMPTS))
    first = gallery.locator("article.stored video").first
    assert first.get_attribute("poster")
    picture(gallery, "gallery")
    assert first.evaluate(PLAY) == [1280, 720]


def test_the_gallery_filters_by_state_and_gives_reasons(gallery: Page) -> None:
    gallery.get_by_text("failed 1").click()
    expect(gallery.locator("article.stored:visible")).to_have_count(0)
    failed = gallery.locator("article:visible")
    expect(failed).to_have_count(1)
    expect(failed).to_contain_text("content_policy_violation")
    gallery.keyboard.press("ArrowRight")
    unknown = gallery.locator("article:visible")
    expect(unknown).to_have_count(1)
    expect(unknown).to_contain_text("it may have been paid")


def test_the_gallery_is_at_home_in_the_dark_and_on_a_phone(gallery: Page) -> None:
    def background() -> object:
        return gallery.evaluate("getComputedStyle(document.body).backgroundColor")

    light = background()
    gallery.emulate_media(color_scheme="dark")
    assert background() != light
    picture(gallery, "gallery-dark")
    gallery.set_viewport_size({"width": 390, "height": 844})
    assert gallery.evaluate("document.documentElement.scrollWidth <= innerWidth")
    picture(gallery, "gallery-phone", height=844)


def test_hostile_prompts_are_text_in_the_gallery(stage: Stage, page: Page) -> None:
    stage.server.ended(stage.hostile)
    page.goto((stage.store / "hostile" / "index.html").as_uri())
    for prompt in HOSTILE:
        is_harmless(page.get_by_text(prompt))
    expect(page.locator("script, img, a")).to_have_count(0)
