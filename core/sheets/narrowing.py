"""The column of a sheet that says which accounts may make the videos of a row. It is no part of the requests."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Collection, Sequence
from typing import NamedTuple

from prefect_omnivideo.core.errors import Problem
from prefect_omnivideo.core.redaction import shorten
from prefect_omnivideo.core.sheets.rows import Row, text_of
from prefect_omnivideo.core.sheets.template import Template

COLUMN = "account"
_SEPARATORS = re.compile(r"[\s|,]+")

Names = Sequence[Collection[str]]
"""What each account of a run is called: by its block's name, alone and with its kind."""


class Narrowed(NamedTuple):
    """A row without that column, and what the column says.

    Attributes:
        accounts: positions of the accounts; None: all of them.
        problems: names that no account has.
    """

    row: Row
    accounts: frozenset[int] | None = None
    problems: Sequence[Problem] = ()


def is_used(template: Template | None) -> bool:
    """Whether the column has its meaning here: otherwise it is one of the template."""
    return template is None or COLUMN not in template.columns


def narrow(row: Row, template: Template | None, names: Names) -> Narrowed:
    """Read the column of a row."""
    cell = row.cells.get(COLUMN)
    if cell is None or not is_used(template):
        return Narrowed(row)
    row = dataclasses.replace(row, cells={name: value for name, value in row.cells.items() if name != COLUMN})
    wanted = [str(each).strip() for each in cell] if isinstance(cell, list) else _SEPARATORS.split(text_of(cell))
    found = {name: [index for index, each in enumerate(names) if name in each] for name in wanted}
    accepted = ", ".join(dict.fromkeys(max(each, key=len) for each in names))
    problems = [
        Problem(COLUMN, f"the run has no account {shorten(repr(name))}", accepted)
        for name, accounts in found.items()
        if not accounts
    ]
    return Narrowed(row, frozenset(index for accounts in found.values() for index in accounts), problems)
