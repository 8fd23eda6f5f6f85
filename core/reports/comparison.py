"""The same prompts made by several contenders, side by side: a row a prompt, a column a contender."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from statistics import median

from prefect_omnivideo.core.money.amount import Amount, told, total
from prefect_omnivideo.core.records.compact import PackedRecords
from prefect_omnivideo.core.records.model import VideoRecord
from prefect_omnivideo.core.reports.cards import SHAPES, Card, card_of
from prefect_omnivideo.core.reports.report import BatchReport
from prefect_omnivideo.core.reports.routing import differences
from prefect_omnivideo.core.reports.templating import inline, render
from prefect_omnivideo.core.reports.wording import plain
from prefect_omnivideo.core.request import VideoRequest
from prefect_omnivideo.core.storage.base import json_bytes

PAGE, DATA = "compare.html", "compare.json"
CANNOT, MISSING = "cannot", "missing"
_MOST_ROWS = 50
"""Rows of the table in the Prefect UI; the page has them all."""


@dataclass(frozen=True)
class Contender:
    """An account, or a model of it."""

    name: str
    """Within the comparison; its batch is `<batch>/<name>`."""
    gateway: str
    account: str
    model: str
    """Empty: what each prompt asks for."""


@dataclass(frozen=True)
class Cell:
    """What a contender made of a prompt."""

    contender: Contender
    record: VideoRecord | None
    card: Card | None
    why: str
    """Why there is no video; empty if there is one."""
    is_refused: bool = False
    """Whether the contender cannot honour the prompt: nothing was sent to it."""

    @property
    def state(self) -> str:
        """`stored`, `pending`, `failed` or `unknown`; `cannot`; `missing`: not submitted."""
        return self.card.state if self.card else CANNOT if self.is_refused else MISSING

    @property
    def cost(self) -> str:
        """What was charged, or that it is not known; empty if nothing was submitted."""
        return _cost([self.record]) if self.record else ""

    @property
    def differences(self) -> tuple[str, ...]:
        """How the video differs from the prompt's request."""
        return differences(self.record) if self.record else ()

    @property
    def made_in(self) -> float | None:
        """Seconds that the gateway took, by its own clock if it tells; None without a video, or if not known."""
        if self.record is None or not self.record.files:
            return None
        attempt = self.record.attempt
        if attempt.generated_seconds is not None:
            return attempt.generated_seconds
        if attempt.submitted_at and attempt.finished_at:
            return max(0.0, (attempt.finished_at - attempt.submitted_at).total_seconds())
        return None


@dataclass(frozen=True)
class Row:
    """A prompt, and what each contender made of it."""

    request: VideoRequest
    cells: tuple[Cell, ...]

    @property
    def prompt(self) -> str:
        """For people; in one line."""
        text = plain(self.request.prompt) or "(no prompt)"
        return f"{text} (take {self.request.take})" if self.request.take > 1 else text


@dataclass(frozen=True)
class Column:
    """The totals of a contender."""

    contender: Contender
    cells: tuple[Cell, ...]

    @property
    def stored(self) -> int:
        """Videos in the store."""
        return sum(cell.state == "stored" for cell in self.cells)

    @property
    def cost(self) -> str:
        """What was charged, and of how many jobs that is not known."""
        return _cost([cell.record for cell in self.cells if cell.record])

    @property
    def made_in(self) -> float | None:
        """The median of the seconds to make a video."""
        known = [cell.made_in for cell in self.cells if cell.made_in is not None]
        return median(known) if known else None

    @property
    def seconds(self) -> float | None:
        """The length of all videos; None if none is known."""
        known = [cell.card.seconds for cell in self.cells if cell.card and cell.card.seconds is not None]
        return sum(known) if known else None


class Comparison:
    """What contenders made of prompts.

    Args:
        records: by the name of the contender and the key of the prompt.
        why: why there is no record, likewise.
        refused: why the contender cannot honour the prompt, likewise.
    """

    def __init__(
        self,
        batch: str,
        title: str,
        contenders: Sequence[Contender],
        requests: Sequence[VideoRequest],
        records: Mapping[tuple[str, str], VideoRecord],
        why: Mapping[tuple[str, str], str],
        refused: Mapping[tuple[str, str], str],
    ) -> None:
        self.batch = batch
        self.title = title
        self.contenders = contenders
        report = BatchReport(batch=batch, records=PackedRecords())

        def cell(contender: Contender, request: VideoRequest) -> Cell:
            place = (contender.name, request.key)
            record = records.get(place)
            if record:
                card = card_of(record, report)
                return Cell(contender, record, card, card.why if card.state != "stored" else "")
            reason = refused.get(place) or why.get(place) or "nothing was submitted"
            return Cell(contender, None, None, plain(reason), place in refused)

        self.rows = [Row(request, tuple(cell(each, request) for each in contenders)) for request in requests]

    @cached_property
    def columns(self) -> list[Column]:
        """The totals, a column for each contender."""
        return [
            Column(contender, tuple(row.cells[index] for row in self.rows))
            for index, contender in enumerate(self.contenders)
        ]

    def summary(self) -> str:
        """The totals in one sentence."""
        parts = (
            f"{column.contender.name} {column.stored} of {len(self.rows)}{f' ({column.cost})' if column.cost else ''}"
            for column in self.columns
        )
        return f"{len(self.rows)} prompt{'' if len(self.rows) == 1 else 's'}: {', '.join(parts)}."

    def page(self) -> str:
        """The page `compare.html` in the folder of the batch; videos are linked relative to it, as in the gallery."""
        style, script = render("compare.css", shapes=SHAPES), render("compare.js")
        return render(
            "compare.html",
            comparison=self,
            **inline(style, script),
            plain=plain,
        )

    def markdown(self, address: str = "") -> str:
        """The table, for the Prefect UI."""
        return render("compare.md", comparison=self, address=address, rows=self.rows[:_MOST_ROWS])

    def to_json(self) -> bytes:
        """The table as the bytes of `compare.json`."""
        return json_bytes(
            {
                "batch": self.batch,
                "title": self.title,
                "contenders": [
                    {
                        "name": column.contender.name,
                        "gateway": column.contender.gateway,
                        "account": column.contender.account,
                        "model": column.contender.model,
                        "batch": f"{self.batch}/{column.contender.name}",
                        "stored": column.stored,
                        "cost": [str(each) for each in _charged(cell.record for cell in column.cells)],
                        "without_cost": sum(_is_unknown(cell.record) for cell in column.cells),
                        "median_seconds_to_make": column.made_in,
                        "seconds": column.seconds,
                    }
                    for column in self.columns
                ],
                "rows": [
                    {
                        "request": row.request.model_dump(mode="json"),
                        "cells": {cell.contender.name: _json(cell) for cell in row.cells},
                    }
                    for row in self.rows
                ],
            }
        )


def _json(cell: Cell) -> dict[str, object]:
    record = cell.record
    return {
        "state": cell.state,
        "why": cell.why,
        "key": record.key if record else None,
        "videos": [file.uri for file in record.files] if record else [],
        "cost": [str(each) for each in record.cost] if record else [],
        "cost_is_known": not _is_unknown(record),
        "seconds_to_make": cell.made_in,
        "seconds": cell.card.seconds if cell.card else None,
        "bytes": cell.card.bytes if cell.card else None,
        "differences": list(cell.differences),
    }


def _charged(records: Iterable[VideoRecord | None]) -> tuple[Amount, ...]:
    return total(amount for record in records if record for amount in record.cost)


def _is_unknown(record: VideoRecord | None) -> bool:
    """Whether a job was, or may have been, accepted whose cost is not known."""
    return record is not None and record.without_cost > 0


def _cost(records: Sequence[VideoRecord]) -> str:
    charged, unknown = _charged(records), sum(map(_is_unknown, records))
    if not unknown:
        return told(charged)
    if len(records) == 1:
        return told(charged, unknown) or "cost not known"
    said = f"{unknown} of unknown cost"
    return f"{told(charged)} and {said}" if charged else said
