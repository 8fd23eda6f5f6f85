"""Reads storyboards from sheets, and from JSON and YAML files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

from pydantic import JsonValue, ValidationError

from prefect_omnivideo.core.broken_rules import problem_of
from prefect_omnivideo.core.errors import Problem, RequestError
from prefect_omnivideo.core.request import VideoRequest
from prefect_omnivideo.core.sheets.documents import read_document
from prefect_omnivideo.core.sheets.readers import read_table, read_value
from prefect_omnivideo.core.sheets.rows import Row, Table, check_columns, requests_of, text_of, unreadable
from prefect_omnivideo.core.sheets.source import SheetFile
from prefect_omnivideo.core.sheets.template import Template
from prefect_omnivideo.core.storyboards.storyboard import ONLY_ONE, Shot, Storyboard, arrange, check_names

_OF_A_DOCUMENT = frozenset({"rows", "matrix"})
_COLUMNS = ("storyboard", "shot", "after", "continue_by")


def read_storyboards(file: SheetFile) -> list[Storyboard]:
    """The storyboards of a file: rows with a column `shot`, a list of shots, or a mapping from names to such lists.

    Raises:
        RequestError: naming each row or shot that cannot be used, and why.
    """
    value = read_value(file)
    if isinstance(value, dict) and not _OF_A_DOCUMENT & value.keys():
        boards: dict[str, list[Shot]] = {}
        for name, rows in cast("dict[object, object]", value).items():
            for board, shots in _shots(read_document(rows), str(name)).items():
                boards.setdefault(board, []).extend(shots)
        return boards_of(boards)
    return boards_of(_shots(read_table(file), ONLY_ONE))


def boards_of(given: Mapping[str, Sequence[Shot | VideoRequest | str]]) -> list[Storyboard]:
    """The storyboards of lists of shots, by name.

    Raises:
        RequestError: naming each broken rule by storyboard and shot.
    """
    boards: list[Storyboard] = []
    problems: list[Problem] = []
    for name, shots in given.items():
        try:
            boards.append(arrange(name, shots))
        except RequestError as error:
            problems += error.problems
    if problems:
        raise RequestError(problems, subject="storyboard")
    check_names(boards)
    return boards


def _shots(table: Table, default: str) -> dict[str, list[Shot]]:
    """The shots of a table, by storyboard, in the order of the rows.

    Raises:
        RequestError: rows or columns that cannot be used.
    """
    template = Template(table.template) if table.template else None
    if table.columns is not None:
        if "shot" not in table.columns:
            raise unreadable(f"it has no column shot, but {', '.join(table.columns) or 'nothing'}", "a column shot")
        if problems := check_columns([name for name in table.columns if name not in _COLUMNS], template):
            raise RequestError(problems, subject="storyboard")
    boards: dict[str, list[Shot]] = {}
    problems = list[Problem]()
    for row in table.rows:
        if not row.cells and not row.faults:
            continue
        shot, found = _shot(row, template)
        problems += [problem._replace(item=row.label) for problem in found]
        name = text_of(row.cells.get("storyboard", default)).strip()
        boards.setdefault(name, []).extend([shot] if shot else [])
    if problems:
        raise RequestError(problems, subject="storyboard")
    return boards or {default: []}


def _shot(row: Row, template: Template | None) -> tuple[Shot | None, list[Problem]]:
    own = {name: text_of(row.cells[name]) for name in _COLUMNS[1:] if name in row.cells}
    cells: dict[str, JsonValue] = {name: value for name, value in row.cells.items() if name not in _COLUMNS}
    if "takes" in cells:
        rule = "a shot is one video"
        return None, [Problem("takes", rule, "take, to make it once more")]
    requests, problems = requests_of(Row(row.label, cells, row.faults), template)
    if not cells and not row.faults:
        problems = [Problem("prompt", "the row has nothing but a place in the storyboard", "a prompt")]
    try:
        shot = Shot.model_validate({**requests[0].model_dump(), **own}) if requests and not problems else None
    except ValidationError as error:
        return None, [*problems, *map(problem_of, error.errors())]
    return shot, problems
