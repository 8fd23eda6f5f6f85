"""Any text in Markdown, shown as it is: prompts hold markup, HTML and addresses that must not become live."""

from __future__ import annotations

import html
import re
from urllib.parse import quote

from markupsafe import Markup

from prefect_omnivideo.core.reports.wording import plain

# Backslashes do not keep GitHub's Markdown from making links of these, nor every renderer from decoding entities.
_LIVE = re.compile(r"www\.|[a-z]://|\S@\S|&#?\w+;", re.IGNORECASE)
_AT_THE_START = re.compile(r"[#>+=|-]|\d+[.)]")
_MARKUP = re.compile(r"[*~<`\\]|(?<!\w)_|_(?!\w)|\][(\[:]")
_LINKS = re.compile(r"www\.|(https?|ftp)://|\S@\S|&#?\w+;", re.IGNORECASE)


def markdown_text(text: str) -> Markup:
    """Any text within a page of Markdown: escaped, or as a code span if it would become a link even so."""
    shown = plain(text)
    if _LIVE.search(shown):
        return markdown_code(shown)
    escaped = re.sub(r"[\\`*_\[\]|~$]", r"\\\g<0>", shown)
    escaped = re.sub(r"^(\d*)([#+=.)-])", r"\1\\\2", escaped)
    return Markup(html.escape(escaped, quote=False))  # noqa: S704  # escaped in this line


def markdown_cell(text: str) -> str:
    """Any text as a cell of a table artifact, which Prefect's UI V2 shows verbatim and V1 renders as Markdown.

    Most texts stay as they are, so that both show them alike, and they can be searched and copied. What V1 would
    change is a code span: V2 shows its backticks, and the text between them is still as it was.
    """
    shown = plain(text)
    changes = _AT_THE_START.match(shown) or _MARKUP.search(shown) or _LINKS.search(shown)
    return str(markdown_code(shown)) if changes else shown


def markdown_code(text: str) -> Markup:
    """Any text as a code span, which shows every character as it is."""
    shown = plain(text)
    fence = "`" * (1 + max(map(len, re.findall("`+", shown)), default=0))
    space = " " if shown.startswith("`") or shown.endswith("`") else ""
    return Markup(f"{fence}{space}{shown}{space}{fence}")  # noqa: S704  # code holds no markup and no HTML


def markdown_link(address: str) -> Markup:
    """An address of ours: a link if it is one of the web, otherwise a code span."""
    shown = markdown_code(address)
    is_web = address.startswith(("https://", "http://"))
    return Markup(f"[{shown}](<{quote(address, safe=_OF_A_URL)}>)") if is_web else shown  # noqa: S704  # quoted


_OF_A_URL = "-._~:/?#[]@!$&'*+,;=%"
