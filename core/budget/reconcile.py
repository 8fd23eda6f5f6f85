"""Leases of processes that have ended: what was used of them is counted from the records."""

from __future__ import annotations

from collections.abc import Mapping

from prefect_omnivideo.core.budget.evidence import Found, usage_of_leases
from prefect_omnivideo.core.budget.holding import Clock
from prefect_omnivideo.core.budget.ledger import Entry, Ledger, Page
from prefect_omnivideo.core.records.model import CLOCKS_APART, now
from prefect_omnivideo.core.records.repository import Records

_SLACK = 1.1
"""Clocks of two machines do not run equally fast."""


class Watch:
    """Finds out which leases have expired, without trusting the clock of another machine.

    A lease has expired if it has been seen unchanged for as long as it lasts, or if it ended so long ago that no clock
    is that wrong.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._seen: dict[str, tuple[str, float]] = {}

    def expired(self, page: Page, own: str) -> dict[str, Entry]:
        """Entries of the page, other than one's own, whose process is dead or may no longer submit."""
        moment = self._clock()
        living = {name: entry for name, entry in page.entries.items() if not entry.ended and name != own}
        self._seen = {
            name: seen if (seen := self._seen.get(name)) and seen[0] == entry.beat else (entry.beat, moment)
            for name, entry in living.items()
        }
        return {
            name: entry
            for name, entry in living.items()
            if moment > self._seen[name][1] + _SLACK * entry.seconds or now() > entry.ends_at + CLOCKS_APART
        }


def count_used(ledger: Ledger, records: Records, entries: Mapping[str, Entry]) -> Page:
    """Replace entries of processes that ended by what their records tell.

    What is certain is settled. The rest stays: it runs, or may have been spent. Where a record cannot be read, all
    that was held stays.

    Raises:
        StoreError: the store refused.
    """
    found: dict[str, Found | None] = {}
    for batch in {entry.batch for entry in entries.values()}:
        unreadable: list[Exception] = []
        mine = [name for name, entry in entries.items() if entry.batch == batch]
        counted = usage_of_leases(records.batch(batch, unreadable.append), mine)
        found.update(dict.fromkeys(mine) if unreadable else counted)

    def step(page: Page) -> Page:
        for name, entry in entries.items():
            current = page.entries.get(name)
            if current is None or current.beat != entry.beat:  # it was alive, or another process was faster
                continue
            used = found[name]
            if used is not None and used.is_final:
                page = page.settling(name, used.usage)
                continue
            held = current.held if used is None else used.usage
            ended = current.model_copy(update={"held": held, "sure": held, "ended": True})
            if ended != current:
                page = page.having(name, ended)
        return page

    return ledger.change(step)
