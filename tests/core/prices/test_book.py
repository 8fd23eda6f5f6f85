"""What is known about the prices of several accounts, each its own."""

from dataclasses import replace
from typing import Any

import pytest
from pydantic import SecretStr

from prefect_omnivideo.core.client.account import Account
from prefect_omnivideo.core.errors import StoreError
from prefect_omnivideo.core.gateways.registry import get_gateway
from prefect_omnivideo.core.money.amount import Amount
from prefect_omnivideo.core.money.prices import Kind, PriceList, Quote
from prefect_omnivideo.core.prices import book
from prefect_omnivideo.core.prices.book import gather_prices
from prefect_omnivideo.core.prices.estimate import AccountPrices

_SORA = get_gateway("sora")
ONE = Account(_SORA, "one", "https://one.example", SecretStr("k"), _SORA.routes[0])
TWO = replace(ONE, name="two", base_url="https://two.example")
LIST = PriceList.model_validate({"prices": [{"per_video": "1 USD"}]})
QUOTES = {Kind("sora-2"): Quote(Amount.parse("0.35 USD"))}
STORE: Any = object()


@pytest.fixture(autouse=True)
def no_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    async def page(account: Account) -> dict[str, str]:
        return {"page of": account.name}

    monkeypatch.setattr(book, "gateway_prices", page)


async def test_each_account_has_its_own_prices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(book, "learned", lambda store: {("sora", "https://two.example"): QUOTES})
    found: Any = await gather_prices([ONE, TWO], {TWO.id: LIST}, STORE)
    assert found == {
        "sora/one": AccountPrices(None, {"page of": "one"}, {}),  # type: ignore[arg-type]
        "sora/two": AccountPrices(LIST, {"page of": "two"}, QUOTES),  # type: ignore[arg-type]
    }


async def test_a_store_that_cannot_be_read_teaches_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(store: object) -> None:
        raise StoreError("no store today")

    monkeypatch.setattr(book, "learned", fails)
    assert (await gather_prices([ONE], {ONE.id: LIST}, STORE))[ONE.id].listed == LIST
    assert (await gather_prices([ONE], {}))[ONE.id].learned == {}
