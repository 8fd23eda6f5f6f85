"""The outcome of a batch, for people and for programs."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from decimal import Decimal
from itertools import islice

from pydantic import BaseModel, ConfigDict

from prefect_omnivideo.core.money.amount import Amount, told, total
from prefect_omnivideo.core.records.compact import PackedRecords, RecordsField
from prefect_omnivideo.core.records.model import StoredFile, VideoRecord, VideoState, now
from prefect_omnivideo.core.records.sequence import Sequence as Joined
from prefect_omnivideo.core.reports.approval import Approval
from prefect_omnivideo.core.reports.commands import resolve_commands
from prefect_omnivideo.core.reports.routing import differences, moves, paths
from prefect_omnivideo.core.reports.spending import Line, Spending
from prefect_omnivideo.core.reports.spending_page import Figure, accounts_table, figures
from prefect_omnivideo.core.reports.templating import render
from prefect_omnivideo.core.reports.wording import moment, reason, title, what_to_do
from prefect_omnivideo.core.storage.base import json_bytes, web_address

HEAD_ENDS = b',\n  "records": [\n'
"""What follows the totals in `report.json`: they can be read without the records."""


class BatchReport(BaseModel):
    """The videos of one batch, in the order of the requests, with the state of each."""

    model_config = ConfigDict(frozen=True)

    batch: str
    """Its name in the store."""
    title: str = ""
    """The name as somebody typed it; empty where that is not known, or the same."""
    records: RecordsField
    skipped: tuple[str, ...] = ()
    """Rows of the sheet that were left out, each with its reason."""
    spending: tuple[str, ...] = ()
    """What the run was about to spend before its first submission, and the balances, by account."""
    charged: tuple[str, ...] = ()
    """What accounts were charged by their own logs since the run began, the balances afterwards, and what of both the
    recorded costs do not explain."""
    rested: tuple[str, ...] = ()
    """Accounts of a route that were sent to rest during the run, and those that came back; a sentence for each."""
    left_out: int = 0
    """Videos that were not submitted as a budget is reached."""
    budgets: tuple[str, ...] = ()
    """What is used of each budget, where one is reached; a sentence for each."""
    approval: Approval | None = None
    """What a person answered who was asked before anything was spent; None if nobody was asked."""
    held: int = 0
    """Videos that were not submitted as they were not approved."""
    sequences: tuple[Joined, ...] = ()
    """Storyboards, each with the video that its shots were joined into."""
    gallery: str | None = None
    """Address of the gallery, if one was written: its public URL if the store has one."""
    report: str | None = None
    """Address of `report.json`, if one was written: its public URL if the store has one."""
    store: str | None = None
    """Address of the store, or the saved block whose keys open it, as `omnivideo --store` takes them."""
    endpoint_url: str | None = None
    """Address of the store's server, if it is not AWS."""
    public_url: str = ""
    """Address at which a web server shows the store; empty if none does."""

    @property
    def stored(self) -> Sequence[VideoRecord]:
        """Videos that are in the store."""
        return self.records.having(VideoState.STORED)

    @property
    def pending(self) -> Sequence[VideoRecord]:
        """Videos still in progress; the next run of the batch collects them."""
        return self.records.having(VideoState.SUBMITTING, VideoState.SUBMITTED, VideoState.FINISHED)

    @property
    def finished(self) -> Sequence[VideoRecord]:
        """Pending videos that the gateway has finished and that could not be stored yet."""
        return self.records.having(VideoState.FINISHED)

    @property
    def failed(self) -> Sequence[VideoRecord]:
        """Videos whose attempts failed."""
        return self.records.having(VideoState.FAILED)

    @property
    def unknown(self) -> Sequence[VideoRecord]:
        """Videos whose submission may or may not have been accepted, and paid."""
        return self.records.having(VideoState.UNKNOWN)

    @property
    def unresolved(self) -> Sequence[VideoRecord]:
        """Failed and unknown videos that were not abandoned: a run that has one ends Failed."""
        return tuple(record for record in (*self.failed, *self.unknown) if not record.is_abandoned)

    @property
    def repeated(self) -> Sequence[VideoRecord]:
        """Videos that were submitted more than once."""
        return PackedRecords(each for each in self.records.packed if each.attempts > 1)

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
    def cost(self) -> tuple[Amount, ...]:
        """What gateways reported that they charged: an amount for each currency and for credits, or none."""
        return total(amount for each in self.records.packed for amount in each.cost)

    @property
    def without_cost(self) -> int:
        """Jobs whose cost is not known: it comes on top."""
        return sum(each.without_cost for each in self.records.packed)

    def address(self, file: StoredFile) -> str:
        """Where people find a video: its public URL if the store has one, otherwise its permanent address."""
        return web_address(self.public_url, file.name) or file.uri

    @staticmethod
    def title_in(head: bytes) -> str:
        """The title in the first kilobytes of a `report.json`; empty if there is none."""
        for line in head.splitlines()[:5]:
            if line.startswith(b'  "title": '):
                with suppress(ValueError):
                    return str(json.loads(line.partition(b": ")[2].rstrip(b",")))
        return ""

    def summary(self) -> str:
        """The state of the batch in one sentence."""
        said = {
            "stored": "{} stored",
            "pending": "{} still being made",
            "failed": "{} failed",
            "unknown": "{} of unknown outcome that may have been paid",
        }
        if finished := len(self.finished):
            said["pending"] += f" ({finished} of them finished at the gateway, and not in the store yet)"
        count = len(self.records) + self.left_out + self.held
        parts = [said[state].format(count) for state, count in self.counts.items() if count]
        if self.left_out:
            parts.append(f"{self.left_out} left out as the budget is reached")
        if self.held:
            parts.append(f"{self.held} not approved")
        more = f", without {_jobs(self.without_cost)} of unknown cost" if self.without_cost else ""
        cost = f" Cost so far: {told(self.cost)}{more}." if self.cost else ""
        return f"{count} video{'' if count == 1 else 's'}{': ' if parts else ''}{', '.join(parts)}.{cost}"

    def markdown(self, heading: str = "") -> str:
        """The state of the batch on a page: totals, cost, and what to do about each video that is missing.

        Args:
            heading: in place of the batch's name.
        """
        return render(
            "report.md",
            report=self,
            heading=heading or self.title or self.batch,
            accounts=accounts_table(self.spending_by_account()),
            different=(record for record in self.stored if differences(record)),
            differences=differences,
            moved=(record for record in self.repeated if moves(record)),
            moves=moves,
            title=title,
            moment=moment,
            reason=reason,
            what_to_do=what_to_do,
            resolve_commands=resolve_commands,
        )

    def to_json(self) -> bytes:
        """The report as the bytes of `report.json`, each record on its own line."""
        head = json_bytes(
            {
                "batch": self.batch,
                "title": self.title,
                "summary": self.summary(),
                "counts": self.counts,
                "cost": [str(amount) for amount in self.cost],
                "jobs_without_cost": self.without_cost,
                "before": list(self.spending),
                "after": list(self.charged),
                "rested": list(self.rested),
                "accounts": [
                    {"account": line.group, **{name: _json(value) for name, value in figures(line).items()}}
                    for line in self.spending_by_account()
                ],
                "moved": paths(self.repeated),
                "created_at": min((json.loads(each.text)["created_at"] for each in self.records.packed), default=None),
                "written_at": now().isoformat(),
                "gallery": self.gallery,
                "skipped": list(self.skipped),
                "left_out": self.left_out,
                "budgets": list(self.budgets),
                "approval": self.approval.model_dump(mode="json") if self.approval else None,
                "held": self.held,
                "sequences": [each.model_dump(mode="json") for each in self.sequences],
            }
        ).removesuffix(b"\n}\n")
        # Joined once: it may be many megabytes.
        lines = (part for each in self.records.packed for part in (b",\n", each.text))
        return b"".join((head, HEAD_ENDS, *islice(lines, 1, None), b"\n]\n}\n"))

    def spending_by_account(self) -> list[Line]:
        """What each account charged; in one pass over the records, as there may be thousands to parse."""
        found = Spending("account")
        for record in self.records:
            found.add(record)
        return found.lines


def _jobs(count: int) -> str:
    return f"{count} job{'' if count == 1 else 's'}"


def _json(value: Figure) -> str | int | None:
    """A decimal number as text, which keeps it exact."""
    return f"{value:f}" if isinstance(value, Decimal) else value
