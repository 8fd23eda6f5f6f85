"""The same prompts are made by several contenders, within limits that hold for all of them together."""

import asyncio
import json
from collections import Counter
from typing import Any

import pytest

from prefect_omnivideo import LocalVideoStore, VideoRequest
from prefect_omnivideo.core.errors import RequestError
from prefect_omnivideo.core.records.repository import Records
from prefect_omnivideo.core.reports.approval import Answer
from prefect_omnivideo.flows import BatchFailedError, BatchStoppedError, compare_accounts
from prefect_omnivideo.flows.run import forms
from prefect_omnivideo.sandbox import Sandbox
from tests.accounts import credentials
from tests.flows.test_approval import answer, asked, inputs, resume
from tests.flows.test_resolving import page_of

pytestmark = pytest.mark.usefixtures("prefect_server")
PROMPTS = ["apple", "pear", "plum"]
PRICE = [{"per_video": "1 USD"}]


@pytest.fixture(autouse=True)
def _clean(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    sandbox.reset()
    monkeypatch.setattr(forms, "_SECONDS_BETWEEN", 0.05)


@pytest.fixture
def two(sandbox: Sandbox) -> list[Any]:
    return [
        credentials(sandbox, "apimart", prices=PRICE),
        credentials(sandbox, "jimmyai", prices=PRICE, currency="USD"),
    ]


def bill(sandbox: Sandbox) -> Counter[tuple[str, str]]:
    return Counter((job["gateway"], job["prompt"]) for job in sandbox.jobs())


def data(store: LocalVideoStore, batch: str) -> Any:
    return json.loads((store.folder / batch / "compare.json").read_text())


def states(store: LocalVideoStore, batch: str) -> dict[str, list[str]]:
    found = data(store, batch)
    names = [each["name"] for each in found["contenders"]]
    return {name: [row["cells"][name]["state"] for row in found["rows"]] for name in names}


async def test_every_account_makes_every_prompt_once(sandbox: Sandbox, store: LocalVideoStore, two: list[Any]) -> None:
    state: Any = await compare_accounts(PROMPTS, two, store, batch="Autumn trial", return_state=True)
    assert state.is_completed(), state
    assert str(state.message).startswith("3 prompts: apimart 3 of 3")
    assert str(state.message).endswith("/Autumn-trial/compare.html")
    assert bill(sandbox) == {(gateway, prompt): 1 for gateway in ("apimart", "jimmyai") for prompt in PROMPTS}
    assert states(store, "Autumn-trial") == {"apimart": ["stored"] * 3, "jimmyai": ["stored"] * 3}
    page = (store.folder / "Autumn-trial" / "compare.html").read_text()
    for record in Records(store.open()).batch("Autumn-trial/jimmyai"):
        assert f'href="jimmyai/{record.files[0].name.rpartition("/")[2]}"' in page
    table = await page_of(state, "omnivideo-comparison")
    assert "| prompt | apimart | jimmyai |" in table
    # A second time nothing is made, and a new prompt is.
    report = await compare_accounts([*PROMPTS, "fig"], two, store, batch="Autumn trial")
    assert len(report.stored) == 8
    assert sum(bill(sandbox).values()) == 8


async def test_models_of_one_account_share_its_jobs_in_flight(sandbox: Sandbox, store: LocalVideoStore) -> None:
    account = credentials(sandbox, "sora", jobs_in_flight=1, prices=PRICE)
    report = await compare_accounts(["apple"], [account], store, batch="m", models=["sora-2", "veo3.1"])
    assert {record.request.model for record in report.stored} == {"sora-2", "veo3.1"}
    assert [each["name"] for each in data(store, "m")["contenders"]] == ["sora-sora-2", "sora-veo3.1"]
    first, second = sandbox.jobs()
    assert first["prompt"] == second["prompt"] == "apple"


async def test_one_that_fails_does_not_stop_the_others(
    sandbox: Sandbox, store: LocalVideoStore, two: list[Any]
) -> None:
    bad = credentials(sandbox, "12ai", api_key="wrong")
    with pytest.raises(BatchFailedError) as caught:
        await compare_accounts([*PROMPTS, "x [fault:moderated]"], [*two, bad], store, batch="f")
    assert states(store, "f")["apimart"] == [*["stored"] * 3, "failed"]
    assert set(states(store, "f")["12ai"]) <= {"missing", "failed"}
    assert "apimart 3 of 4" in str(caught.value)
    assert "compare.html" in str(caught.value)
    assert len(caught.value.report.stored) == 6


async def test_what_a_contender_cannot_honour_is_said_and_costs_nothing(
    sandbox: Sandbox, store: LocalVideoStore, two: list[Any]
) -> None:
    seeded = VideoRequest(prompt="seeded", size="1280x720")
    able = [credentials(sandbox, "sora"), credentials(sandbox, "jimmyai")]
    report = await compare_accounts(["apple", seeded], able, store, batch="c")
    found = states(store, "c")
    assert sorted(found.values()) == [["stored", "cannot"], ["stored", "stored"]]
    name = next(name for name, made in found.items() if "cannot" in made)
    assert "size" in data(store, "c")["rows"][1]["cells"][name]["why"]
    assert len(report.stored) == 3


async def test_what_nobody_can_honour_is_refused_before_anything_is_spent(
    sandbox: Sandbox, store: LocalVideoStore, two: list[Any]
) -> None:
    impossible = VideoRequest(prompt="impossible", duration=3000)
    with pytest.raises(RequestError, match="prompt 2: "):
        await compare_accounts(["apple", impossible], two, store, batch="n")
    assert sandbox.jobs() == []
    assert not store.folder.exists() or not list(store.folder.rglob("*.mp4"))


@pytest.mark.parametrize(
    ("choice", "more", "says"),
    [
        (slice(0, 1), {}, "there is nothing to compare"),
        (slice(0, 0), {}, "there is nothing to compare"),
        (slice(0, 1), {"models": ["omni", "omni"]}, "would be compared with itself"),
        (slice(0, 2), {"prompts": []}, "prompts: the list is empty"),
    ],
)
async def test_a_comparison_with_nothing_is_refused(
    sandbox: Sandbox, store: LocalVideoStore, two: list[Any], choice: slice, more: dict[str, Any], says: str
) -> None:
    with pytest.raises(RequestError, match=says):
        await compare_accounts(**{"prompts": PROMPTS, "credentials": two[choice], "store": store, "batch": "b", **more})
    assert sandbox.jobs() == []


async def test_the_same_account_twice_is_refused(sandbox: Sandbox, store: LocalVideoStore, two: list[Any]) -> None:
    with pytest.raises(RequestError, match="apimart would be compared with itself"):
        await compare_accounts(PROMPTS, [two[0], two[0]], store, batch="b")


@pytest.mark.parametrize("limit", [{"max_videos": 4}, {"max_cost": "4 USD"}])
async def test_a_limit_holds_for_the_whole_comparison(
    sandbox: Sandbox, store: LocalVideoStore, two: list[Any], limit: dict[str, Any]
) -> None:
    for _ in range(2):  # over all its runs
        with pytest.raises(BatchStoppedError) as caught:
            await compare_accounts(PROMPTS, two, store, batch="limited", **limit)
        assert len(sandbox.jobs()) == 4
        assert caught.value.report.left_out == 2
    assert sum(made.count("missing") for made in states(store, "limited").values()) == 2
    report = await compare_accounts(
        PROMPTS, two, store, batch="limited", **{key: "9 USD" if key == "max_cost" else 9 for key in limit}
    )
    assert len(report.stored) == 6


async def test_a_limit_counts_what_runs_without_one_have_submitted(
    sandbox: Sandbox, store: LocalVideoStore, two: list[Any]
) -> None:
    await compare_accounts(PROMPTS[:1], two, store, batch="later")
    with pytest.raises(BatchStoppedError):
        await compare_accounts(PROMPTS, two, store, batch="later", max_videos=3)
    assert len(sandbox.jobs()) == 3


async def test_an_amount_in_another_unit_is_refused_before_anybody_submits(
    sandbox: Sandbox, store: LocalVideoStore, two: list[Any]
) -> None:
    other = credentials(sandbox, "jimmyai", prices=[{"per_video": "5 credits"}])
    with pytest.raises(RequestError, match="jimmyai is billed in credits"):
        await compare_accounts(PROMPTS, [two[0], other], store, batch="units", max_cost="100 USD")
    assert sandbox.jobs() == []


async def test_a_person_is_asked_once_for_all(sandbox: Sandbox, store: LocalVideoStore, two: list[Any]) -> None:
    work: Any = compare_accounts
    running = asyncio.create_task(work(PROMPTS, two, store, batch="ask", ask_above="5 USD", return_state=True))
    run = await asked()
    assert "they may cost 6.00 USD, which is more than 5.00 USD" in (await inputs(run))["description"]
    assert sandbox.jobs() == []
    await resume(run, answer(Answer.TRIAL, first=2))
    state = await running
    assert state.name == "Trial made", state
    assert bill(sandbox) == {("apimart", "apple"): 1, ("jimmyai", "apple"): 1}, "the first prompt, of everybody"
    assert states(store, "ask") == {
        "apimart": ["stored", "missing", "missing"],
        "jimmyai": ["stored", "missing", "missing"],
    }
    running = asyncio.create_task(work(PROMPTS, two, store, batch="ask", ask_above="1 USD", return_state=True))
    run = await asked()
    assert "they may cost 4.00 USD" in (await inputs(run))["description"]
    await resume(run, answer(Answer.STOP))
    state = await running
    assert state.name == "Stopped", state
    assert len(sandbox.jobs()) == 2
