"""The ledger of a budget: one small JSON object in the store, changed only from its latest state."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import stamina
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from prefect_omnivideo.core.budget.usage import ZERO, Usage
from prefect_omnivideo.core.errors import RecordConflictError, StoreError, StoreUnavailableError
from prefect_omnivideo.core.storage.base import ETag, ObjectStore, json_bytes

_in_turn = stamina.RetryingCaller(attempts=None, timeout=60, wait_initial=0.02, wait_max=2, wait_jitter=0.1)
"""Many processes change one ledger, and nothing is submitted until a change is written."""


class Entry(BaseModel):
    """What one process holds of a budget, or what it used and is not certain yet.

    Attributes:
        batch: the batch that it works on; its records tell what was used.
        held: everything that counts: used, about to be used, and leased for what comes next.
        sure: the part of it whose submission has an outcome; the rest may be given back.
        seconds: how long the entry is valid without a change.
        ends_at: when that ends, by the clock of its writer.
        beat: changes with every write of the process.
        ended: the process has ended. What it used is counted from its records until all of it is certain.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    batch: str
    held: Usage
    sure: Usage
    seconds: float = Field(gt=0)
    ends_at: AwareDatetime
    beat: str
    ended: bool = False

    @property
    def may_return(self) -> bool:
        """Whether some of it may still be given back soon."""
        return not self.ended and self.held != self.sure


class Page(BaseModel):
    """What is used and held of a budget. The limits are not kept: each run brings its own."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: Literal[1] = 1
    settled: Usage = ZERO
    """What is certain, and not in an entry."""
    entries: dict[str, Entry] = Field(default={})
    """By the id of the lease, which the records of its videos name."""

    def total(self, *, besides: str = "") -> Usage:
        """All that counts, leaving out one entry."""
        return sum((entry.held for name, entry in self.entries.items() if name != besides), self.settled)

    def having(self, name: str, entry: Entry) -> Page:
        """The page with this entry."""
        return self.model_copy(update={"entries": {**self.entries, name: entry}})

    def settling(self, name: str, usage: Usage) -> Page:
        """The page with an entry's final usage in place of the entry."""
        entries = {other: entry for other, entry in self.entries.items() if other != name}
        return self.model_copy(update={"entries": entries, "settled": self.settled + usage})


class Ledger:
    """A ledger in a store. All methods block.

    Args:
        store: where it is kept, beside the records.
        name: of the object.
        first: what counts before the first process uses the budget; called if there is no ledger yet.
    """

    def __init__(self, store: ObjectStore, name: str, first: Callable[[], Usage] = lambda: ZERO) -> None:
        self.store = store
        self.name = name
        self._first = first

    @property
    def place(self) -> str:
        """Its address."""
        return self.store.uri(self.name)

    def exists(self) -> bool:
        """Whether anyone has used the budget."""
        return self.store.size(self.name) is not None

    def open(self) -> Page:
        """The ledger, created if there is none.

        Raises:
            StoreError: the store does not honour conditional writes, or the ledger is unreadable.
        """
        self.store.prove()
        return self.change(lambda page: page)

    def change(self, step: Callable[[Page], Page]) -> Page:
        """Write the result of `step`, which may be called several times; nothing is written if it changes nothing.

        Raises:
            StoreError: the store refused, or was unavailable for a minute; it may have been written nevertheless.
        """

        def write() -> Page:
            old, etag = self._read()
            new = step(old)
            if new is not old or etag is None:
                self._write(new, etag)
            return new

        return _in_turn((RecordConflictError, StoreUnavailableError), write)

    def _read(self) -> tuple[Page, ETag | None]:
        found = self.store.read(self.name)
        if found is None:
            return Page(settled=self._first()), None
        try:
            return Page.model_validate_json(found[0]), found[1]
        except ValidationError:
            raise StoreError(
                f"{self.place} should be the ledger of a budget and is not, or was written by a newer "
                "prefect-omnivideo. Restore it from a backup or a version of the object; removing it would allow "
                "spending the budget again"
            ) from None

    def _write(self, page: Page, etag: ETag | None) -> None:
        data = json_bytes(page.model_dump(mode="json"))
        if etag is None:
            self.store.create(self.name, data)
        else:
            self.store.replace(self.name, data, etag)
