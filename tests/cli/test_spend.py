"""`omnivideo spend`: the same numbers for people and for programs, and the sandbox's bill to the cent."""

import csv
import io
from collections.abc import Generator, Sequence
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from prefect_omnivideo import LocalVideoStore
from prefect_omnivideo.cli.commands import app
from prefect_omnivideo.core.records.model import VideoRecord, VideoState
from prefect_omnivideo.core.records.repository import Records, record_name
from prefect_omnivideo.core.storage.folder import Folder
from prefect_omnivideo.flows import BatchFailedError, generate_videos
from prefect_omnivideo.sandbox import Sandbox, Settings, running
from tests.accounts import credentials
from tests.core.records.samples import MOMENT, attempt, record, stored

Capture = pytest.CaptureFixture[str]


def spend(*arguments: str) -> int:
    code = app(["spend", *arguments], result_action="return_value")
    assert isinstance(code, int)
    return code


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def paid(prompt: str, batch: str = "daily", *, days: int = 0, **settings: str) -> VideoRecord:
    """A stored video."""
    moment = MOMENT + timedelta(days=days)
    made = attempt(task_id="t", started_at=moment, submitted_at=moment, **settings)
    return stored(record(prompt, batch)).model_copy(update={"attempts": (made,)})


@pytest.fixture
def store(tmp_path: Path) -> str:
    """Two batches, two accounts and two units, with a failed job, one of unknown cost and one of unknown outcome."""
    failed = paid("failed", cost="0.10 USD", estimate="1 USD").model_copy(
        update={"state": VideoState.FAILED, "files": ()}
    )
    for each in (
        paid("one", cost="1.25 USD", estimate="1 USD"),
        paid("two", "weekly", cost="0.123456789012 USD", days=1),
        paid("three", "weekly", account="jimmy", cost="12 credits", days=2),
        paid("four", account="quiet"),
        failed,
        record("lost").unknown("no answer"),
    ):
        Records(Folder(tmp_path)).claim(each)
    return str(tmp_path)


def test_the_total_has_a_line_for_each_unit(store: str, capsys: Capture) -> None:
    assert spend("--store", store) == 0
    shown = capsys.readouterr().out.splitlines()
    assert " ".join(shown[0].split()) == (
        "unit videos seconds cost per second without video jobs cost unknown estimate difference"
    )
    assert [line.split() for line in shown[1:4]] == [
        ["total", "unknown", "1", "8.0", "unknown", "unknown", "unknown", "2", "2", "unknown", "unknown"],
        ["total", "USD", "2", "16.0", "1.473456789012", "0.0921", "0.10", "3", "0", "2.00", "-0.65"],
        ["total", "credits", "1", "8.0", "12", "1.5", "0", "1", "0", "unknown", "unknown"],
    ]
    assert shown[4:] == [
        "the cost of 2 jobs is unknown and in no sum.",
        "1 job of unknown outcome may have been paid.",
    ]


@pytest.mark.parametrize("by", ["day", "account", "model", "batch"])
def test_csv_and_table_say_the_same(by: str, store: str, capsys: Capture) -> None:
    assert spend("--store", store, "--by", by) == 0
    table = [
        line.split() for line in capsys.readouterr().out.splitlines()[1:] if not line.startswith(("total", "the", "1"))
    ]
    assert spend("--store", store, "--by", by, "--csv") == 0
    lines = rows(capsys.readouterr().out)
    assert len(lines) == len(table) > 2
    for line, (group, unit, videos, seconds, cost, *_) in zip(lines, table, strict=True):
        assert (line[by], line["unit"] or "unknown", line["videos"]) == (group, unit, videos)
        assert Decimal(line["seconds"]) == Decimal(seconds)
        assert (Decimal(line["cost"]) == Decimal(cost)) if line["cost"] else cost == "unknown"
    usd = sum(Decimal(line["cost"]) for line in lines if line["unit"] == "USD")
    assert usd == Decimal("1.473456789012")


def test_csv_has_raw_numbers_and_nothing_where_nothing_is_known(store: str, capsys: Capture) -> None:
    assert spend("--store", store, "--csv") == 0
    unknown, usd, credits_ = rows(capsys.readouterr().out)
    assert (unknown["unit"], unknown["cost"], unknown["jobs_of_unknown_outcome"]) == ("", "", "1")
    assert (usd["cost"], usd["cost_without_video"], usd["difference"]) == ("1.473456789012", "0.10", "-0.65")
    assert (credits_["estimate"], credits_["jobs_without_estimate"]) == ("", "1")
    assert Decimal(credits_["cost_per_second"]) == Decimal("1.5")


def test_only_since_a_day(store: str, capsys: Capture) -> None:
    assert spend("--store", store, "--since", f"{MOMENT + timedelta(days=1):%Y-%m-%d}", "--by", "day", "--csv") == 0
    assert [(line["day"], line["unit"]) for line in rows(capsys.readouterr().out)] == [
        ("2026-08-02", "USD"),
        ("2026-08-03", "credits"),
    ]


def test_an_empty_store_and_bad_input(tmp_path: Path, capsys: Capture) -> None:
    assert spend("--store", str(tmp_path)) == 0
    assert capsys.readouterr().out == "no video was paid for\n"
    assert spend("--store", str(tmp_path), "--csv") == 0
    assert rows(capsys.readouterr().out) == []
    assert spend("--store", str(tmp_path), "--since", "soon") == 2
    assert "since: 'soon': it is neither a date nor a number of days (accepted: a date such as 2026-08-01" in (
        capsys.readouterr().err
    )


def test_a_record_that_cannot_be_read_is_said_to_be_in_no_sum(store: str, capsys: Capture) -> None:
    name = record_name(paid("one"))
    Folder(Path(store)).put(name, b"{", content_type="application/json")
    assert spend("--store", store, "--csv") == 1
    said = capsys.readouterr()
    assert f"in no sum: file://{store}/{name} should be the record of a video and is not JSON" in said.err.replace(
        "%20", " "
    )
    assert rows(said.out)[1]["cost"] == "0.223456789012"


# Against the sandbox


@pytest.fixture
def sandbox() -> Generator[Sandbox]:
    with running(Settings(latency=0.1)) as sandbox:
        yield sandbox


@pytest.mark.usefixtures("prefect_server")
async def test_it_equals_the_bill_of_the_sandbox_to_the_cent(sandbox: Sandbox, tmp_path: Path, capsys: Capture) -> None:
    store = LocalVideoStore(folder=tmp_path / "videos")
    prompts = ["one", "two", "failed and refunded [fault:fail]", "moderated [fault:moderated]"]
    for gateway in ("apimart", "sora"):
        account = credentials(sandbox, gateway, prices=[{"per_video": "1.10 USD"}])
        with pytest.raises(BatchFailedError):
            await generate_videos(prompts, account, store, batch=f"by {gateway}")
    assert spend("--store", str(store.folder), "--by", "account", "--csv") == 0
    lines = rows(capsys.readouterr().out)
    assert sums(lines) == {unit: Decimal(value) for unit, value in sandbox.charged().items()} == {"USD": Decimal("2.7")}
    assert [(each["account"], each["jobs"], each["videos"], Decimal(each["cost"])) for each in lines] == [
        ("apimart", "4", "2", 2),
        ("sora", "4", "2", Decimal("0.7")),
    ]
    apimart, sora = lines
    assert (apimart["jobs_without_cost"], apimart["difference"]) == ("2", "-0.20"), "it is silent about failed jobs"
    assert (sora["jobs_without_cost"], Decimal(sora["difference"])) == ("0", Decimal("-3.7")), "its log has refunds"
    assert {Decimal(each["cost_without_video"]) for each in lines} == {0}


def sums(lines: Sequence[dict[str, str]]) -> dict[str, Decimal]:
    found: dict[str, Decimal] = {}
    for line in lines:
        found[line["unit"]] = found.get(line["unit"], Decimal(0)) + Decimal(line["cost"] or 0)
    return found
