"""The page of a comparison in a browser, opened from disk."""

from pathlib import Path

from playwright.sync_api import Browser, expect

from prefect_omnivideo.core.reports.comparison import Comparison, Contender
from prefect_omnivideo.core.request import VideoRequest
from tests.browser.album import made, put
from tests.browser.pictures import picture

CONTENDERS = [Contender(name, name, name, "") for name in ("apimart", "jimmyai", "sora")]
PROMPTS = ["A paper boat crosses a puddle", "<img src=x onerror=window.owned=1> rain"]


def page_of(folder: Path) -> Path:
    records = {
        (contender.name, prompt): made(prompt, batch=f"trial/{contender.name}", seconds=20)
        for contender in CONTENDERS
        for prompt in PROMPTS[: 1 if contender.name == "sora" else 2]
    }
    for contender in CONTENDERS:
        put(folder, [each for (name, _), each in records.items() if name == contender.name], f"trial/{contender.name}")
    requests = [VideoRequest(prompt=prompt, aspect_ratio="16:9") for prompt in PROMPTS]
    keys = dict(zip(PROMPTS, (request.key for request in requests), strict=True))
    found = {(name, keys[prompt]): record for (name, prompt), record in records.items()}
    refused = {("sora", keys[PROMPTS[1]]): "aspect_ratio: 16:9 is not accepted"}
    page = folder / "trial" / "compare.html"
    page.write_text(Comparison("trial", "Autumn trial", CONTENDERS, requests, found, {}, refused).page())
    return page


def test_a_row_plays_together_and_what_cannot_be_made_is_said(browser: Browser, tmp_path: Path) -> None:
    with browser.new_context(viewport={"width": 1300, "height": 900}, offline=True) as context:
        tab = context.new_page()
        complaints: list[str] = []
        tab.on("console", lambda message: complaints.append(message.text))
        tab.on("pageerror", lambda error: complaints.append(str(error)))
        tab.goto(page_of(tmp_path).as_uri())
        expect(tab.get_by_role("columnheader")).to_contain_text(["Prompt", "apimart", "jimmyai", "sora"])
        expect(tab.get_by_role("cell").nth(5)).to_contain_text("cannot make it: aspect_ratio: 16:9 is not accepted")
        expect(tab.get_by_text(PROMPTS[1])).to_be_visible()
        tab.get_by_role("button", name="Play together").first.click()
        players = tab.locator("video")
        expect(players).to_have_count(3)
        tab.wait_for_function("() => [...document.querySelectorAll('video')].every(player => player.currentTime > 0.5)")
        picture(tab, "comparison", height=700)
        tab.get_by_role("link", name=f"Play {PROMPTS[1]}, jimmyai").click()
        expect(players).to_have_count(1)
        assert complaints == []
        assert tab.evaluate("window.owned") is None
