"""Names of batches: fixed, or a template with date placeholders."""

from __future__ import annotations

import re
from datetime import datetime

from prefect_omnivideo.core.errors import RequestError, refuse

_PLACEHOLDERS = {
    "{date}": "%Y-%m-%d",
    "{hour}": "%Y-%m-%dT%H",
    "{month}": "%Y-%m",
    "{week}": "%G-W%V",
}
_PLACEHOLDER = re.compile(r"\{[^{}]*\}")
_SEGMENT = re.compile(r"[A-Za-z0-9_=-][A-Za-z0-9._=-]*")
_LONGEST = 200
_ACCEPTED = (
    "letters a-z and A-Z, digits, '.', '_', '=' and '-', with '/' between parts that do not begin with '.'; "
    f"at most {_LONGEST} characters; the placeholders {', '.join(_PLACEHOLDERS)}"
)


def batch_name(template: str | None, *, default: str, moment: datetime) -> str:
    """The name of a batch.

    Args:
        template: a name such as `launch`, or a template such as `daily-{date}`: `{date}` becomes 2026-08-01, `{hour}`
            2026-08-01T09, `{month}` 2026-08 and `{week}` the ISO week 2026-W31. None takes `default`.
        default: the name if there is no template.
        moment: the time for the placeholders, in their time zone.

    Raises:
        RequestError: a placeholder or a character is not accepted.
    """
    name = default if template is None else filled(template, moment)
    if not all(_SEGMENT.fullmatch(segment) for segment in name.split("/")) or len(name) > _LONGEST:
        raise _refused(f"{name!r} cannot be the name of a batch")
    return name


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


def _refused(rule: str) -> RequestError:
    return refuse("batch", rule, _ACCEPTED, subject="batch")
