"""What became of a batch, for people and for programs."""

from __future__ import annotations

import html
import re
import shlex
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC
from itertools import islice

from pydantic import BaseModel, ConfigDict

from prefect_omnivideo.core.errors import FailureCategory
from prefect_omnivideo.core.records.compact import PackedRecords
from prefect_omnivideo.core.records.model import Attempt, VideoRecord, VideoState
from prefect_omnivideo.core.storage.base import json_bytes

ADVICE: dict[FailureCategory, str] = {
    "refused": "Change the request as the reason says.",
    "moderated": "Do not send it again as it is: the filter would refuse it again. Change prompt or references.",
    "no balance": "Top up the account.",
    "unauthorized": "Check the key of the account, and whether it may use this model.",
    "gateway error": "The request may well be in order: see whether the gateway is.",
    "cancelled": "It was cancelled at the gateway.",
    "expired": "The gateway no longer has it.",
    "abandoned": "A person gave it up.",
}


class BatchReport(BaseModel):
    """The videos of one batch, in the order they were asked for, and where each one stands."""

    model_config = ConfigDict(frozen=True)

    batch: str
    records: PackedRecords
    skipped: tuple[str, ...] = ()
    """Rows of the sheet that were left out, each with its reason."""
    gallery: str | None = None
    """Address of the gallery, where one was written."""
    report: str | None = None
    """Address of `report.json`, where one was written."""

    @property
    def stored(self) -> Sequence[VideoRecord]:
        """Videos that are in the store."""
        return self.records.having(VideoState.STORED)

    @property
    def pending(self) -> Sequence[VideoRecord]:
        """Videos still being made; the next run of the batch collects them."""
        return self.records.having(VideoState.SUBMITTING, VideoState.SUBMITTED, VideoState.FINISHED)

    @property
    def failed(self) -> Sequence[VideoRecord]:
        """Videos that will not come from the attempts made."""
        return self.records.having(VideoState.FAILED)

    @property
    def unknown(self) -> Sequence[VideoRecord]:
        """Videos whose submission may or may not have been accepted, and paid."""
        return self.records.having(VideoState.UNKNOWN)

    @property
    def unsettled(self) -> Sequence[VideoRecord]:
        """Failed and unknown videos that nobody gave up: a run that has one ends Failed."""
        return tuple(record for record in (*self.failed, *self.unknown) if not record.is_abandoned)

    @property
    def counts(self) -> dict[str, int]:
        """How many videos are stored, pending, failed and unknown."""
        found = Counter(each.state for each in self.records.packed)
        return {
            "stored": found[VideoState.STORED],
            "pending": sum(found[s] for s in (VideoState.SUBMITTING, VideoState.SUBMITTED, VideoState.FINISHED)),
            "failed": found[VideoState.FAILED],
            "unknown": found[VideoState.UNKNOWN],
        }

    @property
    def cost(self) -> float | None:
        """Sum of the costs that gateways told, in their account currency; None when none told."""
        return self._total().cost

    @property
    def credits(self) -> float | None:
        """Sum of the credits that gateways told; None when none told."""
        return self._total().credits

    def summary(self) -> str:
        """The state of the batch in one sentence."""
        said = {
            "stored": "{} stored",
            "pending": "{} still being made",
            "failed": "{} failed",
            "unknown": "{} of unknown outcome that may have been paid",
        }
        total = len(self.records)
        parts = [said[state].format(count) for state, count in self.counts.items() if count]
        return f"{total} video{'' if total == 1 else 's'}{': ' if parts else ''}{', '.join(parts)}."

    def markdown(self) -> str:
        """The state of the batch on a page: totals, cost, and what to do about each video that is not there."""
        parts = [f"# {markdown_text(self.batch)}", self.summary(), self._costs()]
        if self.unknown:
            rows = [
                (
                    markdown_text(title(record)),
                    _moment(record),
                    markdown_text(f"{record.attempt.account} at {record.attempt.base_url}"),
                    f"`{resolve_command(record)}`",
                )
                for record in self.unknown
            ]
            parts += [
                "## Unknown outcome",
                "These went out and no answer came back: they may have been accepted and paid. They are never sent "
                "again by themselves. Look for each one in the task list of its account, at the time it was sent, "
                "and settle it.",
                _table(("video", "sent", "account", "settle it with"), rows),
            ]
        if self.failed:
            failures = [
                (markdown_text(title(record)), markdown_text(reason(record)), markdown_text(what_to_do(record)))
                for record in self.failed
            ]
            parts += ["## Failed", _table(("video", "reason", "what to do"), failures)]
        if self.pending:
            rows = [
                (
                    markdown_text(title(record)),
                    str(record.state),
                    markdown_text(record.attempt.account),
                    markdown_text(record.attempt.task_id or "none yet"),
                )
                for record in self.pending
            ]
            parts += [
                "## Still being made",
                "Not a failure: the next run of this batch collects them without paying again.",
                _table(("video", "state", "account", "task"), rows),
            ]
        if different := [record for record in self.stored if record.mismatches]:
            notes = [
                (markdown_text(title(record)), markdown_text("; ".join(record.mismatches))) for record in different
            ]
            parts += ["## Not quite what was asked for", _table(("video", "difference"), notes)]
        if self.skipped:
            parts += ["## Rows left out of the sheet", "\n".join(f"- {markdown_text(row)}" for row in self.skipped)]
        addresses = [f"{what}: `{uri}`" for what, uri in (("Gallery", self.gallery), ("Report", self.report)) if uri]
        return "\n\n".join(filter(None, [*parts, *addresses])) + "\n"

    def to_json(self) -> bytes:
        """The report as the bytes of `report.json`, each record in a line of its own."""
        total = self._total()
        head = json_bytes(
            {
                "batch": self.batch,
                "summary": self.summary(),
                "counts": self.counts,
                "cost": total.cost,
                "credits": total.credits,
                "gallery": self.gallery,
                "skipped": list(self.skipped),
            }
        ).removesuffix(b"\n}\n")
        # Joined once: it may have many megabytes.
        lines = (part for each in self.records.packed for part in (b",\n", each.text))
        return b"".join((head, b',\n  "records": [\n', *islice(lines, 1, None), b"\n]\n}\n"))

    def _total(self) -> _Bill:
        """One look at every record; there may be thousands to be made for it."""
        total = _Bill()
        for record in self.records:
            for attempt in record.attempts:
                total.add(attempt)
        return total

    def _bills(self) -> dict[str, _Bill]:
        """What each account told, as currencies of different accounts do not add up."""
        bills: dict[str, _Bill] = {}
        for record in self.records:
            for attempt in record.attempts:
                bills.setdefault(attempt.account, _Bill()).add(attempt)
        return bills

    def _costs(self) -> str:
        lines = [
            (markdown_text(account), str(bill.accepted), _amounts(bill.cost, bill.credits), str(bill.silent))
            for account, bill in sorted(self._bills().items())
        ]
        return _table(("account", "jobs accepted", "cost as the gateway told", "cost not told"), lines) if lines else ""


@dataclass
class _Bill:
    """What one account, or all of them, took and told."""

    accepted: int = 0
    silent: int = 0
    cost: float | None = None
    credits: float | None = None

    def add(self, attempt: Attempt) -> None:
        self.accepted += attempt.task_id is not None
        self.silent += attempt.task_id is not None and attempt.cost is None and attempt.credits is None
        self.cost = _sum((self.cost, attempt.cost))
        self.credits = _sum((self.credits, attempt.credits))


def title(record: VideoRecord) -> str:
    """What a person knows the video by: its prompt and its take, in one line of at most 120 characters."""
    text = plain(record.request.prompt) or "(no prompt)"
    text = text if len(text) <= 120 else text[:119] + "…"
    return text if record.request.take == 1 else f"{text} (take {record.request.take})"


def reason(record: VideoRecord) -> str:
    """Why there is no video, or an empty text when there is one or may still be."""
    if record.state is VideoState.UNKNOWN:
        return "It is not known whether the gateway accepted it: it may have been paid."
    if record.state is VideoState.FAILED and record.failure:
        return f"{record.failure.category}: {plain(record.failure.message)}"
    return ""


def what_to_do(record: VideoRecord) -> str:
    """The next step for a failed or unknown video, and whether it may have cost something; empty for the others."""
    failure = record.failure
    if record.state is VideoState.UNKNOWN:
        return (
            f"Look for it in the task list of {record.attempt.account} at {record.attempt.base_url}, sent "
            f"{_moment(record)}, then settle it: {resolve_command(record)}"
        )
    if record.state is not VideoState.FAILED or failure is None:
        return ""
    if failure.released:
        rest = "A person released it; the next run of the batch sends it again."
    elif failure.may_resubmit:
        rest = "Nothing was spent; the next run of the batch sends it again."
    elif not failure.accepted:
        rest = "Nothing was spent."
    else:
        rest = "The gateway had accepted it and may have charged for it."
        if failure.category not in ("refused", "moderated"):
            rest += " If the video is still wanted, ask for another take."
    return f"{ADVICE[failure.category]} {rest}"


def resolve_command(record: VideoRecord) -> str:
    """The command that settles a video of unknown outcome."""
    return f"omnivideo resolve {record.key} --batch {shlex.quote(record.batch)}"


def _moment(record: VideoRecord) -> str:
    return f"{record.attempt.started_at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def plain(text: str) -> str:
    """Any text as one line that cannot disturb the page around it: no controls, no direction overrides."""
    clean = "".join(" " if unicodedata.category(char) in ("Cc", "Cs") or char in _DIRECTIONS else char for char in text)
    return " ".join(clean.split())


_DIRECTIONS = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f")


def markdown_text(text: str) -> str:
    """Any text, for Markdown that shows it as text: no markup, no links, no HTML."""
    return html.escape(re.sub(r"[\\`*_\[\]|~$]|:(?=//)", r"\\\g<0>", plain(text)), quote=False)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, ["---"] * len(head), *rows))


def _sum(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) if known else None


def _amounts(cost: float | None, credits: float | None) -> str:
    told = [f"{cost:.10g}"] if cost is not None else []
    return ", ".join([*told, f"{credits:.10g} credits"] if credits is not None else told) or "not told"
