"""One row of a sheet, and its conversion into video requests."""

import contextlib
import copy
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from difflib import get_close_matches
from typing import Any, NamedTuple, cast

from pydantic import JsonValue, ValidationError

from prefect_omnivideo.core.broken_rules import problem_of
from prefect_omnivideo.core.errors import Problem, RequestError, refuse
from prefect_omnivideo.core.redaction import shorten
from prefect_omnivideo.core.request import VideoRequest
from prefect_omnivideo.core.sheets.template import Template

MAX_VIDEOS = 10_000
"""Most videos of one run: with more, a Prefect server loses some of the task runs."""
MAX_TAKES = 100
"""Most takes of one row."""

_OPTIONS = "options."
_LISTS = ("images", "videos", "audios")
_FIELDS = (*VideoRequest.model_fields, "takes")


@dataclass(frozen=True)
class Row:
    """A row as read from the sheet.

    Attributes:
        label: its position for messages, such as `row 7`.
        cells: the cells that are not blank, by column.
        faults: problems found while reading it.
    """

    label: str
    cells: Mapping[str, JsonValue]
    faults: list[str] = field(default_factory=list[str])

    @classmethod
    def of(cls, label: str, item: Any, defaults: Mapping[str, JsonValue] | None = None) -> "Row":
        """The row for one item of a document: an object, or a text, which is a prompt."""
        cells = {"prompt": item} if isinstance(item, str) else item
        if not isinstance(cells, dict):
            return cls(label, {}, [f"it is a {type(item).__name__}, neither an object nor a prompt"])
        named = cast("dict[Any, JsonValue]", cells)
        given = {str(name).strip(): value for name, value in named.items() if not _blank(value)}
        return cls(label, {**(defaults or {}), **given})


class Table(NamedTuple):
    """A sheet as it was read."""

    rows: Iterable[Row]
    """Can be iterated once."""
    columns: tuple[str, ...] | None = None
    """Names of the columns; None where every row names its own."""
    template: str | None = None
    """The sheet's own prompt template."""


def unreadable(rule: str, accepted: str) -> RequestError:
    """The error for a sheet that cannot be used as a whole."""
    return refuse("sheet", rule, accepted, subject="sheet")


def check_columns(columns: Sequence[str], template: Template | None) -> list[Problem]:
    """Placeholders that no column fills, and columns that would be ignored."""
    used = template.columns if template else ()
    missing = [name for name in used if name not in columns]
    return [Problem("template", f"there is no column for {{{name}}}", ", ".join(columns)) for name in missing] + [
        problem for name in columns if name not in used and (problem := _unused(name, template))
    ]


def requests_of(row: Row, template: Template | None) -> tuple[list[VideoRequest], list[Problem]]:
    """The requests of a row: one, or one per take; and each cell that cannot be used, why, and what is accepted.

    With problems, the request is what the good cells ask for, so that it can be checked further; there may be none.
    """
    used = template.columns if template else ()
    problems = [Problem("", fault) for fault in row.faults]
    if not row.cells:
        return [], problems
    problems += [
        Problem(name, f"it is blank, and the template needs {{{name}}}") for name in used if name not in row.cells
    ]
    problems += [problem for name in row.cells if name not in used and (problem := _unused(name, template))]
    values, options = _split(row.cells, problems)
    if template:
        values.pop("prompt", None)
    if template and not problems:
        values["prompt"] = template.fill({name: _text(row.cells[name], name, problems) for name in used})
    takes = _takes(values, problems)
    request = _checked({**values, **({"options": options} if options else {})}, problems)
    if request is None:
        return [], problems
    numbers = range(1, takes + 1) if takes else [request.take]
    return [request.model_copy(update={"take": take}) for take in numbers], problems


def _unused(name: str, template: Template | None) -> Problem | None:
    """What is wrong with a column that the template does not use."""
    if template and name == "prompt":
        return Problem(name, "the template makes the prompt and leaves this column out", "{prompt} within the template")
    if name in _FIELDS or (name.startswith(_OPTIONS) and all(name.split("."))):
        return None
    near = get_close_matches(name.lower().replace(" ", "_"), _FIELDS, 1)
    accepted = f"{near[0]}?" if near else f"{', '.join(_FIELDS)}, options.<field>, or a column of the template"
    return Problem(name, "there is no such field", accepted)


def _split(cells: Mapping[str, JsonValue], problems: list[Problem]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Portable fields, and the gateway's own as one nested object."""
    values = {name: _portable(name, value) for name, value in cells.items() if name in _FIELDS and name != "options"}
    options = cells.get("options", {})
    if not isinstance(options, dict):
        problems.append(Problem("options", f"{shorten(repr(options))} is not an object", 'such as {"watermark": true}'))
        return values, {}
    nested = copy.deepcopy(cast("dict[str, Any]", options))
    for name, value in cells.items():
        if name.startswith(_OPTIONS) and not _put(nested, name.split(".")[1:], value):
            problems.append(Problem(name, "it is given twice", "one column for each field"))
    return values, nested


def _put(options: dict[str, Any], path: list[str], value: JsonValue) -> bool:
    """Set a nested field that is not there yet."""
    *outer, last = path
    for name in outer:
        inner: Any = options.setdefault(name, {})
        if not isinstance(inner, dict):
            return False
        options = cast("dict[str, Any]", inner)
    if last in options:
        return False
    options[last] = value
    return True


def _portable(name: str, value: JsonValue) -> Any:
    """A cell in the type that the request expects."""
    if name in _LISTS and isinstance(value, str):
        with contextlib.suppress(ValueError):
            if value.lstrip().startswith("["):
                return json.loads(value)
        return re.split(r"[\s|]+", value.strip(" \t\r\n|"))
    return value if isinstance(value, (list, dict)) else text_of(value)


def _text(value: JsonValue, name: str, problems: list[Problem]) -> str:
    if isinstance(value, (list, dict)):
        problems.append(Problem(name, f"{shorten(repr(value))} cannot become part of a prompt", "a text or a number"))
    return text_of(value)


def text_of(value: object) -> str:
    """A single value in the form it has in a cell."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return value.isoformat() if isinstance(value, date) else str(value).strip()


def _takes(values: dict[str, Any], problems: list[Problem]) -> int | None:
    takes = values.pop("takes", None)
    if takes is None:
        return None
    if "take" in values:
        problems.append(Problem("takes", "the row has a take too", "take for one video, or takes for several"))
    if not takes.isdecimal() or not 1 <= int(takes) <= MAX_TAKES:
        problems.append(Problem("takes", f"{shorten(takes)!r} is not a number of takes", f"1 to {MAX_TAKES}"))
        return None
    return int(takes)


def _checked(values: dict[str, Any], problems: list[Problem]) -> VideoRequest | None:
    """The request of the good values; None if the prompt is not among them."""
    try:
        return VideoRequest.model_validate(values)
    except ValidationError as error:
        details = error.errors()
    problems += map(problem_of, details)
    bad = {str(detail["loc"][0]) for detail in details}
    good = {name: value for name, value in values.items() if name not in bad}
    return None if "prompt" in bad else VideoRequest.model_validate(good)


def _blank(value: object) -> bool:
    return value is None or (isinstance(value, str) and not value.strip())
