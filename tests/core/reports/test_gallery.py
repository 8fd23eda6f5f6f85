"""The gallery shows everything, loads nothing but media, and runs its own script alone."""

from __future__ import annotations

import base64
import hashlib
import html
import re
from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prefect_omnivideo.core.money.amount import Amount
from prefect_omnivideo.core.records.model import VideoRecord
from prefect_omnivideo.core.reports.commands import resolve_commands
from prefect_omnivideo.core.reports.gallery import gallery
from prefect_omnivideo.core.reports.report import BatchReport
from tests.core.records.samples import attempt, record, stored

TAGS = {"html", "head", "meta", "title", "style", "body", "header", "h1", "p", "form", "input", "output"}
TAGS |= {"label", "select", "option", "button", "main", "details", "summary", "div", "h2", "article", "a", "img", "b"}
TAGS |= {"span", "dialog", "video", "script", "br", "code"}

HOSTILE = [
    "</style><script>alert(1)</script>",
    '" onload="alert(1)',
    "<img src=x onerror=alert(1)>",
    "--><!--<script>",
    "a\ud800\u202eb",
    "{{ 7 * 7 }}{% raw %}",
]


class Page(HTMLParser):
    """The tags and texts of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.html = page
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]

    def frames(self) -> list[dict[str, str | None]]:
        return [link for link in self.all("a") if link.get("class") == "frame"]

    def options(self, select: str) -> list[str]:
        found = re.search(rf'<select name="{select}"[^>]*>(.*?)</select>', self.html, re.DOTALL)
        return re.findall(r">([^<]+)</option>", found[1]) if found else []

    def inline(self, tag: str) -> str:
        (text,) = re.findall(rf"<{tag}>(.*?)</{tag}>", self.html, re.DOTALL)
        return str(text)


def page(*records: VideoRecord, batch: str = "daily", **fields: Any) -> Page:
    return Page(gallery(BatchReport.model_validate({"batch": batch, "records": records} | fields)))


def sized(video: VideoRecord, width: object, height: object) -> VideoRecord:
    done = stored(video)
    media = {"width": width, "height": height}
    return done.model_copy(update={"files": (done.files[0].model_copy(update={"media": media}),)})


def test_links_are_relative_and_quoted() -> None:
    """They work from disk and from a bucket, whatever the prompt was."""
    video = stored(record("100% röt: a?b#c", batch="a/b"), poster=True)
    shown = page(video, batch="a/b")
    name = f"100-r%C3%B6t-a-b-c-{video.key}"
    assert [frame["href"] for frame in shown.frames()] == [f"{name}.mp4"]
    assert [image["src"] for image in shown.all("img")] == [f"{name}.jpg"]
    assert [link["href"] for link in shown.all("a") if link.get("title") == video.key] == [f"{name}.json"]


def test_a_name_cannot_be_a_scheme() -> None:
    file = stored(record()).files[0].model_copy(update={"name": "daily/javascript:alert(1)//.mp4"})
    (frame,) = page(stored(record()).stored((file,))).frames()
    assert (frame["href"] or "").startswith("javascript%3Aalert")


def test_nothing_but_lazy_posters_is_loaded() -> None:
    """A player is made when somebody plays; that of the large view has nothing to load until then."""
    shown = page(stored(record("one"), poster=True), stored(record("two")))
    assert [image["loading"] for image in shown.all("img")] == ["lazy"]
    assert ["src" in player or "poster" in player for player in shown.all("video")] == [False]


def test_takes_are_side_by_side_in_their_order() -> None:
    """Where the first of them stands; a request that differs in anything else is not a take."""
    shown = page(
        stored(record("fog", take=2)),
        stored(record("rain")),
        stored(record("fog")),
        stored(record("fog", seed=7)),
        stored(record("fog", take=10)),
    )
    groups = [re.findall(r'<article [^>]*data-take="(\d+)"', part) for part in shown.html.split('<div class="group">')]
    assert groups[1:] == [["1", "2", "10"], ["1"], ["1"]]
    assert re.findall(r"<h2[^>]*>(.*?)</h2>", shown.html) == ["fog", "rain", "fog"]
    assert re.findall(r"<b>(take \d+)</b>", shown.html) == ["take 1", "take 2", "take 10"]


def test_what_is_missing_comes_first() -> None:
    shown = page(
        stored(record("one")),
        record("two").submitted("t"),
        record("three").failed("moderated", "no"),
        record("four").unknown(),
        record("five").unknown(),
    ).html
    first, rest = shown.split('id="videos"')
    assert re.findall(r'data-state="(\w+)"', first) == ["failed", "unknown", "unknown"]
    assert re.findall(r'data-state="(\w+)"', rest) == ["stored", "pending"]
    assert "<summary>1 failed, 2 of unknown outcome: why, and what to do</summary>" in shown
    assert "<details" not in page(stored(record("one"))).html


def test_facets() -> None:
    """Only those in which videos differ, the most frequent value first."""
    shown = page(
        sized(record("one", model="omni"), 720, 1280),
        sized(record("two", model="omni-fast"), 1920, 1080),
        record("three", model="omni", size="1024x1024").submitted("t"),
    )
    assert shown.options("state") == ["all", "stored (2)", "pending (1)"]
    assert shown.options("model") == ["all", "omni (2)", "omni-fast (1)"]
    assert shown.options("shape") == ["all", "9:16 (1)", "16:9 (1)", "1:1 (1)"]
    assert shown.options("gateway") == []
    other = record("four").model_copy(update={"attempts": (attempt(gateway="sora"),)})
    assert page(record("one"), other).options("gateway") == ["all", "apimart (1)", "sora (1)"]


@pytest.mark.parametrize(
    ("width", "height", "shape"),
    [(832, 480, "16:9"), (480, 832, "9:16"), (1000, 10, "21:9"), (1.0, 1e9, "9:21"), (1024, 1000, "1:1")],
)
def test_videos_have_the_known_shape_that_is_nearest(width: float, height: float, shape: str) -> None:
    assert [card["data-shape"] for card in page(sized(record(), width, height)).all("article")] == [shape]


@pytest.mark.parametrize(("width", "height"), [(0, 5), (-1, -1), ("a", None)])
def test_nonsense_has_no_shape(width: object, height: object) -> None:
    """Unless one was asked for."""
    assert [card["data-shape"] for card in page(sized(record(), width, height)).all("article")] == [""]
    asked = sized(record(aspect_ratio="9:16"), width, height)
    assert [card["data-shape"] for card in page(asked, record("x", aspect_ratio="0:1")).all("article")] == ["9:16", ""]


def test_says_what_became_of_it() -> None:
    """Reason and next step for what is not there; facts for what is."""
    text = "".join(
        page(
            stored(record("one", take=3)),
            record("two").failed("moderated", "content policy", accepted=False),
            record("three").unknown(),
        ).texts
    )
    assert "take 3 · apimart · 8.0 s · 1280×720 · 3.4 MB · cost 0.25 USD" in text
    assert "moderated: content policy" in text
    assert "Nothing was spent." in text
    assert "it may have been paid" in text
    assert "Look for it in the task list of prod" in text


def test_the_commands_for_a_lost_submission_can_be_copied() -> None:
    """Each is an element of its own, without quotes around it."""
    lost = record("<b>", batch="daily").unknown()
    shown = page(lost, store="file:///a`b<c")
    wanted = resolve_commands(lost, "file:///a`b<c")
    assert [html.unescape(code) for code in re.findall("<code>(.*?)</code>", shown.html)] == list(wanted.values())
    assert "Resolve videos" in "".join(shown.texts)


def test_each_video_can_be_sorted_and_marked() -> None:
    (card,) = page(stored(record("one"))).all("article")
    names = ("data-seconds", "data-bytes", "data-cost", "data-started")
    assert [card[name] for name in names] == ["8.0", "3400000", "0.25", "1785576600"]
    shown = page(stored(record("one")), record("two").submitted("t"), record("three").failed("refused", "no"))
    assert [button["value"] for button in shown.all("button")].count("again") == 2, "one video, and the large view"


def test_costs_are_an_order_only_if_they_compare() -> None:
    one, two = record("one").submitted("a"), record("two").submitted("b")
    dollars, credits = (Amount.parse(text) for text in ("0.10 USD", "300 credits"))
    assert "highest cost" in page(one.finished(dollars), two.finished(dollars)).options("sort")
    assert "highest cost" not in page(one.finished(dollars), two.finished(credits)).options("sort")
    assert "highest cost" not in page(one).options("sort")


def test_policy_allows_this_style_and_this_script() -> None:
    """A browser applies either only if its hash is right, and connects to nothing."""
    shown = page(stored(record(), poster=True))
    (policy,) = [tag["content"] or "" for tag in shown.all("meta") if "http-equiv" in tag]
    rules = {name: value for name, _, value in (rule.partition(" ") for rule in policy.split("; "))}
    for tag in ("style", "script"):
        digest = base64.b64encode(hashlib.sha256(shown.inline(tag).encode()).digest()).decode()
        assert rules[f"{tag}-src"] == f"'sha256-{digest}'"
    assert rules["default-src"] == rules["connect-src"] == "'none'"
    assert rules["base-uri"] == rules["form-action"] == "'none'"
    assert "unsafe" not in policy
    assert not re.search(r"https?://", shown.html)
    assert not any("style" in attributes for _, attributes in shown.tags)


def test_the_script_cannot_end_early() -> None:
    """What would end it or change how it is read is not in it, and none of it is data of the batch."""
    one, other = page(stored(record("one"))), page(record("two").unknown(), batch="b", store="s3://x")
    assert one.inline("script") == other.inline("script")
    assert not re.search(r"<!--|<script|</script", one.inline("script"), re.IGNORECASE)


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_texts_stay_text(text: str) -> None:
    """What a gateway says is text too, as is the name of a model, an account or a store."""
    account = attempt(account=text, gateway=text)
    words = text.replace("\ud800", "")  # which a request cannot hold
    video = record(words, model=words).model_copy(update={"attempts": (account,)})
    shown = page(
        video.failed("refused", text),
        video.model_copy(update={"mismatches": (text,)}),
        record("x").unknown(text),
        store=words,
    )
    assert {tag for tag, _ in shown.tags} <= TAGS
    assert len(shown.all("script")) == 1
    assert not any(name.startswith("on") for _, attributes in shown.tags for name in attributes)
    shown.html.encode()


@given(st.text(max_size=60), st.text(max_size=60))
def test_hostile_prompts_stay_text(prompt: str, reason: str) -> None:
    """Whatever the prompt: the same tags, no handler, no address elsewhere."""
    shown = page(stored(record(prompt), poster=True), record(prompt, seed=1).failed("refused", reason))
    assert {tag for tag, _ in shown.tags} <= TAGS
    assert len(shown.all("article")) == 2
    assert len(shown.all("script")) == 1
    for _, attributes in shown.tags:
        assert not any(name.startswith("on") for name in attributes)
        for name in ("src", "href"):
            assert ":" not in (attributes.get(name) or "")
    shown.html.encode()


@pytest.mark.parametrize(
    ("prompt", "shown", "verbatim"),
    [
        ("a red apple", "a red apple", None),
        ("shot 1:  fog\n\nshot 2: rain", "shot 1: fog\n\nshot 2: rain", "shot 1:  fog\n\nshot 2: rain"),
        ("\u200fתפוח\u202e", "תפוח", "\u200fתפוח\u202e"),
        ("👩‍🚀" * 3, "👩‍🚀" * 3, None),
        ("", "(no prompt)", None),
    ],
)
def test_prompts_are_shown_safely_and_kept_verbatim(prompt: str, shown: str, verbatim: str | None) -> None:
    found = page(stored(record(prompt)))
    (heading,) = found.all("h2")
    assert heading.get("data-verbatim") == verbatim
    assert shown in found.texts


def test_empty_batch() -> None:
    assert page().all("article") == []
