"""The start page of a store: every batch on it, whoever ends when, without reading all records."""

import json
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prefect_omnivideo.core.errors import StoreError
from prefect_omnivideo.core.records.compact import PackedRecords, pack
from prefect_omnivideo.core.records.model import VideoRecord
from prefect_omnivideo.core.records.repository import Records
from prefect_omnivideo.core.reports import start_page as pages
from prefect_omnivideo.core.reports.report import BatchReport
from prefect_omnivideo.core.reports.start_page import (
    INDEX,
    PAGE,
    Entry,
    collected,
    entry_of,
    list_batch,
    relist_batches,
    start_page,
)
from prefect_omnivideo.core.reports.templating import csp_hash
from prefect_omnivideo.core.storage.folder import Folder
from tests.core.records.samples import record, stored


def report_of(batch: str, *records: VideoRecord) -> bytes:
    return BatchReport(batch=batch, records=PackedRecords(map(pack, records))).to_json()


def made(store: Folder, batch: str, videos: int = 2) -> bytes:
    """A batch as a run leaves it: its records and its report."""
    records = [stored(record(f"video {number}", batch)) for number in range(videos)]
    for each in records:
        Records(store).claim(each)
    report = report_of(batch, *records)
    store.put(f"{batch}/report.json", report, content_type="application/json")
    return report


@pytest.fixture
def store(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


def shown(store: Folder) -> list[str]:
    """The galleries the page links to, in its order."""
    page = store.read(PAGE)
    assert page
    return re.findall(r'<a href="([^"]*)"', page[0].decode())


def test_a_batch_comes_with_its_states_cost_and_dates(store: Folder) -> None:
    videos = [stored(record("one")), record("two").submitted("t"), record("three").unknown("lost")]
    list_batch(store, entry_of(report_of("daily/2026-08-01", *videos)))
    page = (store.path / PAGE).read_text()
    assert shown(store) == ["daily/2026-08-01/index.html"]
    for part in ("<b>1</b> stored", "<b>1</b> pending", "<b>1</b> unknown", "1 batch, 3 videos", "0.25"):
        assert part in page
    assert "<b>0</b>" not in page
    assert page.count("<time ") == 2


def test_runs_that_end_at_the_same_time_lose_no_batch(store: Folder) -> None:
    batches = [f"batch-{number:02}" for number in range(24)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda batch: list_batch(store, entry_of(report_of(batch, stored(record("x", batch))))), batches))
    assert sorted(shown(store)) == [f"{batch}/index.html" for batch in batches]


def test_a_run_that_ends_late_does_not_put_back_what_a_later_one_wrote(store: Folder) -> None:
    early = entry_of(report_of("daily", record("one").submitted("t")))
    late = entry_of(report_of("daily", stored(record("one"))))
    list_batch(store, late)
    list_batch(store, early)
    assert "<b>1</b> stored" in (store.path / PAGE).read_text()


class Counting(Folder):
    """Counts what is read and listed."""

    reads = 0
    listed = 0

    def read(self, name: str) -> tuple[bytes, str] | None:
        self.reads += 1
        return super().read(name)

    def names(self, prefix: str = "") -> Iterator[str]:
        self.listed += 1
        return super().names(prefix)


def test_the_end_of_a_run_reads_no_records_and_lists_nothing(tmp_path: Path) -> None:
    store = Counting(tmp_path)
    for number in range(30):
        made(store, f"batch-{number}", videos=3)
    relist_batches(store)
    store.reads = store.listed = 0
    list_batch(store, entry_of(made(store, "one-more")))
    written = 1  # `made` reads nothing but what it claims
    assert store.listed == 0
    assert store.reads <= 3 + written
    assert len(shown(store)) == 31


def test_a_store_from_before_gets_all_its_batches_at_once(store: Folder) -> None:
    for batch in ("a", "daily/2026-08-01", "daily"):
        made(store, batch)
    Records(store).claim(record("alone", "without-report"))
    list_batch(store, entry_of(made(store, "new")))
    assert set(shown(store)) == {f"{batch}/index.html" for batch in ("a", "daily", "daily/2026-08-01", "new")}
    assert "without-report" in (store.path / PAGE).read_text()


@pytest.mark.parametrize("broken", [b"", b"{", b"[]", b'{"a": 1}', b"\xff", b'{"a": {"batch": 7}}'])
def test_an_index_that_cannot_be_read_is_made_anew(store: Folder, broken: bytes) -> None:
    made(store, "old")
    store.put(INDEX, broken, content_type="application/json")
    list_batch(store, entry_of(made(store, "new")))
    assert set(shown(store)) == {"old/index.html", "new/index.html"}


def test_a_batch_that_was_removed_leaves_with_the_next_sweep(store: Folder) -> None:
    for batch in ("kept", "removed"):
        list_batch(store, entry_of(made(store, batch)))
    for name in list(store.names("removed/")):
        store.delete(name)
    relist_batches(store)
    assert shown(store) == ["kept/index.html"]


def test_a_report_is_read_only_as_far_as_needed(store: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, "_CHUNK", 100)
    made(store, "a", videos=5)
    assert collected(store)["a"].counts["stored"] == 5
    store.put("a/report.json", b"not a report", content_type="application/json")
    assert collected(store)["a"] == Entry(batch="a")


def test_a_report_of_an_older_version_is_shown(store: Folder) -> None:
    Records(store).claim(record("x", "old"))
    old = {"batch": "old", "counts": {"stored": 1}, "cost": 1.5, "credits": 20, "gallery": None, "records": []}
    store.put("old/report.json", json.dumps(old, indent=2).encode(), content_type="application/json")
    assert collected(store)["old"].told == "1.5 and 20 credits"


def test_the_index_is_no_record_and_no_batch(store: Folder) -> None:
    list_batch(store, entry_of(made(store, "b")))
    assert list(Records(store).batches()) == ["b"]
    assert len(list(Records(store).all())) == 2


def test_a_store_that_refuses_is_said(store: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "put", lambda *_, **__: (_ for _ in ()).throw(StoreError("full")))
    with pytest.raises(StoreError, match="full"):
        list_batch(store, Entry(batch="b"))


class Elements(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.seen: set[str] = set()
        self.styles: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.add(tag)
        self.attributes += attrs

    def handle_data(self, data: str) -> None:
        if self.lasttag == "style" and data.strip():
            self.styles.append(data)


ELEMENTS = {"html", "head", "meta", "title", "style", "body", "header", "h1", "p", "main", "ul", "li", "a", "span", "b"}


@given(st.text(min_size=1), st.lists(st.text() | st.floats(allow_nan=False)), st.dictionaries(st.text(), st.integers()))
def test_whatever_a_report_holds_stays_text(batch: str, cost: list[str], counts: dict[str, int]) -> None:
    page = start_page([Entry(batch=batch, cost=cost, counts=counts), Entry(batch=f"<script>{batch}'\"><img src=x>")])
    found = Elements()
    found.feed(page)
    assert found.seen <= ELEMENTS
    assert not any(name.startswith("on") for name, _ in found.attributes)
    assert all(":" not in (value or "") for name, value in found.attributes if name == "href")
    assert csp_hash(found.styles[0]) in page
    assert "unsafe" not in page.split("<body>", maxsplit=1)[0]
