"""The gallery in a browser: of a real run, and of batches written for the purpose; opened from disk unless said."""

import io
import itertools
import json
import re
import threading
from collections.abc import Generator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Locator, Page, expect

from prefect_omnivideo.core.media.stitch import Part, stitch
from prefect_omnivideo.core.records.model import VideoRecord
from prefect_omnivideo.core.records.sequence import Sequence as Joined
from prefect_omnivideo.core.records.sequence import SequenceShot, Whole
from prefect_omnivideo.core.reports.marks import read_marks
from prefect_omnivideo.sandbox.media import render
from tests.browser.album import album, made, put
from tests.browser.conftest import BATCH, HOSTILE, PROMPTS, Stage
from tests.browser.pictures import picture
from tests.core.records.samples import MOMENT, record

PLAYS = "video => video.currentTime > 0.2 && !video.error"
MISSING = (
    record("A cat chases a ball of yarn", "autumn").failed("moderated", "content_policy_violation"),
    record("A potter's hands shape wet clay", "autumn").unknown("the connection was lost"),
)


@pytest.fixture
def context(browser: Browser) -> Generator[BrowserContext]:
    """A browser of a person who is not connected to anything."""
    with browser.new_context(viewport={"width": 1300, "height": 900}, offline=True) as context:
        context.grant_permissions(["clipboard-read", "clipboard-write"])
        yield context


@pytest.fixture
def tab(context: BrowserContext) -> Generator[Page]:
    """A tab in which no error may be reported, not even by the page's policy."""
    tab = context.new_page()
    complaints: list[str] = []
    tab.on("console", lambda message: complaints.append(message.text))
    tab.on("pageerror", lambda error: complaints.append(str(error)))
    yield tab
    assert complaints == []


@pytest.fixture(scope="module")
def page_of_forty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return put(tmp_path_factory.mktemp("forty"), [*album(40), *MISSING])


@pytest.fixture
def gallery(tab: Page, page_of_forty: Path) -> Page:
    tab.goto(page_of_forty.as_uri())
    return tab


def card(gallery: Page, prompt: str, take: int = 1) -> Locator:
    return gallery.get_by_role("article", name=f"{prompt}, take {take}", exact=True)


def shown(gallery: Page) -> list[str]:
    """Prompts in sight, in their order."""
    return gallery.locator("#videos h2:visible").all_inner_texts()


def is_text(gallery: Page, prompt: str) -> None:
    """The prompt is there as it was written; nothing in it ran, was rendered, or leads elsewhere."""
    expect(gallery.get_by_role("heading", name=prompt, exact=True)).to_be_visible()
    expect(gallery.locator("a[href*=':'], a:not([href]):visible, img[src='x'], h2 > *")).to_have_count(0)
    assert gallery.evaluate("window.owned") is None


def marks_of(gallery: Page) -> list[tuple[str, str, int]]:
    with gallery.expect_download() as download:
        gallery.get_by_role("button", name="Export marks").click()
    assert download.value.suggested_filename == "marks-autumn.json"
    marks = read_marks(download.value.path().read_bytes())
    assert marks.batch == "autumn"
    assert (marks.store or "").startswith("file:///")
    return [(video.prompt, video.mark, video.take) for video in marks.marks]


def test_the_gallery_of_a_run(stage: Stage, batch: str, tab: Page) -> None:
    """Its videos play, and what is missing is said first."""
    tab.goto((stage.store / BATCH / "index.html").as_uri())
    expect(tab.get_by_role("status").first).to_have_text(f"{len(PROMPTS)} of {len(PROMPTS)} videos")
    expect(tab.locator("summary")).to_have_text("1 failed, 1 of unknown outcome: why, and what to do")
    expect(tab.get_by_text("content_policy_violation")).to_be_hidden()
    picture(tab, "gallery")
    tab.locator("summary").click()
    expect(tab.get_by_text("content_policy_violation")).to_be_visible()
    expect(tab.get_by_text("it may have been paid")).to_be_visible()
    tab.get_by_role("link", name=f"Play {PROMPTS[0]}").click()
    tab.wait_for_function(PLAYS, arg=tab.locator("article video").element_handle())


def test_hostile_prompts_are_text_in_the_gallery_of_a_run(stage: Stage, tab: Page) -> None:
    stage.server.ended(stage.hostile)
    tab.goto((stage.store / "hostile" / "index.html").as_uri())
    tab.locator("summary").click()
    for prompt in HOSTILE:
        is_text(tab, prompt)


def test_no_video_is_loaded_before_it_is_played(tab: Page, tmp_path: Path) -> None:
    """Of 300: the page and the posters near the top; without posters the page alone."""
    requests: list[str] = []
    tab.on("request", lambda request: requests.append(request.url))
    tab.goto(put(tmp_path, album(300)).as_uri(), wait_until="networkidle")
    assert not [url for url in requests if not url.endswith((".html", ".jpg"))]
    assert len(requests) < 80
    requests.clear()
    bare = put(tmp_path / "bare", [made(f"scene {n}", has_poster=False) for n in range(300)])
    tab.goto(bare.as_uri(), wait_until="networkidle")
    assert requests == [bare.as_uri()]


def test_takes_are_side_by_side_and_tall_videos_are_tall(gallery: Page) -> None:
    scene = "Rain on neon streets, slow tracking shot, scene 1"
    boxes = [card(gallery, scene, take).bounding_box() or {} for take in (1, 2, 3)]
    assert len({box["y"] for box in boxes}) == 1
    assert boxes[0]["x"] < boxes[1]["x"] < boxes[2]["x"]
    frame = card(gallery, "A lighthouse in a storm, scene 1.5").locator(".frame").bounding_box() or {}
    assert frame["height"] / frame["width"] == pytest.approx(16 / 9, rel=0.02)


def test_search_facets_and_order(gallery: Page) -> None:
    """The count is told, and the address keeps it all."""
    status = gallery.get_by_role("status").first
    expect(status).to_have_text("42 of 42 videos")
    gallery.get_by_role("searchbox").fill("LIGHTHOUSE scene 2")
    assert shown(gallery) == ["A lighthouse in a storm, scene 2.4", "A lighthouse in a storm, scene 2.7"]
    gallery.get_by_role("searchbox").fill("")
    gallery.get_by_role("combobox", name="Shape").select_option("9:16")
    expect(status).to_have_text("4 of 42 videos")
    gallery.get_by_role("combobox", name="Sort").select_option("started")
    newest = shown(gallery)
    assert [name.rpartition(" ")[2] for name in newest] == ["4.5", "3.5", "2.5", "1.5"]
    gallery.reload()
    assert shown(gallery) == newest
    expect(status).to_have_text("4 of 42 videos")
    gallery.get_by_role("searchbox").fill("no such prompt")
    expect(gallery.get_by_text("No video fits.")).to_be_visible()
    gallery.get_by_role("button", name="Show all").click()
    expect(status).to_have_text("42 of 42 videos")
    expect(gallery.get_by_text("No video fits.")).to_be_hidden()
    assert gallery.url.endswith("#sort=started"), "the order stays"
    gallery.get_by_role("combobox", name="Sort").select_option("")
    assert shown(gallery)[:2] == [
        "A paper boat crosses a puddle, scene 1.0",
        "Rain on neon streets, slow tracking shot, scene 1",
    ]
    gallery.goto(gallery.url.partition("#")[0] + "#state=nonsense&what=ever&size=30")
    expect(status).to_have_text("42 of 42 videos")


def test_a_video_is_found_by_its_key(gallery: Page) -> None:
    key = card(gallery, "A lighthouse in a storm, scene 1.5").get_attribute("data-key") or ""
    gallery.get_by_role("searchbox").fill(key)
    expect(gallery.get_by_role("article")).to_have_count(1)


def test_what_is_missing_opens_when_it_is_all_that_is_asked_for(gallery: Page) -> None:
    failed = card(gallery, "A cat chases a ball of yarn")
    expect(failed).to_be_hidden()
    gallery.get_by_role("combobox", name="State").select_option("failed")
    expect(failed).to_be_visible()
    expect(failed).to_contain_text("Do not send it again as it is")
    gallery.get_by_role("combobox", name="State").select_option("stored")
    expect(gallery.locator("summary")).to_be_hidden()


def test_one_video_plays_at_a_time(gallery: Page) -> None:
    players = gallery.locator("article video")
    first, second = gallery.locator("a.frame").nth(0), gallery.locator("a.frame").nth(1)
    first.click()
    gallery.wait_for_function(PLAYS, arg=players.element_handle())
    expect(first).to_be_hidden()
    second.click()
    expect(players).to_have_count(1)
    expect(first).to_be_visible()
    gallery.get_by_role("searchbox").fill("lighthouse")
    expect(players).to_have_count(0)


def test_the_takes_of_a_prompt_play_together(tab: Page, tmp_path: Path) -> None:
    takes = [made("Rain on neon streets", take=take, seconds=20) for take in (1, 2, 3)]
    tab.goto(put(tmp_path, [*takes, made("A paper boat")]).as_uri())
    button = tab.get_by_role("button", name="Play these takes together")
    expect(button).to_have_count(1)
    button.click()
    players = tab.locator("article video")
    expect(players).to_have_count(3)
    for player in players.all():
        tab.wait_for_function(PLAYS, arg=player.element_handle())
    assert players.evaluate_all("players => players.every(player => player.muted)")
    apart = "players => Math.max(...players.map(p => p.currentTime)) - Math.min(...players.map(p => p.currentTime))"
    assert players.evaluate_all(apart) < 0.3
    players.nth(1).evaluate("player => player.pause()")
    tab.wait_for_function("() => [...document.querySelectorAll('article video')].every(player => player.paused)")
    players.nth(1).evaluate("player => { player.currentTime = 12 }")
    tab.wait_for_function("() => [...document.querySelectorAll('article video')].every(p => p.currentTime > 11)")
    players.first.evaluate("player => player.play()")
    tab.wait_for_function("() => [...document.querySelectorAll('article video')].every(p => p.currentTime > 12.2)")
    tab.get_by_role("link", name="Play A paper boat, take 1").click()
    expect(players).to_have_count(1)


def test_the_large_view_by_keyboard(gallery: Page) -> None:
    """Arrows, space, marks and Escape; the focus goes on where it was left."""
    large = gallery.get_by_role("dialog", name="Large view")
    video = gallery.locator("dialog video")
    card(gallery, "A paper boat crosses a puddle, scene 1.0").get_by_role("button", name="Enlarge").press("Enter")
    gallery.wait_for_function(PLAYS, arg=video.element_handle())
    expect(large.get_by_role("button", name="Previous")).to_be_disabled()
    for place in ("2 of 40 · take 1", "3 of 40 · take 2"):
        gallery.keyboard.press("ArrowRight")
        expect(large).to_contain_text(place)
    picture(gallery, "gallery-large")
    gallery.wait_for_function(PLAYS, arg=video.element_handle())
    video.evaluate("video => { video.loop = true }")
    playing = not video.evaluate("video => video.paused")
    gallery.keyboard.press("Space")
    gallery.wait_for_function("([video, paused]) => video.paused === paused", arg=[video.element_handle(), playing])
    gallery.keyboard.press("Space")
    gallery.wait_for_function("([video, paused]) => video.paused !== paused", arg=[video.element_handle(), playing])
    gallery.keyboard.press("r")
    expect(large.get_by_role("button", name="Reject", pressed=True)).to_be_visible()
    gallery.keyboard.press("ArrowLeft")
    expect(large.get_by_role("button", pressed=True)).to_have_count(0)
    gallery.keyboard.press("Escape")
    expect(large).to_be_hidden()
    assert video.get_attribute("src") is None
    scene = "Rain on neon streets, slow tracking shot, scene 1"
    expect(gallery.get_by_role("link", name=f"Play {scene}, take 1")).to_be_focused()
    assert marks_of(gallery) == [(scene, "reject", 2)]


def test_a_click_on_the_player_does_not_take_the_keys_away(gallery: Page) -> None:
    large = gallery.get_by_role("dialog", name="Large view")
    gallery.get_by_role("button", name="Enlarge").first.click()
    video = large.locator("video")
    video.click(position={"x": 300, "y": 200})
    video.evaluate("video => { video.loop = true; return video.play() }")
    gallery.keyboard.press("Space")
    gallery.wait_for_function("video => video.paused", arg=video.element_handle())
    gallery.keyboard.press("ArrowRight")
    expect(large).to_contain_text("2 of 40")
    large.get_by_role("button", name="Keep").click()
    gallery.keyboard.press("ArrowRight")
    expect(large).to_contain_text("3 of 40")
    large.get_by_role("button", name="Close").click()
    expect(large).to_be_hidden()


def test_the_page_by_keyboard(gallery: Page) -> None:
    """A card is reached, played and marked without a mouse, and the focus can be seen."""
    gallery.get_by_role("searchbox").focus()
    for _ in range(20):
        gallery.keyboard.press("Tab")
        if gallery.evaluate("document.activeElement.matches('a.frame')"):
            break
    frame = gallery.locator("a.frame").first
    expect(frame).to_be_focused()
    assert frame.evaluate("frame => getComputedStyle(frame).outlineStyle") == "solid"
    gallery.keyboard.press("Enter")
    expect(gallery.locator("article video")).to_be_focused()
    gallery.keyboard.press("k")
    first = card(gallery, "A paper boat crosses a puddle, scene 1.0")
    expect(first.get_by_role("button", name="Keep", pressed=True)).to_be_visible()
    expect(gallery.get_by_role("status").last).to_have_text("keep: A paper boat crosses a puddle, scene 1.0, take 1")
    gallery.get_by_role("searchbox").focus()
    gallery.keyboard.type("kra")
    assert marks_of(gallery) == [("A paper boat crosses a puddle, scene 1.0", "keep", 1)]


def test_marks_stay_and_are_exported(gallery: Page, context: BrowserContext) -> None:
    scene = "Rain on neon streets, slow tracking shot, scene 2"
    for take, name in ((1, "Reject"), (2, "Keep"), (3, "Again"), (3, "Again"), (3, "Keep"), (3, "Again")):
        card(gallery, scene, take).get_by_role("button", name=name).click()
    wanted = [(scene, "reject", 1), (scene, "keep", 2), (scene, "again", 3)]
    assert marks_of(gallery) == wanted
    other = context.new_page()
    other.goto(gallery.url)
    assert marks_of(other) == wanted
    card(other, scene, 2).get_by_role("button", name="Keep").click()
    expect(card(gallery, scene, 2).get_by_role("button", pressed=True)).to_have_count(0)
    gallery.get_by_role("combobox", name="Mark").select_option("again")
    expect(gallery.get_by_role("status").first).to_have_text("1 of 42 videos")


@pytest.mark.parametrize("kept", ["throw", "[1, 2]", "null", '{"x": {}}', "{"])
def test_marks_without_a_storage_that_works(context: BrowserContext, tab: Page, page_of_forty: Path, kept: str) -> None:
    """They can be exported all the same; whatever another page of the bucket left there does no harm."""
    get = "throw new Error('refused')" if kept == "throw" else f"return {json.dumps(kept)}"
    context.add_init_script(
        f"Storage.prototype.getItem = () => {{ {get} }}; Storage.prototype.setItem = () => {{ throw new Error() }};"
    )
    tab.goto(page_of_forty.as_uri())
    tab.get_by_role("button", name="Keep").first.click()
    expect(tab.get_by_role("status").last).to_contain_text("export them before you close the page")
    if kept in ("throw", "null", "{"):
        assert marks_of(tab) == [("A paper boat crosses a puddle, scene 1.0", "keep", 1)]


@pytest.mark.parametrize("has_clipboard", [True, False])
def test_prompts_are_copied_as_they_were_written(
    context: BrowserContext, tab: Page, tmp_path: Path, has_clipboard: bool
) -> None:
    """Also where a page over plain http has no clipboard."""
    if not has_clipboard:
        context.add_init_script("delete Navigator.prototype.clipboard")
    prompt = "shot 1:\t<b>fog</b>\n\nshot 2:  \u200fגשם\u200e 👩‍🚀"
    tab.goto(put(tmp_path, [made(prompt)]).as_uri())
    tab.get_by_role("button", name="Copy prompt").click()
    expect(tab.get_by_role("status").last).to_have_text("Prompt copied.")
    tab.locator("[name=q]").fill("")
    tab.locator("[name=q]").press("Control+V")
    assert tab.locator("[name=q]").input_value().split() == prompt.split()


def test_hostile_prompts_and_names(tab: Page, tmp_path: Path) -> None:
    """They stay text, break nothing, and whatever a file is called, it plays."""
    prompts = [*HOSTILE, "</script><script>window.owned = 1</script>", "x" * 50_000, "\u202e\u200fאבג " * 40]
    names = itertools.cycle(["with blanks", "100% #1 & more?", "ä'\"<b>", "%2e%2e", "a:b"])
    records = [made(prompt, name=next(names)) for prompt in prompts]
    tab.goto(put(tmp_path, [*records, record("<img src=x>", "autumn").failed("refused", "<b>\u202e")]).as_uri())
    expect(tab.get_by_role("article")).to_have_count(len(prompts))
    for prompt in prompts[:-2]:
        is_text(tab, prompt)
    assert tab.evaluate("document.documentElement.scrollWidth <= innerWidth")
    for frame in tab.locator("a.frame").all():
        frame.click()
        tab.wait_for_function(PLAYS, arg=tab.locator("article video").element_handle())
    tab.get_by_role("button", name="Enlarge").nth(-2).click()
    expect(tab.get_by_role("dialog").get_by_role("button", name="Close")).to_be_in_viewport()


def test_the_policy_stops_what_would_get_through(context: BrowserContext, page_of_forty: Path) -> None:
    """If something were not escaped after all: no script, handler, style or request of its own."""
    tab = context.new_page()
    attack = (
        "<main><script>window.owned = 1</script><img src=x onerror='window.owned = 2'>"
        "<style>body { display: none }</style><p style='position: fixed'>"
    )
    page = page_of_forty.with_name("attacked.html")
    page.write_text(page_of_forty.read_text().replace("<main>", attack))
    tab.goto(page.as_uri(), wait_until="networkidle")
    assert tab.evaluate("window.owned") is None
    expect(tab.get_by_role("article").first).to_be_visible()
    assert tab.locator("main > p").first.evaluate("p => getComputedStyle(p).position") == "static"
    assert tab.evaluate("fetch('index.html').then(() => 'answered', () => 'refused')") == "refused"
    assert tab.evaluate("try_ => { try { document.body.innerHTML = '<b>' } catch { return 'refused' } }") == "refused"


def test_without_script_every_video_is_a_link(browser: Browser, page_of_forty: Path) -> None:
    with browser.new_context(viewport={"width": 1300, "height": 900}, java_script_enabled=False) as context:
        tab = context.new_page()
        tab.goto(page_of_forty.as_uri())
        expect(tab.get_by_role("article")).to_have_count(40)
        expect(tab.get_by_text("Each picture is a link to its video.")).to_be_visible()
        expect(tab.get_by_role("button")).to_have_count(0)
        expect(tab.get_by_role("search")).to_have_count(0)
        tab.locator("summary").click()
        expect(card(tab, MISSING[0].request.prompt)).to_be_visible()
        tab.locator("a.frame").first.click()
        expect(tab).to_have_url(re.compile(r"\.mp4$"))


def test_a_video_that_is_not_there_is_said(context: BrowserContext, tmp_path: Path) -> None:
    records: list[VideoRecord] = [made("gone"), made("here")]
    page = put(tmp_path, records)
    (tmp_path / records[0].files[0].name).unlink()
    tab = context.new_page()
    tab.goto(page.as_uri())
    tab.locator("a.frame").first.click()
    expect(tab.get_by_role("status").last).to_contain_text("This video cannot be played: file:///")


def test_from_a_web_server(browser: Browser, page_of_forty: Path) -> None:
    """Such as a bucket that serves pages: it plays, and download downloads."""
    folder = page_of_forty.parent.parent
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(SimpleHTTPRequestHandler, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with browser.new_context() as context:
        tab = context.new_page()
        tab.goto(f"http://127.0.0.1:{server.server_port}/autumn/index.html")
        tab.locator("a.frame").first.click()
        tab.wait_for_function(PLAYS, arg=tab.locator("article video").element_handle())
        with tab.expect_download() as download:
            tab.get_by_role("link", name="Download").first.click()
        assert download.value.path().read_bytes()[4:8] == b"ftyp"
        with context.expect_page() as opened:
            tab.get_by_role("link", name="Record").first.click()
        opened.value.wait_for_load_state()
        assert json.loads(opened.value.inner_text("body"))["state"] == "stored"
    server.shutdown()
    server.server_close()


def test_the_gallery_is_at_home_in_the_dark_and_on_a_phone(gallery: Page) -> None:
    def background() -> object:
        return gallery.evaluate("getComputedStyle(document.body).backgroundColor")

    light = background()
    gallery.emulate_media(color_scheme="dark")
    assert background() != light
    gallery.set_viewport_size({"width": 390, "height": 844})
    assert gallery.evaluate("document.documentElement.scrollWidth <= innerWidth")
    bar = gallery.get_by_role("search").bounding_box() or {}
    assert bar["height"] < 100
    picture(gallery, "gallery-phone", height=844)
    gallery.get_by_role("button", name="Enlarge").first.click()
    expect(gallery.get_by_role("dialog").get_by_role("button", name="Close")).to_be_in_viewport()


def test_a_sequence_plays_to_its_end_and_links_its_shots(tab: Page, tmp_path: Path) -> None:
    """What the browser makes of a joined file: another decoder than ours."""
    records = [made(f"Shot {number}", minute=number) for number in range(3)]
    clips = [render(320, 180, seconds, 3 * number, sound=True) for number, seconds in enumerate((1.0, 2.0, 1.5))]
    whole = tmp_path / "autumn/sequences/opening.mp4"
    whole.parent.mkdir(parents=True)
    lengths = stitch([Part("shot", partial(io.BytesIO, clip)) for clip in clips], whole)
    starts = [sum(lengths[:number]) for number in range(3)]
    shots = tuple(
        SequenceShot(shot=f"{n}", key=record.key, file=record.files[0].name, starts_at=starts[n], seconds=lengths[n])
        for n, record in enumerate(records)
    )
    shots = (*shots[:2], shots[2].model_copy(update={"is_stale": True}))
    joined = Whole(name="autumn/sequences/opening.mp4", uri="x", size=whole.stat().st_size, seconds=sum(lengths))
    apart = Joined(
        storyboard="<i>closing</i>", batch="autumn", shots=shots[:1], problem="shot 2 has size 1x1", written_at=MOMENT
    )
    opening = Joined(storyboard="opening", batch="autumn", shots=shots, whole=joined, written_at=MOMENT)
    tab.goto(put(tmp_path, records, sequences=[opening, apart]).as_uri())

    reel = tab.get_by_role("region", name="Sequence opening")
    video = reel.locator("video")
    seen = video.evaluate(
        """video => new Promise((done, fail) => {
            Object.assign(video, { muted: true, playbackRate: 4 });
            video.onended = () => done([video.duration, video.currentTime]);
            video.onerror = () => fail(video.error.message);
            video.play().catch(fail);
        })"""
    )
    assert seen == pytest.approx([4.5, 4.5], abs=0.05)
    assert video.evaluate("video => video.getVideoPlaybackQuality().corruptedVideoFrames") == 0
    moments = [link.get_attribute("href") for link in reel.get_by_role("link", name="in the whole").all()]
    assert moments == ["sequences/opening.mp4#t=0", "sequences/opening.mp4#t=1", "sequences/opening.mp4#t=3"]
    expect(reel.get_by_role("listitem")).to_have_count(3)
    expect(reel.get_by_role("listitem").nth(2)).to_contain_text("3.0 s · 1.5 s long · stale")
    expect(card(tab, "Shot 2")).to_contain_text("stale: what it continues was made anew since")
    expect(card(tab, "Shot 2")).to_contain_text("shot 2 of opening")
    other = tab.get_by_role("region", name="Sequence <i>closing</i>")
    expect(other).to_contain_text("Not joined: shot 2 has size 1x1")
    expect(tab.locator("#found")).to_have_text("3 of 3 videos")
