"""Reads the rows of a file: CSV, TSV, XLSX, JSON lines, JSON or YAML. Does not interpret the columns."""

import csv
import io
import json
import zipfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, time
from pathlib import PurePosixPath
from typing import cast

from pydantic import JsonValue
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from prefect_omnivideo.core.sheets.documents import read_document
from prefect_omnivideo.core.sheets.rows import Row, Table, text_of, unreadable
from prefect_omnivideo.core.sheets.source import SheetFile

MAX_UNPACKED = 512 * 1024**2
"""Largest unpacked size, in bytes, of an XLSX file, which is a ZIP archive."""

_TYPES = {
    "text/csv": ".csv",
    "text/tab-separated-values": ".tsv",
    "application/json": ".json",
    "application/jsonl": ".jsonl",
    "application/x-ndjson": ".jsonl",
    "application/yaml": ".yaml",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": ".xlsx",
}
_ERROR_CELLS = {"#DIV/0!", "#N/A", "#NAME?", "#NULL!", "#NUM!", "#REF!", "#VALUE!"}

Grid = Iterable[tuple[int, list[str]]]
"""Row numbers, from 1, and the texts of the cells."""


def read_table(file: SheetFile) -> Table:
    """The rows of a sheet, read lazily.

    The format follows from the name's suffix, or else from the content type.

    Raises:
        RequestError: the format is unknown, or the file is not of that format; also raised while the rows are read.
    """
    read = _READERS.get(_suffix(file))
    if read is None:
        raise unreadable(f"{file.name!r} is in no supported format", ", ".join(_READERS))
    return read(file)


def read_value(file: SheetFile) -> object:
    """What a JSON or YAML file holds; None if the file is of another format.

    Raises:
        RequestError: it is not of its format.
    """
    parse = _VALUES.get(_suffix(file))
    return parse(file) if parse else None


def _suffix(file: SheetFile) -> str:
    suffix = PurePosixPath(file.name).suffix.lower()
    return suffix if suffix in _READERS else _TYPES.get(file.content_type, suffix)


def _csv(file: SheetFile) -> Table:
    text = _text(file)
    head = text.lstrip().partition("\n")[0]
    return _table(_separated(text, ";" if ";" in head and "," not in head else ","))


def _tsv(file: SheetFile) -> Table:
    return _table(_separated(_text(file), "\t"))


def _separated(text: str, delimiter: str) -> Grid:
    number = 0
    try:
        # Strict: an unclosed quote would absorb all rows after it.
        for number, cells in enumerate(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True), 1):
            yield number, cells
    except csv.Error as error:
        raise unreadable(f"row {number + 1} is broken: {error}", 'quotes around a cell, "" for one within') from None


def _xlsx(file: SheetFile) -> Table:
    try:
        from openpyxl import load_workbook
    except ImportError:
        raise unreadable("an XLSX file needs openpyxl", "pip install 'prefect-omnivideo[sheets]', or a CSV") from None
    try:
        with zipfile.ZipFile(io.BytesIO(file.data)) as archive:
            unpacked = sum(part.file_size for part in archive.infolist())
        if unpacked > MAX_UNPACKED:
            raise unreadable(f"it unpacks to more than {MAX_UNPACKED // 1024**2} MiB", "several smaller ones")
        book = load_workbook(io.BytesIO(file.data), read_only=True, data_only=True)
    except (zipfile.BadZipFile, KeyError, OSError):
        raise unreadable(f"{file.name!r} is not an XLSX workbook", "the first worksheet of a workbook") from None
    if not book.worksheets:
        raise unreadable(f"{file.name!r} has no worksheet", "the first worksheet of a workbook")
    sheet = book.worksheets[0]
    sheet.reset_dimensions()  # some programs write wrong dimensions
    rows = sheet.iter_rows(values_only=True)
    return _table((number, [_cell_text(value) for value in row]) for number, row in enumerate(rows, 1))


def _cell_text(value: object) -> str:
    """The cell as displayed."""
    if value is None:
        return ""
    if isinstance(value, time) and not value.second:
        return f"{value.hour}:{value.minute}"  # 16:9, which spreadsheets read as a time of day
    if isinstance(value, datetime) and value.time() == time():
        return value.date().isoformat()
    return text_of(value)


def _table(grid: Grid) -> Table:
    """A grid whose first non-blank row names the columns."""
    rows = iter(grid)
    header = next((cells for _, cells in rows if any(map(str.strip, cells))), list[str]())
    columns = [name.strip() for name in header]
    twice = [name for name, count in Counter(columns).items() if name and count > 1]
    if twice:
        raise unreadable(f"more than one column is called {', '.join(twice)}", "one column of each name")
    return Table((_row(number, columns, cells) for number, cells in rows), tuple(filter(None, columns)))


def _row(number: int, columns: list[str], cells: list[str]) -> Row:
    given = [cell.strip() for cell in cells]
    faults = [
        f"the cell {given[position][:40]!r} is in column {position + 1}, which has no name; a text that holds the "
        "separator needs quotes around it"
        for position in range(len(given))
        if given[position] and (position >= len(columns) or not columns[position])
    ]
    faults += [
        f"the cell {name} holds the error {cell}"
        for name, cell in zip(columns, given, strict=False)
        if cell in _ERROR_CELLS
    ]
    # Native fields have types; in a table they are written as JSON, or simply as text.
    values = {
        name: _native(cell) if name.startswith("options") else cell
        for name, cell in zip(columns, given, strict=False)
        if cell
    }
    return Row(f"row {number}", values, faults)


def _native(cell: str) -> JsonValue:
    try:
        return cast(
            "JsonValue", json.loads({"TRUE": "true", "FALSE": "false"}.get(cell, cell), parse_constant=_no_number)
        )
    except ValueError:
        return cell


def _no_number(constant: str) -> None:
    raise ValueError(constant)


def _jsonl(file: SheetFile) -> Table:
    def rows() -> Iterator[Row]:
        for number, line in enumerate(_text(file).split("\n"), start=1):
            if not line.strip():
                continue
            try:
                yield Row.of(f"row {number}", json.loads(line))
            except ValueError as error:
                yield Row(f"row {number}", {}, [f"it is not JSON: {error}"])

    return Table(rows())


def _json(file: SheetFile) -> object:
    try:
        return json.loads(_text(file))
    except (json.JSONDecodeError, RecursionError) as error:
        raise unreadable(f"{file.name!r} is not JSON: {error}", "a list of rows, or a matrix") from None


def _yaml(file: SheetFile) -> object:
    try:
        # YAML 1.2, where 16:9 is a text: in YAML 1.1 it is 969, and the C parser fails on [16:9, 9:16].
        return cast("object", YAML(typ="safe", pure=True).load(_text(file)))  # pyright: ignore[reportUnknownMemberType]  # untyped
    except (YAMLError, RecursionError) as error:
        raise unreadable(
            f"{file.name!r} is not YAML: {' '.join(str(error).split())[:300]}", "rows, or a matrix"
        ) from None


def _text(file: SheetFile) -> str:
    try:
        return file.data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = file.data[: error.start].count(b"\n") + 1
        raise unreadable(f"{file.name!r} is not in UTF-8 (line {line})", "the encoding UTF-8") from None


def _document(file: SheetFile) -> Table:
    return read_document(read_value(file))


_VALUES: dict[str, Callable[[SheetFile], object]] = {".json": _json, ".yaml": _yaml, ".yml": _yaml}
_READERS: dict[str, Callable[[SheetFile], Table]] = {
    ".csv": _csv,
    ".tsv": _tsv,
    ".jsonl": _jsonl,
    **dict.fromkeys(_VALUES, _document),
    ".xlsx": _xlsx,
}
