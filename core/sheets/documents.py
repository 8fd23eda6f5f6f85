"""Sheets that are JSON or YAML documents: a list of rows, or a matrix of values to combine."""

import itertools
import math
from collections.abc import Iterator
from typing import Any, cast

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError

from prefect_omnivideo.core.broken_rules import problem_of
from prefect_omnivideo.core.errors import Problem, RequestError
from prefect_omnivideo.core.sheets.rows import MAX_VIDEOS, Row, Table, unreadable

_FORMS = "a list of rows; or an object with rows or matrix, and optionally template, defaults, takes, exclude"


class _Document(BaseModel):
    model_config = ConfigDict(extra="forbid")

    rows: list[Any] | None = None
    matrix: dict[str, list[Any]] | None = Field(default=None, min_length=1)
    template: str | None = None
    defaults: dict[str, Any] = {}
    takes: int | None = None
    exclude: list[dict[str, Any]] = []


def read_document(value: Any) -> Table:
    """The rows of a document.

    Raises:
        RequestError: it has neither form, or the matrix is too large.
    """
    if value is None:
        return Table(())
    if isinstance(value, list):
        return Table(_rows(cast("list[Any]", value), {}))  # type: ignore[redundant-cast]  # not to pyright
    if not isinstance(value, dict):
        raise unreadable(f"the document is a {type(value).__name__}", _FORMS)
    try:
        document = _Document.model_validate(value)
    except ValidationError as error:
        problems = [problem_of(detail, whole="document", accepted=_FORMS) for detail in error.errors()]
        raise RequestError(problems, subject="sheet") from None
    if (document.rows is None) == (document.matrix is None):
        raise unreadable("the document has neither rows nor matrix, or both", _FORMS)
    defaults = document.defaults | ({} if document.takes is None else {"takes": document.takes})
    if document.matrix is None:
        return Table(_rows(document.rows or [], defaults), template=document.template)
    _check_matrix(document.matrix, document.exclude)
    rows = _combinations(document.matrix, document.exclude, defaults)
    return Table(
        rows, (*document.matrix, *(name for name in defaults if name not in document.matrix)), document.template
    )


def _rows(items: list[Any], defaults: dict[str, JsonValue]) -> Iterator[Row]:
    for number, item in enumerate(items, start=1):
        yield Row.of(f"row {number}", item, defaults)


def _check_matrix(matrix: dict[str, list[Any]], exclude: list[dict[str, Any]]) -> None:
    problems = [Problem(f"matrix.{name}", "it is empty", "at least one value") for name in matrix if not matrix[name]]
    for number, pattern in enumerate(exclude, start=1):
        if not pattern:
            problems.append(Problem(f"exclude {number}", "it is empty and would exclude everything", "a combination"))
        problems += [
            Problem(
                f"exclude {number}",
                f"{name}={value!r} is not in the matrix",
                ", ".join(map(str, matrix.get(name, matrix))),
            )
            for name, value in pattern.items()
            if value not in matrix.get(name, [])
        ]
    if problems:
        raise RequestError(problems, subject="sheet")
    count = math.prod(len(values) for values in matrix.values())
    if count > MAX_VIDEOS:
        raise unreadable(f"the matrix has {count} combinations", f"at most {MAX_VIDEOS}")


def _combinations(
    matrix: dict[str, list[Any]], exclude: list[dict[str, Any]], defaults: dict[str, JsonValue]
) -> Iterator[Row]:
    for number, values in enumerate(itertools.product(*matrix.values()), start=1):
        combination = dict(zip(matrix, values, strict=True))
        if not any(pattern.items() <= combination.items() for pattern in exclude):
            shown = ", ".join(f"{name}={value}" for name, value in combination.items())
            yield Row.of(f"combination {number} ({shown[:80]})", combination, defaults)
