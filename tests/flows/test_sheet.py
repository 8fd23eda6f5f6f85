"""A sheet through the real flow engine: what is paid for when it grows, when a row is bad, and in a dry run."""

import logging
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import pytest
from prefect.client.schemas.objects import FlowRun
from prefect.exceptions import ParameterTypeError
from prefect.runtime import flow_run

from prefect_omnivideo import LocalVideoStore
from prefect_omnivideo.core.errors import RequestError
from prefect_omnivideo.flows import generate_from_sheet
from prefect_omnivideo.flows.run import naming
from prefect_omnivideo.sandbox import Sandbox
from tests.accounts import credentials

pytestmark = pytest.mark.usefixtures("prefect_server")


def bill(sandbox: Sandbox) -> Counter[str]:
    return Counter(job["prompt"] for job in sandbox.jobs())


@pytest.fixture
def sheet(tmp_path: Path) -> Path:
    path = tmp_path / "prompts.csv"
    path.write_text("prompt,aspect_ratio\nfirst,16:9\nsecond,9:16\n")
    return path


@pytest.fixture(autouse=True)
def _clean(sandbox: Sandbox) -> None:
    sandbox.reset()


def scheduled_at(moment: datetime, monkeypatch: pytest.MonkeyPatch) -> None:
    """The runs from here on are those that a schedule had planned for this moment."""

    async def origin_of(run: FlowRun) -> naming.Origin:
        return naming.Origin(str(run.id), moment)

    monkeypatch.setattr(naming, "origin_of", origin_of)
    monkeypatch.setitem(flow_run.FIELDS, "scheduled_start_time", lambda: moment)


async def test_a_fixed_batch_renders_only_the_rows_that_are_new(
    sandbox: Sandbox, store: LocalVideoStore, sheet: Path
) -> None:
    account = credentials(sandbox, "jimmyai")
    report = await generate_from_sheet(str(sheet), account, store, "hourly")
    assert [record.request.prompt for record in report.stored] == ["first", "second"]
    assert [record.request.aspect_ratio for record in report.stored] == ["16:9", "9:16"]
    sheet.write_text(sheet.read_text() + "third,\n")
    report = await generate_from_sheet(str(sheet), account, store, "hourly")
    assert [record.request.prompt for record in report.stored] == ["first", "second", "third"]
    assert bill(sandbox) == {"first": 1, "second": 1, "third": 1}


async def test_a_dated_batch_renders_every_row_once_a_day(
    sandbox: Sandbox, store: LocalVideoStore, sheet: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = credentials(sandbox, "jimmyai")
    dated = sheet.rename(sheet.with_name("2026-08-01.csv"))
    pattern = str(sheet.with_name("{date}.csv"))
    for hour in (6, 18):
        scheduled_at(datetime(2026, 8, 1, hour, tzinfo=UTC), monkeypatch)
        report = await generate_from_sheet(pattern, account, store, "daily/{date}")
        assert report.batch == "daily/2026-08-01"
    assert bill(sandbox) == {"first": 1, "second": 1}
    dated.rename(dated.with_name("2026-08-02.csv"))
    scheduled_at(datetime(2026, 8, 2, 6, tzinfo=UTC), monkeypatch)
    report = await generate_from_sheet(pattern, account, store, "daily/{date}")
    assert report.batch == "daily/2026-08-02"
    assert bill(sandbox) == {"first": 2, "second": 2}


async def test_one_bad_row_stops_everything_before_anything_is_spent(
    sandbox: Sandbox, store: LocalVideoStore, sheet: Path
) -> None:
    sheet.write_text(sheet.read_text() + "third,wide\n")
    with pytest.raises(RequestError, match="row 4: aspect_ratio"):
        await generate_from_sheet(str(sheet), credentials(sandbox, "jimmyai"), store, "bad")
    assert sandbox.jobs() == []
    assert not store.folder.exists()


async def test_a_bad_row_that_is_skipped_is_in_the_report(
    sandbox: Sandbox, store: LocalVideoStore, sheet: Path, caplog: pytest.LogCaptureFixture
) -> None:
    sheet.write_text(sheet.read_text() + "third,wide\n")
    with caplog.at_level(logging.WARNING, "prefect.flow_runs"):
        report = await generate_from_sheet(
            str(sheet), credentials(sandbox, "jimmyai"), store, "skipping", on_bad_row="skip"
        )
    assert bill(sandbox) == {"first": 1, "second": 1}
    assert len(report.skipped) == 1
    assert report.skipped[0].startswith("row 4: aspect_ratio")
    assert "row 4: aspect_ratio" in caplog.text
    assert "row 4: aspect" in report.markdown()
    assert b"row 4: aspect_ratio" in (store.folder / "skipping" / "report.json").read_bytes()


async def test_a_dry_run_says_what_would_be_submitted_and_touches_nothing(
    sandbox: Sandbox, store: LocalVideoStore, sheet: Path, caplog: pytest.LogCaptureFixture
) -> None:
    account = credentials(sandbox, "jimmyai")
    with caplog.at_level(logging.INFO, "prefect.flow_runs"):
        report = await generate_from_sheet(str(sheet), account, store, "dry", dry_run=True)
    assert report.records == ()
    assert sandbox.jobs() == []
    assert not store.folder.exists()
    for said in (
        "2 of 2 videos would be submitted",
        "2 x JimmyAI",
        "Estimate: unknown for 2 videos on account jimmyai",
        "Nothing was spent",
        '"prompt": "first"',
    ):
        assert said in caplog.text
    assert sandbox.key not in caplog.text

    await generate_from_sheet(str(sheet), account, store, "dry", limit=1)
    files = sorted(store.folder.rglob("*"))
    caplog.clear()
    with caplog.at_level(logging.INFO, "prefect.flow_runs"):
        await generate_from_sheet(str(sheet), account, store, "dry", dry_run=True)
    assert "1 of 2 videos would be submitted" in caplog.text
    assert sorted(store.folder.rglob("*")) == files
    assert bill(sandbox) == {"first": 1}


async def test_a_sheet_that_is_still_empty_is_no_failure(sandbox: Sandbox, store: LocalVideoStore, sheet: Path) -> None:
    sheet.write_text("prompt\n")
    report = await generate_from_sheet(str(sheet), credentials(sandbox, "jimmyai"), store, "empty")
    assert report.records == ()


async def test_rows_go_to_the_account_that_can_honour_them(
    sandbox: Sandbox, store: LocalVideoStore, sheet: Path
) -> None:
    sheet.write_text("prompt,duration\nfree,\nlong,10\n")
    accounts = [credentials(sandbox, "apimart"), credentials(sandbox, "jimmyai")]
    await generate_from_sheet(str(sheet), accounts, store, "two")
    assert {job["prompt"]: job["gateway"] for job in sandbox.jobs()}["long"] == "jimmyai"
    assert bill(sandbox) == {"free": 1, "long": 1}


async def test_values_the_form_would_refuse_are_refused_by_the_flow(
    sandbox: Sandbox, store: LocalVideoStore, sheet: Path
) -> None:
    account = credentials(sandbox, "jimmyai")
    for wrong in ({"limit": -1}, {"on_bad_row": "ignore"}):
        with pytest.raises(ParameterTypeError, match=next(iter(wrong))):
            await generate_from_sheet(str(sheet), account, store, **wrong)  # type: ignore[arg-type]  # on purpose
    with pytest.raises(RequestError, match=r"sheet: \{day\} is not a placeholder"):
        await generate_from_sheet("{day}.csv", account, store)


def test_the_form_shows_selects_ranges_and_descriptions() -> None:
    properties = generate_from_sheet.parameters.properties
    assert list(properties)[:4] == ["sheet", "credentials", "store", "batch"]
    assert properties["on_bad_row"]["enum"] == ["stop", "skip"]
    assert properties["limit"]["minimum"] == 0
    assert "offset" not in properties
    assert all(field["description"] for field in properties.values())
