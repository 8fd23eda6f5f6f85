"""Limits on what a batch, or several, may spend: kept by every run, and continued by a later one."""

import asyncio

import pytest
from prefect.client.schemas.objects import StateType

from prefect_omnivideo import LocalVideoStore, VideoBudget
from prefect_omnivideo.core.budget import purse
from prefect_omnivideo.core.budget.ledger import Ledger
from prefect_omnivideo.core.errors import BudgetReachedError, RequestError
from prefect_omnivideo.core.records.repository import Records
from prefect_omnivideo.flows import BatchFailedError, BatchStoppedError, generate_video, generate_videos
from prefect_omnivideo.sandbox import Sandbox
from tests.accounts import credentials

pytestmark = pytest.mark.usefixtures("prefect_server")
SIX = [f"prompt {number}" for number in range(6)]


@pytest.fixture(autouse=True)
def _own_jobs(sandbox: Sandbox) -> None:
    sandbox.reset()


@pytest.fixture(autouse=True)
def _short_leases(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(purse, "LEASE_SECONDS", 8.0)


async def test_a_batch_stops_at_its_limit_and_a_later_run_continues(sandbox: Sandbox, store: LocalVideoStore) -> None:
    account = credentials(sandbox, "apimart")
    state = await generate_videos(SIX, account, store, batch="b", max_videos=4, return_state=True)
    assert (state.type, state.name) == (StateType.FAILED, "Budget reached")
    assert "6 videos: 4 stored, 2 left out as the budget is reached" in str(state.message)
    assert "the budget of batch b (4 videos): 4 videos" in str(state.message)
    assert len(sandbox.jobs()) == 4
    page = Ledger(store.open(), "b/budget.json").open()
    assert (page.settled.videos, page.entries) == (4, {}), "all of it is certain"

    with pytest.raises(BatchStoppedError) as caught:
        await generate_videos(SIX, account, store, batch="b", max_videos=4)
    assert len(caught.value.report.stored) == 4, "what is stored needs no room"
    assert len(sandbox.jobs()) == 4

    report = await generate_videos(SIX, account, store, batch="b", max_videos=6)
    assert len(report.stored) == 6
    assert len(sandbox.jobs()) == 6
    assert Ledger(store.open(), "b/budget.json").open().settled.videos == 6
    assert len(list(Records(store.open()).batch("b"))) == 6, "the ledger is not a record"


async def test_runs_without_a_limit_count_too(sandbox: Sandbox, store: LocalVideoStore) -> None:
    account = credentials(sandbox, "apimart")
    await generate_videos(SIX[:2], account, store, batch="b")
    assert not Ledger(store.open(), "b/budget.json").exists(), "nobody asked for a limit"
    with pytest.raises(BatchStoppedError):
        await generate_videos(SIX[:4], account, store, batch="b", max_videos=3)
    assert len(sandbox.jobs()) == 3, "two before there was a limit"
    await generate_videos(SIX[:4], account, store, batch="b")
    with pytest.raises(BatchStoppedError):
        await generate_videos(SIX, account, store, batch="b", max_videos=5)
    assert len(sandbox.jobs()) == 5


async def test_two_flows_share_a_saved_budget(sandbox: Sandbox, store: LocalVideoStore) -> None:
    account = credentials(sandbox, "apimart")
    budget = VideoBudget(videos=5, period="none")
    await budget.save("shared", overwrite=True)
    runs = [generate_videos(SIX, account, store, batch=batch, budgets=[budget]) for batch in ("one", "two")]
    ends = await asyncio.gather(*runs, return_exceptions=True)
    assert all(isinstance(end, BatchStoppedError) for end in ends)
    assert len(sandbox.jobs()) == 5
    page = Ledger(store.open(), "budgets/shared/all.json").open()
    assert (page.settled.videos, page.entries) == (5, {})


async def test_a_rejection_gives_its_room_back(sandbox: Sandbox, store: LocalVideoStore) -> None:
    account = credentials(sandbox, "apimart")
    refused = [f"refused {number} [fault:400]" for number in range(3)]
    with pytest.raises(BatchFailedError) as caught:
        await generate_videos(refused, account, store, batch="b", max_videos=2)
    assert not isinstance(caught.value, BatchStoppedError)
    assert len(caught.value.report.failed) == 3, "each made room for the next"
    report = await generate_videos(SIX[:2], account, store, batch="b", max_videos=2)
    assert len(report.stored) == 2
    assert Ledger(store.open(), "b/budget.json").open().settled.videos == 2


async def test_a_budget_for_one_account_leaves_the_others_alone(sandbox: Sandbox, store: LocalVideoStore) -> None:
    budget = VideoBudget(videos=2, accounts=["apimart"])
    await budget.save("one-account", overwrite=True)
    accounts = [credentials(sandbox, "apimart"), credentials(sandbox, "jimmyai")]
    report = await generate_videos(SIX, accounts, store, batch="b", budgets=[budget])
    assert len(report.stored) == 6
    assert sum(job["gateway"] == "apimart" for job in sandbox.jobs()) <= 2
    await accounts[1].save("elsewhere", overwrite=True)
    mistyped = VideoBudget(videos=2, accounts=["apimart", "elsewhere", "prood", "apimrat"])
    await mistyped.save("mistyped", overwrite=True)
    made = len(sandbox.jobs())
    with pytest.raises(RequestError, match="budgets: a budget counts the videos of apimrat, prood, and no block"):
        await generate_videos(["more"], accounts, store, batch="b", budgets=[mistyped])
    assert len(sandbox.jobs()) == made


async def test_one_video_within_a_budget(sandbox: Sandbox, store: LocalVideoStore) -> None:
    account = credentials(sandbox, "apimart")
    await generate_video("one", account, store, batch="b", max_videos=1)
    await generate_video("one", account, store, batch="b", max_videos=1)
    with pytest.raises(BudgetReachedError, match="the budget of batch b"):
        await generate_video("two", account, store, batch="b", max_videos=1)
    state = await generate_video("two", account, store, batch="b", max_videos=1, return_state=True)
    assert state.name == "Budget reached"
    assert len(sandbox.jobs()) == 1


async def test_money_is_counted_at_its_price_and_then_at_its_cost(sandbox: Sandbox, store: LocalVideoStore) -> None:
    """APIMart charges 1 US dollar for each; the list says 1.20."""
    account = credentials(sandbox, "apimart", prices=[{"per_video": "1.20 USD"}])
    with pytest.raises(BatchStoppedError, match=r"3 left out.*4\.00 USD\): 3 videos for 3\.00 USD"):
        await generate_videos(SIX, account, store, batch="b", max_cost="4 USD")
    assert len(sandbox.jobs()) == 3, "a fourth might cost 1.20 USD"
    with pytest.raises(RequestError, match=r"max_cost: .*is in credits, and account apimart is billed in USD"):
        await generate_videos(SIX, account, store, batch="b", max_cost="40 credits")
    credits_only = credentials(sandbox, "jimmyai", prices=[{"per_video": "5 credits"}])
    with pytest.raises(RequestError, match=r"has recorded 3\.00 USD"):
        await generate_videos(["new"], credits_only, store, batch="b", max_cost="40 credits")
    assert len(sandbox.jobs()) == 3


async def test_a_limit_that_cannot_be_kept_is_refused_before_anything_is_spent(
    sandbox: Sandbox, store: LocalVideoStore
) -> None:
    account = credentials(sandbox, "apimart")
    with pytest.raises(RequestError, match=r"max_cost: .*2\.00 USD.*account apimart has no known price"):
        await generate_videos(SIX, account, store, batch="b", max_cost="2 USD")
    with pytest.raises(RequestError, match=r"budgets: a budget was never saved"):
        await generate_videos(SIX, account, store, batch="b", budgets=[VideoBudget(videos=1)])
    for bad in ("-1 USD", "2", "two USD", "1e3 USD", "2 usd"):
        with pytest.raises(Exception, match="max_cost"):
            await generate_videos(SIX, account, store, batch="b", max_cost=bad)
    assert sandbox.jobs() == []
    assert not list(Records(store.open()).batch("b"))
