"""The gallery shows everything, loads nothing but media, and runs nothing at all."""

from __future__ import annotations

import base64
import hashlib
import re
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prefect_omnivideo.core.records.model import VideoRecord
from prefect_omnivideo.core.reports.gallery import gallery
from prefect_omnivideo.core.reports.report import BatchReport
from tests.core.records.samples import record, stored

TAGS = {"html", "head", "meta", "title", "style", "body", "header", "h1", "p", "nav", "label", "b", "input", "main"}
TAGS |= {"article", "div", "video"}


class Page(HTMLParser):
    """The tags and texts of a page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


def page(*records: VideoRecord, batch: str = "daily") -> Page:
    return Page(gallery(BatchReport.model_validate({"batch": batch, "records": records})))


def test_links_are_relative_and_quoted() -> None:
    """They work from disk and from a bucket, whatever the prompt was."""
    video = stored(record("100% röt: a?b#c", batch="a/b"), poster=True)
    (player,) = page(video, batch="a/b").all("video")
    assert player["src"] == f"100-r%C3%B6t-a-b-c-{video.key}.mp4"
    assert player["poster"] == f"100-r%C3%B6t-a-b-c-{video.key}.jpg"


def test_a_name_cannot_be_a_scheme() -> None:
    file = stored(record()).files[0].model_copy(update={"name": "daily/javascript:alert(1)//.mp4"})
    (player,) = page(stored(record()).stored((file,))).all("video")
    assert (player["src"] or "").startswith("javascript%3Aalert")


def test_players_wait() -> None:
    """With a poster nothing is loaded before somebody plays; without one the first picture is."""
    players = page(stored(record("one"), poster=True), stored(record("two"))).all("video")
    assert [player["preload"] for player in players] == ["none", "metadata"]


def test_filter() -> None:
    """One button a group that exists, with its count; every card is in its group."""
    shown = page(
        stored(record("one")), record("two"), record("three").submitted("t"), record("four").failed("moderated", "no")
    )
    assert [field["id"] for field in shown.all("input")] == ["show-all", "show-stored", "show-pending", "show-failed"]
    assert [field["id"] for field in shown.all("input") if "checked" in field] == ["show-all"]
    assert [label["for"] for label in shown.all("label")] == [field["id"] for field in shown.all("input")]
    assert [card["class"] for card in shown.all("article")] == ["stored", "pending", "pending", "failed"]
    assert "".join(shown.texts).count("all 4") == 1


def test_says_what_became_of_it() -> None:
    """Reason and next step for what is not there; facts for what is."""
    text = "".join(
        page(
            stored(record("one", take=3)),
            record("two").failed("moderated", "content policy", accepted=False),
            record("three").unknown(),
        ).texts
    )
    assert "apimart · take 3 · 8.0 s · 1280×720 · 3.4 MB · cost 0.25 USD" in text
    assert "moderated: content policy" in text
    assert "Nothing was spent." in text
    assert "it may have been paid" in text
    assert "Look for it in the task list of prod" in text


def test_policy_allows_this_style_and_no_script() -> None:
    """A browser applies the style only if the hash is right."""
    html = gallery(BatchReport.model_validate({"batch": "daily", "records": [stored(record())]}))
    (style,) = re.findall(r"<style>(.*?)</style>", html, re.DOTALL)
    (policy,) = [tag["content"] or "" for tag in Page(html).all("meta") if "http-equiv" in tag]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert policy.startswith(f"default-src 'none'; style-src 'sha256-{digest}'; ")
    assert "script-src" not in policy
    assert "unsafe" not in policy
    assert not re.search(r"https?://", html)


@pytest.mark.parametrize(
    "text",
    ["</style><script>alert(1)</script>", '" onload="alert(1)', "<img src=x onerror=alert(1)>", "a\ud800\u202eb"],
)
def test_hostile_reasons_stay_text(text: str) -> None:
    """What a gateway says is text too."""
    shown = page(record().failed("refused", text))
    assert {tag for tag, _ in shown.tags} <= TAGS
    "".join(shown.texts).encode()


@given(st.text(max_size=60), st.text(max_size=60))
def test_hostile_prompts_stay_text(prompt: str, reason: str) -> None:
    """Whatever the prompt: the same tags, no handler, no address elsewhere."""
    shown = page(stored(record(prompt), poster=True), record(prompt, seed=1).failed("refused", reason))
    assert {tag for tag, _ in shown.tags} <= TAGS
    assert len(shown.all("article")) == 2
    for _, attributes in shown.tags:
        assert not any(name.startswith("on") for name in attributes)
        for name in ("src", "poster"):
            assert ":" not in (attributes.get(name) or "")


def test_empty_batch() -> None:
    assert page().all("article") == []
