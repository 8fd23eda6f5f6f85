"""Names of batches: a title or a template with date placeholders, and the name in the store made of it."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from datetime import datetime

from prefect_omnivideo.core.errors import refuse

_PLACEHOLDERS = {
    "{date}": "%Y-%m-%d",
    "{hour}": "%Y-%m-%dT%H",
    "{month}": "%Y-%m",
    "{week}": "%G-W%V",
}
_PLACEHOLDER = re.compile(r"\{[^{}]*\}")
_SEGMENT = re.compile(r"[A-Za-z0-9_=-][A-Za-z0-9._=-]*")
_UNSAFE = re.compile(r"[^A-Za-z0-9._=]+")
_LONGEST = 200
_LONGEST_SEGMENT = 120
_HASH = 8
_ACCEPTED = (
    "any printable text, with '/' between parts that neither are empty nor begin with '.'; "
    f"at most {_LONGEST} characters; the placeholders {', '.join(_PLACEHOLDERS)}"
)
_NOT_PRINTABLE = ("Cc", "Cs", "Zl", "Zp")


class BatchName(str):
    """The name of a batch in the store, which is safe in names of objects, on a command line and in an address.

    Attributes:
        typed: the title that it was made of, for people.
    """

    __slots__ = ("typed",)
    typed: str

    @classmethod
    def of(cls, title: str) -> BatchName:
        """The name for a title: the title itself where it is safe.

        Blanks become hyphens, so that `Autumn campaign` and `Autumn-campaign` are one batch. Where anything else is
        lost, a hash of the part keeps two titles apart.

        Raises:
            RequestError: the title is not acceptable.
        """
        given = unicodedata.normalize("NFC", title)
        parts = [" ".join(part.split()) for part in given.split("/")]
        if fault := _fault(given, parts):
            raise refuse(
                "batch", f"{title[:_LONGEST]!r} cannot be the name of a batch: {fault}", _ACCEPTED, subject="batch"
            )
        name = cls("/".join(map(_safe, parts)))
        name.typed = "/".join(parts)
        return name


def batch_name(template: str | None, *, default: str, moment: datetime) -> BatchName:
    """The name of a batch.

    Args:
        template: a title such as `Autumn campaign`, or a template such as `daily-{date}`: `{date}` becomes 2026-08-01,
            `{hour}` 2026-08-01T09, `{month}` 2026-08 and `{week}` the ISO week 2026-W31. None takes `default`.
        default: the name if there is no template.
        moment: the time for the placeholders, in their time zone.

    Raises:
        RequestError: a placeholder is not known, or the title is not acceptable.
    """
    return BatchName.of(default if template is None else filled(template, moment))


def filled(template: str, moment: datetime, *, field: str = "batch") -> str:
    """The template with its date placeholders filled in.

    Args:
        template: any text with the placeholders of `batch_name`.
        moment: the time for the placeholders, in their time zone.
        field: what the template is, for the message.

    Raises:
        RequestError: a placeholder is not known.
    """

    def fill(found: re.Match[str]) -> str:
        if found[0] not in _PLACEHOLDERS:
            raise refuse(field, f"{found[0]} is not a placeholder", ", ".join(_PLACEHOLDERS))
        return moment.strftime(_PLACEHOLDERS[found[0]])

    return _PLACEHOLDER.sub(fill, template)


def _fault(title: str, parts: list[str]) -> str:
    """Why a title is not acceptable; empty if it is."""
    if any(unicodedata.category(char) in _NOT_PRINTABLE for char in title):
        return "it contains a control character"
    if "{" in title or "}" in title:
        return "a brace stands outside of a placeholder"
    if "" in parts:
        return "it is empty, begins or ends with '/', or contains '//'"
    if any(part.startswith(".") for part in parts):
        return "a part of it begins with a dot"
    return f"it is longer than {_LONGEST} characters" if len(title) > _LONGEST else ""


def _safe(part: str) -> str:
    """A part of a title as a part of an object's name."""
    if _SEGMENT.fullmatch(part):
        return part
    hyphened = part.replace(" ", "-")
    if _SEGMENT.fullmatch(hyphened):
        return hyphened
    # Letters with accents become those without; the hash is of what was typed.
    plain = unicodedata.normalize("NFKD", hyphened)
    plain = "".join(char for char in plain if not unicodedata.combining(char))
    slug = _UNSAFE.sub("-", plain)[:_LONGEST_SEGMENT].strip("-.") or "batch"
    return f"{slug}-{hashlib.sha256(part.encode()).hexdigest()[:_HASH]}"
