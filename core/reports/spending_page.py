"""Spending as people read it: figures in words, and a page with a plot by day."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from decimal import Decimal
from math import ceil
from typing import NamedTuple

from prefect_omnivideo.core.money.amount import UNNAMED, number
from prefect_omnivideo.core.reports.spending import Line, totals
from prefect_omnivideo.core.reports.templating import render

DAYS_PLOTTED = 30
_BAR = 32
_EIGHTHS = " ▏▎▍▌▋▊▉"
_PERIODS = (("today", 1), ("7 days", 7), ("30 days", 30))
_ON_PAGE = ("unit", "videos", "cost", "per second", "without video", "cost unknown", "difference")
"""More columns are wider than a page of Prefect's UI."""
_OF_ACCOUNTS = ("unit", "videos", "seconds", "estimate", "cost", "without video", "cost unknown")
Figure = str | int | Decimal | None
"""None: unknown."""


COLUMNS: tuple[str, ...] = (
    "unit",
    "videos",
    "seconds",
    "cost",
    "per second",
    "without video",
    "jobs",
    "cost unknown",
    "estimate",
    "difference",
)


def spending_page(days: Sequence[Line], today: date) -> str:
    """A page in Markdown: sums over the last days, and a plot by day.

    Args:
        days: lines by day.
    """
    sums = [(name, line) for name, past in _PERIODS for line in totals(_last(days, past, today))]
    recent = _last(days, DAYS_PLOTTED, today)
    plotted = [line.unit for line in totals(recent) if line.cost]
    return render(
        "spending.md",
        today=today,
        columns=_ON_PAGE,
        rows=[(name, *_picked(line, _ON_PAGE)) for name, line in [*sums, *(("in all", line) for line in totals(days))]],
        notes=notes(days),
        plots=[(unit_name(unit), _plot([line for line in recent if line.unit == unit], today)) for unit in plotted],
    )


class AccountsTable(NamedTuple):
    """What accounts charged for the videos of a batch, with what the figures leave open."""

    columns: Sequence[str]
    rows: Sequence[tuple[str, Sequence[str]]]
    """The account, and the figures."""
    notes: Sequence[str]


def accounts_table(accounts: Sequence[Line]) -> AccountsTable:
    """The table of a batch.

    Args:
        accounts: lines by account.
    """
    return AccountsTable(
        _OF_ACCOUNTS, [(line.group, _picked(line, _OF_ACCOUNTS)) for line in accounts], notes(accounts)
    )


def figures(line: Line) -> dict[str, Figure]:
    """The exact figures of a line, for programs."""
    return {
        "unit": line.unit,
        "videos": line.videos,
        "seconds": line.seconds,
        "cost": line.cost,
        "cost_per_second": line.cost_per_second,
        "cost_without_video": line.cost_without_video,
        "jobs": line.submissions,
        "jobs_of_unknown_outcome": line.uncertain,
        "jobs_without_cost": line.without_cost,
        "jobs_without_estimate": line.without_estimate,
        "videos_without_length": line.without_length,
        "estimate": line.estimate,
        "estimate_of_jobs_without_cost": line.estimate_without_cost,
        "difference": line.difference,
    }


def cells(line: Line) -> list[str]:
    """The figures of a line, as `COLUMNS` names them."""
    per_second = line.cost_per_second
    return [
        unit_name(line.unit),
        str(line.videos),
        f"{line.seconds:.1f}",
        _money(line.cost, line.unit),
        _money(None if per_second is None else round(per_second, 4), line.unit),
        _money(line.cost_without_video, line.unit),
        str(line.submissions),
        str(line.without_cost),
        _money(line.estimate, line.unit),
        _money(line.difference, line.unit),
    ]


def _picked(line: Line, columns: Sequence[str]) -> list[str]:
    shown = dict(zip(COLUMNS, cells(line), strict=True))
    return [shown[column] for column in columns]


def notes(lines: Sequence[Line]) -> list[str]:
    """What the figures of these lines leave open, a sentence for each."""
    said: list[str] = []
    for line in totals(lines):
        of = f"{unit_name(line.unit)}: " if line.unit else ""
        if line.without_cost:
            known = line.estimate_without_cost
            expected = f"; their estimates come to {number(known, line.unit)}" if known else ""
            said.append(f"{of}the cost of {_count(line.without_cost, 'job')} is unknown and in no sum{expected}.")
        if line.uncertain:
            said.append(f"{of}{_count(line.uncertain, 'job')} of unknown outcome may have been paid.")
        if line.without_length:
            said.append(f"{of}the length of {_count(line.without_length, 'video')} is unknown and in no sum.")
    return said


def unit_name(unit: str) -> str:
    """A unit for people."""
    return {"": "unknown", UNNAMED: "unnamed"}.get(unit, unit)


def _count(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"


def _money(value: Decimal | None, unit: str) -> str:
    return "unknown" if value is None else number(value, unit)


def _last(days: Sequence[Line], past: int, today: date) -> list[Line]:
    first = (today - timedelta(past - 1)).isoformat()
    return [line for line in days if line.group >= first]


def _plot(days: Sequence[Line], today: date) -> str:
    """A bar for each day from the first one of the lines to today; text, which every UI shows as it is."""
    costs = {line.group: line.cost for line in days}
    highest = max((cost for cost in costs.values() if cost), default=Decimal(0))
    day, rows = date.fromisoformat(min(costs)), list[str]()
    shown = {group: _money(cost, days[0].unit) for group, cost in costs.items()}
    width = max(map(len, shown.values()))
    while day <= today:
        group = day.isoformat()
        bar = _bar((costs.get(group) or Decimal(0)) / highest) if highest else ""
        rows.append(f"{group} {shown.get(group, '-'):>{width}} {bar}".rstrip())
        day += timedelta(1)
    return "\n".join(rows)


def _bar(share: Decimal) -> str:
    full, eighths = divmod(ceil(share * _BAR * 8), 8)
    return ("█" * full + _EIGHTHS[eighths]).rstrip()
