"""Pages from templates, with all values escaped."""

from __future__ import annotations

import base64
import hashlib
import html
import re
from typing import Any
from urllib.parse import quote

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from prefect_omnivideo.core.reports.wording import plain


def render(template: str, **values: Any) -> str:
    """The text of a template from the folder `templates`."""
    return _pages.get_template(template).render(values)


def markdown_text(text: str) -> Markup:
    """Any text, for Markdown that shows it as text: no markup, no links, no HTML."""
    escaped = re.sub(r"[\\`*_\[\]|~$]|:(?=//)", r"\\\g<0>", plain(text))
    return Markup(html.escape(escaped, quote=False))  # noqa: S704  # escaped in this line


def markdown_code(text: str, *, in_table: bool = False) -> Markup:
    """Any text as a code span of Markdown, which shows every character as it is.

    Args:
        in_table: escape bars, which would end the table's cell.
    """
    shown = plain(text)
    fence = "`" * (1 + max(map(len, re.findall("`+", shown)), default=0))
    space = " " if "`" in shown else ""
    if in_table:
        shown = shown.replace("|", r"\|")
    return Markup(f"{fence}{space}{shown}{space}{fence}")  # noqa: S704  # code holds no markup and no HTML


def csp_hash(text: str) -> str:
    """The source of a content security policy that allows exactly this inline style or script."""
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


def markdown_link(address: str) -> Markup:
    """An address of ours: a link if it is one of the web, otherwise a code span."""
    shown = markdown_code(address)
    is_web = address.startswith(("https://", "http://"))
    return Markup(f"[{shown}](<{quote(address, safe=_OF_A_URL)}>)") if is_web else shown  # noqa: S704  # quoted


_OF_A_URL = "-._~:/?#[]@!$&'*+,;=%"
_pages = Environment(
    loader=PackageLoader("prefect_omnivideo.core.reports"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
)
_pages.filters |= {"text": markdown_text, "code": markdown_code, "link": markdown_link}
