"""Texts in Markdown, read by another renderer."""

import re
from html import unescape

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from prefect_omnivideo.core.reports.markdown import markdown_cell, markdown_code, markdown_text
from prefect_omnivideo.core.reports.wording import plain

RENDERER = MarkdownIt("commonmark").enable("strikethrough").enable("table")
MARKUP = st.text(alphabet=st.sampled_from("`*_~[]()<>#&;!|\\:/.@-+=1ab wW\n$"), max_size=30)
TEXTS = st.one_of(MARKUP, st.text(max_size=40)).filter(plain)


@given(TEXTS)
def test_a_cell_is_a_paragraph_with_the_text_as_it_is(text: str) -> None:
    _is_text(markdown_cell(text), text)


@given(TEXTS)
def test_a_text_in_a_page_is_text(text: str) -> None:
    _is_text(markdown_text(text), text)


@given(TEXTS)
def test_a_text_in_bold_in_a_list_is_text(text: str) -> None:
    rendered = RENDERER.render(f"- **{markdown_text(text)}**")
    found = re.fullmatch(r"<ul>\n<li><strong>(<code>)?(.*?)(</code>)?</strong></li>\n</ul>\n", rendered)
    assert found, rendered
    assert unescape(found[2]) == plain(text)


@pytest.mark.parametrize(
    "text",
    [
        'A potter\'s hands, "wet" clay',
        "[fault:400] a cat",
        "Tom & Jerry",
        "50% of $5",
        "file:///tmp/a_b/c-1.mp4",
        "s3://bucket/a_b/c.mp4",
        "task_0123",
        "a | b",
        "@someone",
    ],
)
def test_what_no_renderer_changes_stays_as_it_is(text: str) -> None:
    assert markdown_cell(text) == text


@pytest.mark.parametrize(
    "text",
    ["www.evil.example", "see HTTP://evil.example", "ftp://evil.example", "me@evil.example", "AT&amp;T", "- a"],
)
def test_what_a_renderer_would_change_is_code(text: str) -> None:
    assert markdown_cell(text) == f"`{text}`"


@pytest.mark.parametrize("text", ["www.evil.example", "http://evil.example", "me@evil.example"])
def test_a_link_in_a_page_is_code(text: str) -> None:
    assert markdown_text(text) == markdown_code(text) == f"`{text}`"


def _is_text(markdown: str, text: str) -> None:
    rendered = RENDERER.render(markdown)
    found = re.fullmatch(r"<p>(<code>)?(.*?)(</code>)?</p>\n", rendered)
    assert found, rendered
    assert unescape(found[2]) == plain(text)
