"""Pages from templates, with all values escaped."""

from __future__ import annotations

import base64
import hashlib
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from prefect_omnivideo.core.reports.markdown import markdown_code, markdown_link, markdown_text


def render(template: str, **values: Any) -> str:
    """The text of a template from the folder `templates`."""
    return _pages.get_template(template).render(values)


def csp_hash(text: str) -> str:
    """The source of a content security policy that allows exactly this inline style or script."""
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


def inline(style: str, script: str) -> dict[str, Markup]:
    """The style and script of a page that plays videos from beside it, and the policy that allows nothing else."""
    policy = (
        f"default-src 'none'; script-src '{csp_hash(script)}'; style-src '{csp_hash(style)}'; "
        "media-src 'self' file:; img-src 'self' file:; connect-src 'none'; base-uri 'none'; form-action 'none'; "
        "require-trusted-types-for 'script'"
    )
    # The browser hashes both verbatim; they hold no data of the batch.
    return {name: Markup(text) for name, text in (("policy", policy), ("style", style), ("script", script))}  # noqa: S704


_pages = Environment(
    loader=PackageLoader("prefect_omnivideo.core.reports"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
)
_pages.filters |= {"text": markdown_text, "code": markdown_code, "link": markdown_link}
