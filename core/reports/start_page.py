"""The start page of a store: `index.html` at its root, with all its batches.

It is made from `batches.json` beside it, which holds a few figures of each batch, so that the end of a run costs two
small reads and two writes, however many records and batches the store has. That object is changed only from its latest
state (compare and swap): runs that end at the same time do not lose each other's batches. If it is missing or cannot be
read, it is collected again from the reports of the batches, which are the truth.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import stamina
from markupsafe import Markup
from pydantic import AwareDatetime, BaseModel, ConfigDict, JsonValue, TypeAdapter, ValidationError

from prefect_omnivideo.core.errors import RecordConflictError
from prefect_omnivideo.core.records.repository import READERS, Records
from prefect_omnivideo.core.reports.report import HEAD_ENDS
from prefect_omnivideo.core.reports.templating import csp_hash, render
from prefect_omnivideo.core.reports.wording import plain
from prefect_omnivideo.core.storage.base import ObjectStore, json_bytes

PAGE, INDEX = "index.html", "batches.json"
_LONGEST_HEAD = 16 * 1024 * 1024
_TRIES = 30

_in_turn = stamina.RetryingCaller(attempts=_TRIES, timeout=60, wait_initial=0.02, wait_max=2, wait_jitter=0.1)


class Entry(BaseModel):
    """One batch on the start page."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    batch: str
    title: str = ""
    """The name as somebody typed it, if that is another one."""
    counts: dict[str, int] = {}
    """By state; empty as long as no report was written."""
    cost: JsonValue = None
    """What gateways reported: texts such as "1.20 USD", or in older reports a number."""
    jobs_without_cost: int = 0
    credits: float | None = None
    created_at: AwareDatetime | None = None
    """When the first video was submitted."""
    written_at: AwareDatetime | None = None
    """When the report was written, at the end of the latest run."""

    @property
    def told(self) -> str:
        """The cost, for people."""
        given = self.cost if isinstance(self.cost, list) else [] if self.cost is None else [self.cost]
        amounts = [f"{each:.10g}" if isinstance(each, int | float) else str(each) for each in given]
        amounts += [f"{self.credits:.10g} credits"] if self.credits is not None else []
        said = " and ".join(amounts)
        return f"{said} and more, not known" if said and self.jobs_without_cost else said


Entries = Mapping[str, Entry]
_ENTRIES = TypeAdapter(dict[str, Entry])


def entry_of(report: bytes) -> Entry:
    """The entry of a batch from the bytes of its `report.json`, or from their beginning.

    Raises:
        ValueError: they are not a report.
    """
    end = report.find(HEAD_ENDS)
    head = report[:end] + b"}" if end >= 0 else report
    return Entry.model_validate(json.loads(head))


def list_batch(store: ObjectStore, entry: Entry) -> None:
    """Put a batch on the start page, or bring it up to date there.

    Raises:
        StoreError: the page cannot be written.
    """

    def add(known: Entries) -> Entries:
        old = known.get(entry.batch)
        is_older = old and old.written_at and entry.written_at and entry.written_at < old.written_at
        return known if is_older else {**known, entry.batch: entry}

    _change(store, add)


def relist_batches(store: ObjectStore) -> None:
    """Make the start page from what lies in the store: new batches come, and removed ones go.

    Lists the names of all objects, and reads the beginning of each report.

    Raises:
        StoreError: the store cannot be read, or the page cannot be written.
    """
    _change(store, lambda _: collected(store))


def collected(store: ObjectStore) -> Entries:
    """An entry for every batch of the store, from its report."""

    def entry(batch: str) -> Entry:
        name = f"{batch}/report.json"
        if store.size(name) is None:
            return Entry(batch=batch)
        try:
            with store.open(name) as file:
                head = file.read(_CHUNK)
                while HEAD_ENDS not in head and len(head) < _LONGEST_HEAD and (more := file.read(_CHUNK)):
                    head += more
            return entry_of(head).model_copy(update={"batch": batch})  # its folder may have been renamed
        except ValueError:
            return Entry(batch=batch)

    batches = list(Records(store).batches())
    with ThreadPoolExecutor(READERS, thread_name_prefix="reports") as pool:
        return {found.batch: found for found in pool.map(entry, batches)}


_CHUNK = 64 * 1024


def start_page(entries: Iterable[Entry]) -> str:
    """The page itself; batches with the latest run first."""
    style = render("start.css")
    newest = sorted(entries, key=lambda entry: (entry.written_at or _NEVER, entry.batch), reverse=True)
    policy = f"default-src 'none'; style-src '{csp_hash(style)}'; base-uri 'none'; form-action 'none'"
    return render(
        "start.html",
        policy=Markup(policy),  # noqa: S704  # written here
        style=Markup(style),  # noqa: S704  # the browser hashes it verbatim; it holds no data
        entries=newest,
        states=STATES,
        videos=sum(sum(entry.counts.values()) for entry in newest),
        link=_link,
        day=_day,
        plain=plain,
    )


def _link(entry: Entry) -> str:
    return quote(f"{entry.batch}/index.html", errors="replace")


def _day(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


STATES = ("stored", "pending", "failed", "unknown")
_NEVER = datetime.min.replace(tzinfo=UTC)


def _change(store: ObjectStore, step: Callable[[Entries], Entries]) -> None:
    def write() -> None:
        found = store.read(INDEX)
        known = _parsed(found[0]) if found else None
        changed = step(collected(store) if known is None else known)
        if found and changed == known:
            return
        data = json_bytes(_ENTRIES.dump_python(dict(changed), mode="json", exclude_none=True), indent=None)
        if found:
            store.replace(INDEX, data, found[1])
        else:
            store.create(INDEX, data)

    _in_turn(RecordConflictError, write)
    _show(store)


def _show(store: ObjectStore) -> None:
    """Write the page, and again if the entries changed meanwhile: the last one to write it shows them all."""
    for _ in range(_TRIES):
        found = store.read(INDEX)
        if found is None:
            return
        store.put(PAGE, start_page((_parsed(found[0]) or {}).values()).encode(), content_type=_HTML)
        latest = store.read(INDEX)
        if latest is None or latest[1] == found[1]:
            return


_HTML = "text/html; charset=utf-8"


def _parsed(data: bytes) -> dict[str, Entry] | None:
    """The entries, or None if they cannot be read."""
    try:
        value: Any = json.loads(data)
        return _ENTRIES.validate_python(value)
    except (ValueError, RecursionError, ValidationError):
        return None
