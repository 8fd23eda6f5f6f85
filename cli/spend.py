"""`omnivideo spend`: what the videos of a store did cost."""

from __future__ import annotations

import csv
import sys
from collections.abc import Sequence
from decimal import Decimal
from typing import Annotated

from cyclopts import Parameter
from rich.console import Console
from rich.table import Table
from rich.text import Text

from prefect_omnivideo.cli.app import any_store, app, report_error
from prefect_omnivideo.core.errors import OmniVideoError, StoreError
from prefect_omnivideo.core.records.model import now
from prefect_omnivideo.core.records.repository import Records
from prefect_omnivideo.core.reports.spending import By, Line, Spending, first_day, totals
from prefect_omnivideo.core.reports.spending_page import COLUMNS, Figure, cells, figures, notes

INCOMPLETE = 1
"""Exit code if a record could not be read."""


@app.command
def spend(
    *,
    store: str,
    by: By | None = None,
    since: str | None = None,
    csv_: Annotated[bool, Parameter(name="--csv", negative=())] = False,
    endpoint_url: str | None = None,
) -> int:
    """Add up what the videos of a store did cost. Exit code 1: a record could not be read, and is in no sum.

    Args:
        store: s3://bucket/prefix, a folder, or a saved block such as s3-video-store/prod.
        by: A line for each day (UTC), account, model or batch.
        since: First day, such as 2026-08-01, or 7d for the last seven days with today.
        csv_: Print CSV with exact numbers.
        endpoint_url: Address of an S3-compatible server. Keys and region come from the default AWS chain.
    """
    unreadable: list[StoreError] = []
    try:
        spending = Spending(by, first_day(since, now().date()) if since is not None else None)
        for record in Records(any_store(store, endpoint_url)).all(unreadable.append):
            spending.add(record)
    except OmniVideoError as error:
        return report_error(str(error))
    if csv_:
        _write(spending.lines, by)
    else:
        _show(spending.lines, by)
    for each in unreadable:
        report_error(f"in no sum: {each}")
    return INCOMPLETE if unreadable else 0


def _write(lines: Sequence[Line], by: By | None) -> None:
    rows = csv.writer(sys.stdout, lineterminator="\n")
    rows.writerow([*([by] if by else []), *figures(Line("", ""))])
    for line in lines:
        rows.writerow([*([line.group] if by else []), *map(_raw, figures(line).values())])


def _raw(value: Figure) -> str:
    return "" if value is None else f"{value:f}" if isinstance(value, Decimal) else str(value)


def _show(lines: Sequence[Line], by: By | None) -> None:
    if not lines:
        sys.stdout.write("no video was paid for\n")
        return
    sums = totals(lines)
    table = Table(box=None, pad_edge=False)
    table.add_column(by or "", overflow="fold")
    for column in COLUMNS:
        table.add_column(column, justify="left" if column == "unit" else "right", no_wrap=True)
    for line in lines if by else ():
        table.add_row(Text(line.group), *cells(line), end_section=line is lines[-1])
    for line in sums:
        table.add_row("total", *cells(line))
    console = Console(width=None if sys.stdout.isatty() else 320, highlight=False)
    console.print(table)
    for note in notes(lines):
        console.print(note)
