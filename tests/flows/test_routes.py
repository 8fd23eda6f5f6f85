"""Routes: who makes a video, and when another account makes it instead. The bill of the gateways is counted."""

import asyncio
import json
from collections import Counter
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from prefect_omnivideo import LocalVideoStore, VideoRequest, VideoRoute
from prefect_omnivideo.blocks.saved import BlockError
from prefect_omnivideo.core.errors import RequestError, TransferError
from prefect_omnivideo.core.jobs.fetching import Fetching
from prefect_omnivideo.core.records.repository import Records
from prefect_omnivideo.core.reports.report import BatchReport
from prefect_omnivideo.core.routes import breaker
from prefect_omnivideo.flows import (
    BatchFailedError,
    BatchIncompleteError,
    BatchStoppedError,
    generate_from_sheet,
    generate_sequence,
    generate_videos,
)
from prefect_omnivideo.sandbox import Sandbox, Settings, running
from prefect_omnivideo.sandbox.faults import Fault, FaultPlan
from tests.accounts import KINDS, credentials

pytestmark = pytest.mark.usefixtures("prefect_server", "saved")

ALWAYS = 1000
MOVES = ("400", "fail")
"""Ends of a video at the first gateway after which a route goes on."""
STAYS = ("drop-before", "drop-after", "500", "500-after", "garbage", "never", "cancelled")
"""Those after which it must not: the job may exist, still runs, or somebody decided."""
ONLY_ASKED = ("moderated",)
FAULTS = (*MOVES, *STAYS, *ONLY_ASKED)


@pytest.fixture(scope="module")
def faulty() -> Generator[Sandbox]:
    """Gateways of which APIMart meets each prompt with the fault that the prompt begins with."""
    rules = [Fault(name, "apimart", f"^{name}:", times=ALWAYS) for name in FAULTS]
    rules.append(Fault("no-balance", "12ai", times=ALWAYS))
    with running(Settings(latency=0.1, faults=FaultPlan(tuple(rules)))) as sandbox:
        yield sandbox


@pytest.fixture(autouse=True)
def _own_jobs(faulty: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """Most of these tests have more failures than an account may have that is not to rest."""
    faulty.reset()
    monkeypatch.setattr(breaker, "FAILURES", ALWAYS)


PRICES = {"12ai": "3 USD", "sora": "2 USD", "apimart": "1 USD", "jimmyai": "10 credits"}
AWAY = "http://127.0.0.1:9"
"""An address at which nobody listens."""


@pytest.fixture(scope="module")
def saved(prefect_server: None, faulty: Sandbox) -> None:
    """An account at each of these gateways, called `on-route`; one that takes a job at a time, and one out of reach."""
    for gateway, price in PRICES.items():
        credentials(faulty, gateway, prices=[{"per_video": price}]).save("on-route", overwrite=True)
    credentials(faulty, "apimart", jobs_in_flight=1).save("narrow", overwrite=True)
    credentials(faulty, "omnirouters", base_url=AWAY).save("on-route", overwrite=True)


def route(*names: str, **rules: Any) -> VideoRoute:
    """A route over saved accounts, each named by its gateway, and by the block if it is not `on-route`."""
    blocks = [name.partition("/") for name in names]
    accounts = [f"{KINDS[kind].get_block_type_slug()}/{block or 'on-route'}" for kind, _, block in blocks]
    return VideoRoute(accounts=accounts, **rules)


def bills(sandbox: Sandbox) -> dict[str, Counter[str]]:
    """How many jobs each gateway has accepted, by the first word of their prompts."""
    found: dict[str, Counter[str]] = {}
    for job in sandbox.jobs():
        found.setdefault(job["prompt"].partition(":")[0], Counter())[job["gateway"]] += 1
    return found


async def make(prompts: list[str], *given: Any, **settings: Any) -> BatchReport:
    try:
        return await generate_videos(prompts, *given, **settings)
    except (BatchFailedError, BatchIncompleteError, BatchStoppedError) as error:
        return error.report


class NoVideoError(TransferError):
    """One that the store task does not try again for."""

    waiting_helps = False


@pytest.mark.parametrize(
    ("policy", "after_moderation"), [("first", False), ("cheapest", False), ("first", True), ("spread", True)]
)
async def test_what_each_end_at_one_account_leads_to(
    faulty: Sandbox,
    store: LocalVideoStore,
    monkeypatch: pytest.MonkeyPatch,
    policy: str,
    after_moderation: bool,
) -> None:
    """The decision table. Under `spread`, the second account may be the first to get a prompt."""
    whole = Fetching.all

    async def fetch(self: Fetching, *given: Any) -> Any:
        if self._record.request.prompt.startswith("transfer"):  # pyright: ignore[reportPrivateUsage]
            raise NoVideoError("the link gave no video")
        return await whole(self, *given)

    monkeypatch.setattr(Fetching, "all", fetch)
    given = route("apimart", "sora", policy=policy, after_moderation=after_moderation)
    prompts = [f"{name}: a red apple" for name in (*FAULTS, "transfer", "fine")]
    report = await make(prompts, given, store, batch="table", deadline=2)
    found = {record.request.prompt.partition(":")[0]: record for record in report.records}
    billed = bills(faulty)
    moves = {*MOVES, *(ONLY_ASKED if after_moderation else ())}
    for name in moves:
        assert found[name].state == "stored", name
        assert billed[name]["sora"] == 1, name
        assert billed[name]["apimart"] <= (name in ("fail", "moderated")), name
        assert [attempt.gateway for attempt in found[name].attempts][-1] == "sora"
    for name in {*FAULTS, "transfer", "fine"} - moves:
        assert sum(billed.get(name, Counter()).values()) <= 1, f"{name} is paid for once"
        if policy != "spread":
            assert {attempt.gateway for attempt in found[name].attempts} == {"apimart"}, name
            assert found[name].state == ("stored" if name == "fine" else found[name].state), name
    if policy != "spread":
        unknown = {"drop-before", "drop-after", "500", "500-after", "garbage"}
        assert {name for name, record in found.items() if record.state == "unknown"} == unknown
        assert {name for name, record in found.items() if record.is_collectable} == {"never", "transfer"}
        failed = {"cancelled"} if after_moderation else {"cancelled", "moderated"}
        assert {name for name, record in found.items() if record.state == "failed"} == failed
    before = billed
    await make(prompts, given, store, batch="table", deadline=0.1)
    assert bills(faulty) == before, "nothing is made a second time by a later run"


async def test_each_prompt_moves_down_the_list_until_one_makes_it(faulty: Sandbox, store: LocalVideoStore) -> None:
    """Past one out of reach, and one without money, which gets nothing more from this run."""
    given = route("omnirouters", "12ai", "apimart", "jimmyai")
    report = await make([f"fail: {number}" for number in range(3)], given, store, batch="down")
    assert len(report.stored) == 3
    passed = [attempt.gateway for attempt in report.records[0].attempts]
    assert passed == ["omnirouters", "12ai", "apimart", "jimmyai"]
    assert bills(faulty) == {"fail": Counter(apimart=3, jimmyai=3)}
    page = report.markdown()
    assert "## Moved to another account" in page
    for path, why in (
        ("omnirouters/on\\-route did not make it, so it went to 12ai/on\\-route", "could not be reached"),
        ("apimart/on\\-route did not make it, so it went to jimmyai/on\\-route", "gateway error: APIMart job"),
    ):
        assert any(path.replace("\\", "") in line.replace("\\", "") and why in line for line in page.splitlines())
    whole = json.loads((store.folder / "down" / "report.json").read_text())
    assert whole["moved"]["apimart/on-route > jimmyai/on-route"] == 3


async def test_where_every_account_fails_the_last_reason_is_told(faulty: Sandbox, store: LocalVideoStore) -> None:
    prompts, given = ["all: [fault:fail]"], route("apimart", "jimmyai")
    for _ in range(2):
        with pytest.raises(BatchFailedError, match=r"JimmyAI job .* s3 upload failed"):
            await generate_videos(prompts, given, store, batch="all")
        assert bills(faulty) == {"all": Counter(apimart=1, jimmyai=1)}, "no account makes it twice"
    with pytest.raises(BatchFailedError, match="Sora"):
        await generate_videos(prompts, route("apimart", "jimmyai", "sora"), store, batch="all")
    assert bills(faulty) == {"all": Counter(apimart=1, jimmyai=1, sora=1)}, "one that is new to the route is tried"


async def test_two_runs_of_a_batch_fall_back_once(faulty: Sandbox, store: LocalVideoStore) -> None:
    given = route("apimart", "sora")
    prompts = [*(f"fail: {number}" for number in range(6)), *(f"400: {number}" for number in range(6))]
    both = await asyncio.gather(*(make(prompts, given, store, batch="twice") for _ in range(2)))
    assert bills(faulty) == {"fail": Counter(apimart=6, sora=6), "400": Counter(sora=6)}
    assert all(len(report.stored) == 12 for report in both), "both runs see the videos"
    assert all(len(record.attempts) == 2 for record in Records(store.open()).batch("twice"))


async def test_cheapest_takes_the_cheaper_account(faulty: Sandbox, store: LocalVideoStore) -> None:
    """Accounts of different gateways may have blocks of the same name."""
    given = route("jimmyai", "sora", "apimart", policy="cheapest")
    await generate_videos(["a", "b"], given, store, batch="cheap")
    assert {job["gateway"] for job in faulty.jobs()} == {"jimmyai"}, "a price in credits does not compare"
    await generate_videos(["c"], route("sora", "jimmyai", "apimart", policy="cheapest"), store, batch="cheap")
    assert bills(faulty)["c"] == Counter(apimart=1)


async def test_a_saved_route_waits_for_its_first_account(faulty: Sandbox, store: LocalVideoStore) -> None:
    await route("apimart/narrow", "sora").save("narrow", overwrite=True)
    saved: Any = {"$ref": {"block_document_slug": "video-route/narrow"}}
    await generate_videos(["a", "b", "c"], saved, store, batch="waits")
    assert {job["gateway"] for job in faulty.jobs()} == {"apimart"}


async def test_a_second_attempt_is_reserved_in_the_budget_too(faulty: Sandbox, store: LocalVideoStore) -> None:
    """A job that failed may have been billed, and counts: there is no room for another one."""
    given = route("apimart", "sora")
    with pytest.raises(BatchStoppedError):
        await generate_videos(["fail: x"], given, store, batch="budget", max_videos=1)
    assert bills(faulty) == {"fail": Counter(apimart=1)}
    await generate_videos(["fail: x"], given, store, batch="budget", max_videos=2)
    assert bills(faulty) == {"fail": Counter(apimart=1, sora=1)}
    await make(["400: x"], given, store, batch="refused", max_videos=1)
    assert bills(faulty)["400"] == Counter(sora=1), "a refusal used nothing"


async def test_a_route_to_what_does_not_exist_spends_nothing(faulty: Sandbox, store: LocalVideoStore) -> None:
    await store.save("no-account", overwrite=True)
    good = route("apimart").accounts
    given = VideoRoute(accounts=[*good, "jimmyai-credentials/missing", "local-video-store/no-account"])
    with pytest.raises(BlockError) as caught:
        await generate_videos(["x"], given, store)
    assert "jimmyai-credentials/missing does not exist" in str(caught.value)
    assert "local-video-store/no-account is a LocalVideoStore, not credentials" in str(caught.value)
    assert faulty.jobs() == []


async def test_what_may_be_dropped_is_dropped_and_told(faulty: Sandbox, store: LocalVideoStore) -> None:
    """Accounts that honour everything come first; what one of the others was not sent is said everywhere."""
    asked = VideoRequest(prompt="x", resolution="4k", duration=4)
    with pytest.raises(RequestError, match="resolution"):
        await generate_videos([asked], route("apimart"), store, batch="dropped")
    rules: dict[str, Any] = {"may_drop": ["resolution", "duration"]}
    await generate_videos([asked], route("apimart", "jimmyai", **rules), store, batch="whole")
    assert bills(faulty) == {"x": Counter(jimmyai=1)}, "it honours the whole request"

    report = await generate_videos([asked], route("apimart", **rules), store, batch="dropped", max_cost="1 USD")
    (made,) = report.records
    assert (made.request, made.attempt.dropped) == (asked, ("duration", "resolution"))
    assert str(made.attempt.estimate) == "1.00 USD"
    (job,) = [job for job in faulty.jobs() if job["gateway"] == "apimart"]
    assert not job["body"].keys() & {"duration", "resolution", "seconds"}
    said = "sent without duration, resolution, which apimart/on-route cannot honour"
    assert said in report.markdown().replace("\\", "")
    assert said in (store.folder / "dropped" / "index.html").read_text()


async def test_a_row_names_its_account(faulty: Sandbox, store: LocalVideoStore, tmp_path: Path) -> None:
    sheet = tmp_path / "rows.csv"
    sheet.write_text("prompt,account\na,sora-credentials/on-route\nb,\nc,narrow\n")
    given = route("apimart", "sora", "apimart/narrow")
    await generate_from_sheet(str(sheet), given, store, batch="rows")
    made = {record.request.prompt: record.attempt for record in Records(store.open()).batch("rows")}
    assert {prompt: (each.gateway, each.account) for prompt, each in made.items()} == {
        "a": ("sora", "on-route"),
        "b": ("apimart", "on-route"),
        "c": ("apimart", "narrow"),
    }
    assert made["a"].dropped == ()
    sheet.write_text("prompt,account\na,sora-credentials/on-route\nd,jimmyai\n")
    with pytest.raises(
        RequestError, match=r"row 3: account: the run has no account 'jimmyai' .*apimart-credentials/on"
    ):
        await generate_from_sheet(str(sheet), given, store, batch="rows")
    assert len(faulty.jobs()) == 3


async def test_an_account_that_keeps_failing_rests_for_all_workers(
    faulty: Sandbox, store: LocalVideoStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two runs at the same time, each with what it knows itself; then one whose try brings the account back."""
    monkeypatch.setattr(breaker, "FAILURES", 5)
    given = route("apimart/narrow", "sora")
    first = [f"fail: {number}" for number in range(12)]
    reports = await asyncio.gather(
        make(first, given, store, batch="rests"), make(["fail: late", *first], given, store, batch="rests")
    )
    assert all(len(report.stored) == len(report.records) for report in reports)
    billed = bills(faulty)["fail"]
    assert billed["apimart"] <= 9, "each run may have one on the way"
    assert billed["sora"] == 13
    assert any("account apimart/narrow rests until" in line for report in reports for line in report.rested)
    assert any("passed over" in report.markdown() for report in reports)

    faulty.reset()
    report = await make(["fine: while it rests"], route("apimart/narrow"), store, batch="alone")
    assert (report.records, faulty.jobs()) == ((), [])
    with pytest.raises(BatchFailedError, match=r"rests until .*nothing was sent"):
        await generate_videos(["fine: while it rests"], route("apimart/narrow"), store, batch="alone")

    monkeypatch.setattr(breaker, "LONGEST_REST", 0.0)  # as if it were over
    monkeypatch.setattr(breaker, "TRY_SECONDS", 0.0)
    report = await make([f"fine: {number}" for number in range(3)], given, store, batch="back")
    assert bills(faulty) == {"fine": Counter(apimart=3)}
    assert report.rested == ("account apimart/narrow works again",)
    assert not list(store.open().names("omnivideo-accounts/"))


async def test_a_storyboard_moves_as_a_whole_and_only_before_a_shot_of_it_is_made(
    faulty: Sandbox, store: LocalVideoStore
) -> None:
    report = await generate_sequence(["fail: a", "b"], route("apimart", "jimmyai"), store, "moves")
    assert [record.attempt.gateway for record in report.stored] == ["jimmyai", "jimmyai"]
    assert Counter((job["gateway"], job["prompt"]) for job in faulty.jobs()) == Counter(
        [("apimart", "fail: a"), ("jimmyai", "fail: a"), ("jimmyai", "b")]
    )
    faulty.reset()
    for _ in range(2):
        with pytest.raises(BatchFailedError, match="it continues shot 2 of storyboard sequence, which is not stored"):
            await generate_sequence(["x", "fail: y", "z"], route("apimart", "jimmyai"), store, "stays")
        assert [(job["gateway"], job["prompt"]) for job in faulty.jobs()] == [("apimart", "x"), ("apimart", "fail: y")]
