"""One row of a sheet: what it says, and the video requests it asks for."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from difflib import get_close_matches
from typing import Any, NamedTuple

from pydantic import JsonValue, ValidationError

from prefect_omnivideo.flows.template import Template
from prefect_omnivideo.providers.errors import Problem, RequestError
from prefect_omnivideo.providers.request import VideoRequest

MAX_VIDEOS = 10_000
"""Videos of one run: more than that a Prefect server records with gaps."""
MAX_TAKES = 100
"""Takes of one row."""

_OPTIONS = "options."
_LISTS = ("images", "videos", "audios")
_FIELDS = (*VideoRequest.model_fields, "takes")


@dataclass(frozen=True)
class Row:
    """A row as the sheet has it.

    Attributes:
        label: how a person finds it, such as `row 7`.
        cells: the cells that are not blank, by column.
        faults: why it cannot be used, known already from its form.
    """

    label: str
    cells: Mapping[str, JsonValue]
    faults: list[str] = field(default_factory=list[str])

    @classmethod
    def of(cls, label: str, item: Any, defaults: Mapping[str, JsonValue] | None = None) -> "Row":
        """The row that one item of a document is: an object, or a text, which is a prompt."""
        cells = {"prompt": item} if isinstance(item, str) else item
        if not isinstance(cells, dict):
            return cls(label, {}, [f"it is a {type(item).__name__}, neither an object nor a prompt"])
        given = {str(name).strip(): value for name, value in cells.items() if not _blank(value)}
        return cls(label, {**(defaults or {}), **given})


class Table(NamedTuple):
    """A sheet as it was read."""

    rows: Iterable[Row]
    """Can be iterated once."""
    columns: tuple[str, ...] | None = None
    """Names of the columns; None where every row names its own."""
    template: str | None = None
    """A prompt template that came with the rows."""


def unreadable(rule: str, accepted: str) -> RequestError:
    """The sheet as a whole cannot be used."""
    return RequestError([Problem("sheet", rule, accepted)], subject="sheet")


def check_columns(columns: Iterable[str], template: Template | None) -> list[Problem]:
    """Columns that would be ignored, and placeholders that no column fills."""
    names = list(columns)
    used = template.columns if template else ()
    problems = [
        Problem("template", f"there is no column for {{{name}}}", ", ".join(names)) for name in used if name not in names
    ]
    for name in names:
        if name in used:
            continue
        if template and name == "prompt":
            problems.append(Problem(name, "the template makes the prompt and does not use this column", "{prompt} in it"))
        elif name not in _FIELDS and not (name.startswith(_OPTIONS) and all(name.split("."))):
            near = get_close_matches(name.lower().replace(" ", "_"), _FIELDS, 1)
            accepted = f"{near[0]}?" if near else f"{', '.join(_FIELDS)}, options.<field>, or a column of the template"
            problems.append(Problem(name, "there is no such field", accepted))
    return problems


def requests_of(row: Row, template: Template | None) -> list[VideoRequest]:
    """The videos a row asks for: one, or as many as it has takes.

    Raises:
        RequestError: naming each cell that cannot be used, why, and what is accepted.
    """
    problems = [Problem("row", fault) for fault in row.faults] or check_columns(row.cells, template)
    values: dict[str, Any] = {}
    options: dict[str, Any] = {}
    for name, value in row.cells.items():
        if name.startswith(_OPTIONS):
            problems += _put(options, name.removeprefix(_OPTIONS).split("."), value, name)
        elif name in _FIELDS:
            values[name] = _portable(name, value)
    if template:
        ...
    return []


def _blank(value: object) -> bool:
    return value is None or (isinstance(value, str) and not value.strip())
