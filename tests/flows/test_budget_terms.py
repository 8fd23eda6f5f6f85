"""What the parameters of a run say about its budgets, without a run."""

from decimal import Decimal
from typing import Any

import pytest

from prefect_omnivideo.blocks import APIMartCredentials, VideoBudget
from prefect_omnivideo.core.budget.budget import of_batch, of_block
from prefect_omnivideo.core.budget.ledger import Ledger
from prefect_omnivideo.core.budget.spending import Spending
from prefect_omnivideo.core.budget.usage import Limit
from prefect_omnivideo.core.errors import RequestError
from prefect_omnivideo.core.money.amount import Amount
from prefect_omnivideo.core.money.prices import Kind, PriceList, Quote
from prefect_omnivideo.core.prices.estimate import AccountPrices, PriceBook
from prefect_omnivideo.core.records.model import new_record
from prefect_omnivideo.core.records.repository import Records
from prefect_omnivideo.core.request import VideoRequest
from prefect_omnivideo.flows.run import budgets
from prefect_omnivideo.flows.run.budgets import Budgeted, Terms, Work, check_budgets
from tests.core.budget.memory import MemoryStore
from tests.core.records.samples import attempt

ACCOUNT: Any = APIMartCredentials(api_key="k")  # type: ignore[arg-type]
NAME = ACCOUNT.account_id
LISTED, DEARER, UNLISTED = (VideoRequest(prompt="x", resolution=each) for each in ("720p", "1080p", "4k"))
LIST = PriceList.model_validate(
    {"prices": [{"resolution": "720p", "per_video": "0.40 USD"}, {"resolution": "1080p", "per_video": "0.80 USD"}]}
)
OTHERS = PriceList.model_validate(
    {
        "prices": [
            {"model": "a", "per_video": "0.90 USD"},
            {"model": "b", "max_seconds": 10, "per_second": "0.20 USD"},
            {"model": "c", "per_second": "9 USD"},
        ]
    }
)
LEARNED = {Kind("a"): Quote(Amount.parse("0.70 USD")), Kind("b"): Quote(Amount.parse("0.50 USD"))}
WORK = [Work(request, [ACCOUNT]) for request in (LISTED, DEARER, UNLISTED)]
COST = Terms(max_cost="2 USD")


def usd(text: str) -> dict[str, Amount]:
    return {NAME: Amount.parse(f"{text} USD")}


@pytest.mark.parametrize(
    ("terms", "prices", "highest"),
    [
        (COST, AccountPrices(LIST), usd("0.80")),
        (COST, AccountPrices(LIST, learned=LEARNED), usd("0.80")),
        (COST, AccountPrices(learned=LEARNED), usd("0.70")),
        (COST, AccountPrices(OTHERS, learned=LEARNED), usd("2.00")),  # of models that the run has no videos of
        (COST, AccountPrices(gateway=OTHERS), {}),  # a public list names models of all kinds
        (COST, AccountPrices(), {}),
        (Terms(budgets=[VideoBudget(amount="2 USD")]), AccountPrices(LIST), usd("0.80")),
        (COST._replace(unknown_price="stop"), AccountPrices(LIST), {}),
        (Terms(max_videos=3), AccountPrices(LIST), {}),
    ],
)
def test_the_highest_known_price_is_assumed(terms: Terms, prices: AccountPrices, highest: dict[str, Amount]) -> None:
    assert budgets._highest(terms, WORK, {NAME: prices}) == highest


def test_a_video_counts_at_its_own_price_if_it_is_known() -> None:
    book: PriceBook = {NAME: AccountPrices(LIST)}
    assert budgets._amount(LISTED, ACCOUNT, book, usd("9")) == Amount.parse("0.40 USD")
    assert budgets._amount(UNLISTED, ACCOUNT, book, usd("9")) == Amount.parse("9 USD")
    assert budgets._amount(UNLISTED, ACCOUNT, book, {}) is None


def test_a_batch_keeps_a_budget_once_it_has_one() -> None:
    records = Records(MemoryStore())
    limit = Limit(Amount.parse("2 USD"), None, Decimal("0.80"))
    assert budgets._budgets(Terms(), "b", records, {}) == []
    assert budgets._budgets(COST, "b", records, usd("0.80")) == [of_batch("b", limit)]
    assert budgets._budgets(Terms(max_videos=3), "b", records, {}) == [of_batch("b", Limit(videos=3))]
    Ledger(records.store, of_batch("b").ledger).open()
    assert budgets._budgets(Terms(), "b", records, {}) == [of_batch("b")]


@pytest.mark.parametrize(
    ("terms", "prices", "said"),
    [
        (COST, AccountPrices(LIST), ""),
        (COST, AccountPrices(), "no known price"),
        (COST._replace(unknown_price="stop"), AccountPrices(LIST), "no known price"),
        (Terms(max_cost="2 credits"), AccountPrices(LIST), "is in credits, and account apimart is billed in USD"),
        (Terms(max_videos=3), AccountPrices(), ""),
    ],
)
async def test_a_limit_that_cannot_be_kept_is_refused(terms: Terms, prices: AccountPrices, said: str) -> None:
    check = check_budgets(terms, "b", Records(MemoryStore()), WORK, {NAME: prices})
    if not said:
        await check
    else:
        with pytest.raises(RequestError, match=said):
            await check


async def test_a_video_is_reserved_unless_it_was_submitted_before() -> None:
    records, own = Records(MemoryStore()), of_batch("b", Limit(videos=1))
    async with Spending([own], "b", records, pytest.fail) as spending:
        budgeted = Budgeted(spending, {}, {})
        async with budgeted.reserved(LISTED, ACCOUNT) as mine:
            assert mine is not None
            assert mine.is_held
            claim = new_record(LISTED, "b", attempt(reserved=mine.reserved))
            records.claim(claim)
        assert mine.is_open, "it may have been sent"
        async with budgeted.reserved(LISTED, ACCOUNT) as again:
            assert again is not None
            assert not again.is_held
        current = records.load("b", LISTED)
        assert current is not None
        records.save(claim.failed("gateway error", "busy", accepted=False), current.etag)
        mine.saw(claim.failed("gateway error", "busy", accepted=False))
        async with budgeted.reserved(LISTED, ACCOUNT) as third:
            assert third is not None
            assert third.is_held, "nothing was spent, so it is submitted again"
        assert not third.is_held, "nothing was claimed"
        async with budgeted.reserved(DEARER, ACCOUNT) as other:
            assert other is not None
            assert other.is_held, "what was not used is free"
    elsewhere = of_block("x", Limit(videos=1), "none", ["another"])
    spending = Spending([elsewhere], "b", records, pytest.fail)
    async with spending, Budgeted(spending, {}, {}).reserved(DEARER, ACCOUNT) as ticket:
        assert ticket is None


def test_a_video_of_unknown_price_counts_as_the_highest_of_all_accounts() -> None:
    highest = {"one": "0.40 USD", "two": "0.90 USD", "three": "30 credits"}
    known = {name: Amount.parse(text) for name, text in highest.items()}
    (own,) = budgets._budgets(COST, "b", Records(MemoryStore()), known)
    assert own.limit.ceiling == Decimal("0.90")
