"""What a run is about to spend is said before its first submission, recorded beside the cost, and never in the way."""

import asyncio
import json
import logging
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest

from prefect_omnivideo import LocalVideoStore, VideoRequest
from prefect_omnivideo.core.errors import JobFailedError, RequestError
from prefect_omnivideo.core.money.amount import Amount
from prefect_omnivideo.core.prices import fetch
from prefect_omnivideo.core.prices.learned import learned
from prefect_omnivideo.core.records.repository import Records
from prefect_omnivideo.flows import BatchFailedError, generate_from_sheet, generate_video, generate_videos
from prefect_omnivideo.flows.run import balances, spending
from prefect_omnivideo.sandbox import Sandbox, Settings, running
from tests.accounts import credentials

pytestmark = pytest.mark.usefixtures("prefect_server")


def said(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [text for text in caplog.messages if text.startswith("about to spend")]


async def test_a_run_says_records_and_reports_what_it_is_about_to_spend(
    sandbox: Sandbox, store: LocalVideoStore, caplog: pytest.LogCaptureFixture
) -> None:
    sandbox.reset()
    account = credentials(sandbox, "apimart", prices=[{"per_video": "1.10 USD"}])
    with caplog.at_level(logging.INFO):
        report = await generate_videos(["one", "two"], account, store, batch="priced")
    line = "2.20 USD for 2 videos on account apimart"
    assert said(caplog) == [f"about to spend {line}"]
    submitted = next(number for number, text in enumerate(caplog.messages) if "accepted" in text)
    assert caplog.messages.index(f"about to spend {line}") < submitted
    assert report.spending == (f"about to spend {line}", "balance of account apimart: 1000.00 USD")
    assert f"- about to spend {line}" in report.markdown()
    assert "| 2.20 | 2.00 | 0.00 | 0 |" in report.markdown()
    attempts = [record.attempt for record in report.records]
    assert [(str(each.estimate), each.estimated_from, str(each.cost)) for each in attempts] == [
        ("1.10 USD", "price list", "1.00 USD")
    ] * 2
    value = json.loads((store.folder / "priced" / "report.json").read_bytes())
    assert (value["before"], value["cost"]) == (list(report.spending), ["2.00 USD"])
    assert {unit: Decimal(sum_) for unit, sum_ in sandbox.charged().items()} == {"USD": report.cost[0].value}


async def test_only_videos_that_the_batch_does_not_have_count(
    sandbox: Sandbox, store: LocalVideoStore, caplog: pytest.LogCaptureFixture
) -> None:
    account = credentials(sandbox, "apimart", prices=[{"per_video": "1.10 USD"}])
    await generate_videos(["one"], account, store, batch="growing")
    caplog.clear()
    with caplog.at_level(logging.INFO):
        await generate_videos(["one", "two"], account, store, batch="growing")
    assert said(caplog) == ["about to spend 1.10 USD for 1 video on account apimart"]


async def test_what_videos_did_cost_is_known_to_the_next_run(
    sandbox: Sandbox, store: LocalVideoStore, caplog: pytest.LogCaptureFixture
) -> None:
    account = credentials(sandbox, "apimart")
    with caplog.at_level(logging.INFO):
        first = await generate_video("one", account, store, batch="first")
        await generate_videos(["two"], account, store, batch="second")
        third = await generate_video("three", account, store, batch="third")
    assert said(caplog) == [
        "about to spend unknown for 1 video on account apimart",
        *["about to spend 1.00 USD for 1 video on account apimart, 1.00 USD of it estimated from earlier videos"] * 2,
    ]
    assert (first.attempt.estimate, first.attempt.estimated_from) == (None, "")
    assert (third.attempt.estimate, third.attempt.estimated_from) == (Amount.parse("1 USD"), "earlier videos")


async def test_several_accounts_are_told_apart(
    sandbox: Sandbox, store: LocalVideoStore, caplog: pytest.LogCaptureFixture
) -> None:
    """Which account takes a video is decided when it has capacity."""
    sora = credentials(sandbox, "sora")
    jimmy = credentials(sandbox, "jimmyai", prices=[{"per_second": "2 credits"}])
    with caplog.at_level(logging.INFO):
        report = await generate_videos(["any", VideoRequest(prompt="4", duration=4, seed=1)], [sora, jimmy], store)
    listed = "0.35 USD for 1 video on account sora, 0.35 USD of it by the gateway's public list, before factors for "
    listed += "length or size"
    assert said(caplog) == [
        f"about to spend {listed} or else 12 credits for 1 video on account jimmyai",
        f"about to spend {listed}",
    ]
    assert report.records[1].attempt.estimated_from == "gateway"


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("- {per_video: -1 USD}", "price 1, per_video: '-1 USD' is not an amount"),
        ("- {per_video: 1 EUR}", "the prices are in EUR, and the account is billed in USD"),
        (None, "price_file: .* cannot be read"),
    ],
)
async def test_a_bad_price_file_is_refused_before_anything_is_spent(
    content: str | None, problem: str, sandbox: Sandbox, store: LocalVideoStore, tmp_path: Path
) -> None:
    sandbox.reset()
    file = tmp_path / "prices.yaml"
    if content:
        file.write_text(content)
    account = credentials(sandbox, "apimart", price_file=str(file))
    with pytest.raises(RequestError, match=problem):
        await generate_videos(["one"], account, store, batch="bad")
    with pytest.raises(RequestError, match=problem):
        await generate_video("one", account, store, batch="bad")
    assert sandbox.jobs() == []


async def test_a_price_that_cannot_be_looked_up_stops_nothing(
    sandbox: Sandbox, store: LocalVideoStore, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fails(*_: object) -> None:
        raise RuntimeError("no estimate today")

    async def no_page(*_: object) -> None:
        raise RuntimeError("no page today")

    monkeypatch.setattr(spending, "outlook", fails)
    monkeypatch.setattr(spending, "estimate", fails)
    monkeypatch.setattr(spending, "learn_costs", fails)
    monkeypatch.setattr(fetch, "_get", no_page)
    report = await generate_videos(["one"], credentials(sandbox, "sora"), store, batch="blind")
    assert len(report.stored) == 1
    assert report.stored[0].attempt.estimate is None
    assert "no estimate today" in caplog.text


async def test_a_dry_run_tells_the_same(
    sandbox: Sandbox, store: LocalVideoStore, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    sheet = tmp_path / "sheet.csv"
    sheet.write_text("prompt\none\ntwo\n")
    account = credentials(sandbox, "apimart", prices=[{"per_video": "0.1 USD"}])
    with caplog.at_level(logging.INFO):
        await generate_from_sheet(str(sheet), account, store, "dry", dry_run=True)
        lines = "Estimate: 0.20 USD for 2 videos on account apimart", "Balance of account apimart: "
        assert all(line in caplog.text for line in lines)
        assert "approval" not in caplog.text
        await generate_from_sheet(str(sheet), account, store, "dry", dry_run=True, ask_above="0.19 USD")
    assert "It would ask for approval: they may cost 0.20 USD, which is more than 0.19 USD" in caplog.text


async def test_a_failed_job_is_in_the_estimate_and_not_in_the_bill(sandbox: Sandbox, store: LocalVideoStore) -> None:
    sandbox.reset()
    account = credentials(sandbox, "apimart", prices=[{"per_video": "1 USD"}])
    with pytest.raises(BatchFailedError) as caught:
        await generate_videos(["good", "bad [fault:fail]"], account, store, batch="half")
    assert "| 2.00 | 1.00 | 0.00 | 1 |" in caught.value.report.markdown()
    assert sandbox.charged() == {"USD": "1.0"}


async def test_less_balance_than_the_estimate_is_said_and_refused_when_asked_for(
    store: LocalVideoStore, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with running(Settings(latency=0.1, balance=Decimal("1.5"))) as sandbox:
        settings = {"prices": [{"per_video": "1 USD"}]}
        careful = credentials(sandbox, "apimart", **settings, require_balance=True)
        short = "account apimart has 1.50 USD left, and this run is about to spend 2.00 USD on it"
        with pytest.raises(RequestError, match=short):
            await generate_videos(["one", "two"], careful, store, batch="careful")
        assert sandbox.jobs() == []
        report = await generate_videos(["one"], careful, store, batch="careful")
        assert report.spending[1] == "balance of account apimart: 1.50 USD"
        sheet = tmp_path / "sheet.csv"
        sheet.write_text("prompt\nfour\n")
        with caplog.at_level(logging.INFO):
            await generate_from_sheet(str(sheet), careful, store, "later", dry_run=True)
        assert "0.50 USD left, and this run is about to spend 1.00 USD on it; it would be refused" in caplog.text
        caplog.clear()
        await generate_videos(["two", "three"], credentials(sandbox, "apimart", **settings), store, batch="bold")
        assert "account apimart has 0.50 USD left, and this run is about to spend 2.00 USD on it" in caplog.text
        assert len(sandbox.jobs()) == 3
        # What was rejected is submitted again, and so is in the estimate of the next run.
        again = ["[fault:no-balance] five"]
        with pytest.raises(BatchFailedError):
            await generate_videos(again, credentials(sandbox, "apimart", **settings), store, batch="rejected")
        with pytest.raises(RequestError, match=r"has 0\.00 USD left, and this run is about to spend 1\.00 USD on it"):
            await generate_videos(again, careful, store, batch="rejected")


async def test_a_balance_that_costs_do_not_explain_is_said_and_nothing_fails(
    store: LocalVideoStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    with running(Settings(latency=0.5)) as sandbox:
        account = credentials(sandbox, "apimart", prices=[{"per_video": "1 USD"}])

        async def somebody_else() -> None:
            while not sandbox.jobs():
                await asyncio.sleep(0.01)
            headers = {"Authorization": f"Bearer {sandbox.key}"}
            async with httpx.AsyncClient(base_url=sandbox.base_url("apimart"), headers=headers) as http:
                await http.post("/v1/videos/generations", json={"model": "Omni-Flash-Ext", "prompt": "theirs"})

        report, _ = await asyncio.gather(generate_videos(["mine"], account, store, batch="shared"), somebody_else())
        assert len(sandbox.jobs()) == 2
        assert report.charged[0] == "balance of account apimart: 998.00 USD"
        assert report.charged[1].startswith("the balance of account apimart fell by 2.00 USD during this run, and the ")
        assert "the recorded cost of its jobs is 1.00 USD" in report.charged[1]
        assert f"- {report.charged[1]}" in report.markdown()

        def fails(*_: object) -> str:
            raise RuntimeError("no sum today")

        monkeypatch.setattr(balances, "difference", fails)
        assert (await generate_videos(["more"], account, store, batch="shared")).charged == (
            "balance of account apimart: 997.00 USD",
        )


@pytest.mark.parametrize("gateway", ["sora", "omnirouters", "12ai"])
async def test_the_log_of_the_key_tells_what_videos_did_cost(
    gateway: str, sandbox: Sandbox, store: LocalVideoStore, caplog: pytest.LogCaptureFixture
) -> None:
    """To the cent, with refunds; the next run knows the price from it."""
    sandbox.reset()
    wanted = [VideoRequest(prompt=text, **CHEAP.get(gateway, {})) for text in ("one", "two", "bad [fault:fail]")]
    with pytest.raises(BatchFailedError) as caught:
        await generate_videos(wanted, credentials(sandbox, gateway), store, batch=f"log-{gateway}")
    report = caught.value.report
    told = {record.request.prompt: str(record.attempt.cost) for record in report.records}
    price = {"sora": "0.35 USD", "omnirouters": "0.90 USD", "12ai": "0.45 USD"}[gateway]
    assert told == {"one": price, "two": price, "bad [fault:fail]": "0.00 USD"}
    assert report.cost[0].value == Decimal(sandbox.charged()["USD"])
    assert report.charged[0].endswith(f": {report.cost[0]}")
    assert report.charged[1].startswith(f"balance of account {gateway}: 99")
    assert len(report.charged) == 2, "what was charged is what was recorded"
    records = Records(store.open())
    assert {str(record.attempt.cost) for record in records.batch(f"log-{gateway}")} == {price, "0.00 USD"}
    assert learned(store.open())[gateway, sandbox.base_url(gateway)]


async def test_the_cost_of_a_single_video_is_settled_too(
    sandbox: Sandbox, store: LocalVideoStore, caplog: pytest.LogCaptureFixture
) -> None:
    sandbox.reset()
    account = credentials(sandbox, "sora")
    with caplog.at_level(logging.INFO):
        made = await generate_video("one", account, store, batch="single")
        with pytest.raises(JobFailedError):
            await generate_video("bad [fault:fail]", account, store, batch="single")
    costs = {record.request.prompt: str(record.attempt.cost) for record in Records(store.open()).batch("single")}
    assert costs == {"one": "0.35 USD", "bad [fault:fail]": "0.00 USD"}
    assert made.attempt.cost == Amount.parse("0.35 USD")
    assert caplog.messages.count("balance of account sora: 999.65 USD") == 3
    assert sandbox.charged() == {"USD": "0.35"}


CHEAP: dict[str, dict[str, Any]] = {"omnirouters": {"duration": 5, "resolution": "720p"}}
