"""State that the gateways and the media origin of one run share."""

import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal

from prefect_omnivideo.sandbox.faults import GATEWAYS, Faults
from prefect_omnivideo.sandbox.jobs import JobBook
from prefect_omnivideo.sandbox.journal import Journal
from prefect_omnivideo.sandbox.links import Links
from prefect_omnivideo.sandbox.prices import charge, sums
from prefect_omnivideo.sandbox.settings import Settings

Kind = Literal["submissions", "accepted", "refused", "unauthorized", "polls", "contents", "uploads", "media", "prices"]
"""What is counted per gateway: submissions received, accepted and refused, requests without a valid key, queries,
`/content` requests, uploads, requests to the media origin, and to the price list."""

Clock = Callable[[], float]


@dataclass(frozen=True, slots=True)
class Upload:
    """An uploaded file: its path and the content type given by the client."""

    path: Path
    content_type: str


class State:
    """One run: its settings, clock (epoch seconds), job book, faults, links, uploads and counts."""

    def __init__(self, settings: Settings, media_url: str, clock: Clock = time.time) -> None:
        self.settings = settings
        self.clock = clock
        self.faults = Faults(settings.plan())
        self.journal = Journal(settings.journal) if settings.journal else None
        self.book = JobBook(clock, settings.latency, settings.jitter, self.journal)
        self.links = Links(media_url, settings.key, settings.link_seconds, self.faults)
        self.uploads: dict[str, Upload] = {}
        self.counts = {gateway: Counter[Kind]() for gateway in GATEWAYS}
        self.leaks: list[str] = []
        self._folder: tempfile.TemporaryDirectory[str] | None = None

    @property
    def folder(self) -> Path:
        """A temporary folder for uploads, created when first needed."""
        if self._folder is None:
            self._folder = tempfile.TemporaryDirectory(prefix="omnivideo-sandbox-")
        return Path(self._folder.name)

    def used(self, gateway: str, account: str) -> Decimal:
        """What an account was charged at a gateway, without what was refunded."""
        mine = (job for job in self.book if (job.gateway, job.account) == (gateway, account))
        return sum((charge(job, self.book.now(job)) for job in mine), Decimal(0))

    def charged(self) -> dict[str, str]:
        """What all jobs were charged, without what was refunded: decimal text by unit."""
        return sums((job.gateway, charge(job, self.book.now(job))) for job in self.book)

    def stats(self) -> dict[str, Any]:
        """Counts per gateway, times per job, the sum of the bill, and leaks: media paths requested with a key."""
        times = ("gateway", "accepted_at", "finished_at", "seen_at", "polls", "downloads")
        return {
            "gateways": {gateway: dict(counts) for gateway, counts in self.counts.items()},
            "leaks": list(self.leaks),
            "charged": self.charged(),
            "jobs": {line["id"]: {name: line[name] for name in times} for line in self.book.bill()},
        }

    def reset(self) -> None:
        """Forget jobs, counts, leaks, and the counts of injected faults."""
        self.book.reset()
        self.faults.reset()
        self.leaks.clear()
        for counts in self.counts.values():
            counts.clear()

    def close(self) -> None:
        """Close the journal and remove the uploads."""
        if self.journal:
            self.journal.close()
        if self._folder:
            self._folder.cleanup()
