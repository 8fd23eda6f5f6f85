"""Estimates: the best source that has a price, and the kind of video that a gateway will understand."""

from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from pydantic import SecretStr

from prefect_omnivideo.core.client.account import Account
from prefect_omnivideo.core.gateways.registry import get_gateway
from prefect_omnivideo.core.money.amount import Amount, told
from prefect_omnivideo.core.money.prices import Kind, PriceList, Quote
from prefect_omnivideo.core.prices.estimate import AccountPrices, Estimate, Source, estimate, total_of
from prefect_omnivideo.core.prices.kind import kind_of
from prefect_omnivideo.core.prices.outlook import outlook
from prefect_omnivideo.core.request import VideoRequest


@pytest.mark.parametrize(
    ("gateway", "request_", "kind"),
    [
        ("12ai", {}, Kind("omni_flash-10s", Decimal(10), "720p")),
        ("apimart", {}, Kind("gemini-omni-flash-preview", None, "720p", sound=True)),
        ("jimmyai", {}, Kind("Gemini-Omini", Decimal(6), "720p")),
        ("jimmyai", {"duration": 8, "resolution": "4K"}, Kind("Gemini-Omini", Decimal(8), "4k")),
        ("jimmyai", {"videos": ["https://a/b.mp4"]}, Kind("Gemini-Omini", None, "720p")),
        ("jimmyai", {"model": "omni-10s", "options": {"duration": 4}}, Kind("omni-10s", Decimal(10), "720p")),
        ("sora", {"duration": 8, "size": "720x1280"}, Kind("gemini-omni", Decimal(8), "720p")),
        ("sora", {"options": {"seconds": 4, "resolution": "1080P"}}, Kind("gemini-omni", Decimal(4), "1080p")),
        ("sora", {"model": "kling-video", "options": {"model_name": "kling-v3", "sound": "on"}},
         Kind("kling-v3", sound=True)),
        ("omnirouters", {"duration": 5, "sound": False, "resolution": "720p"},
         Kind("Kling-3.0-omni", Decimal(5), "720p", sound=False)),
        ("omnirouters",
         {"model": "doubao-seedance-2-0-260128", "duration": 5, "resolution": "1080p", "sound": True},
         Kind("doubao-seedance-2-0-260128", Decimal(5), "1080p", sound=True)),
    ],
)  # fmt: skip
def test_what_a_price_depends_on(gateway: str, request_: dict[str, Any], kind: Kind) -> None:
    assert kind_of(VideoRequest(prompt="x", **request_), get_gateway(gateway)) == kind


def account(name: str = "prod") -> Account:
    gateway = get_gateway("apimart")
    return Account(gateway, name, "https://a.example", SecretStr("k"), gateway.routes[0])


def prices(text: str, **conditions: object) -> PriceList:
    return PriceList.model_validate({"as_of": "2026-05-01", "prices": [{"per_video": text, **conditions}]})


REQUEST = VideoRequest(prompt="x")
KIND = kind_of(REQUEST, get_gateway("apimart"))
LEARNED = {KIND: Quote(Amount.parse("3 USD"), date(2026, 5, 3))}
OTHER = prices("9 USD", model="other")


@pytest.mark.parametrize(
    ("known", "found"),
    [
        (AccountPrices(prices("1 USD"), prices("2 USD"), LEARNED), ("1.00 USD", "price list", date(2026, 5, 1))),
        (AccountPrices(OTHER, prices("2 USD"), LEARNED), ("2.00 USD", "gateway", date(2026, 5, 1))),
        (AccountPrices(OTHER, OTHER, LEARNED), ("3.00 USD", "earlier videos", date(2026, 5, 3))),
        (AccountPrices(None, prices("2 USD"), LEARNED), ("2.00 USD", "gateway", date(2026, 5, 1))),
        (AccountPrices(OTHER, None), ("None", "unknown", None)),
    ],
)
def test_the_best_source_that_has_a_price_counts(known: AccountPrices, found: tuple[object, ...]) -> None:
    given = estimate(REQUEST, account(), {"apimart/prod": known})
    assert (str(given.amount), given.source, given.as_of) == found


def test_each_account_has_its_own_prices_and_its_own_share() -> None:
    """What only one account can make is charged there at least; the rest, at most."""
    prod, other = account(), account("other")
    book = {"apimart/other": AccountPrices(prices("2 USD")), "apimart/prod": AccountPrices(prices("1 USD"))}
    found = outlook([[(each, REQUEST) for each in accounts] for accounts in ([prod, other], [prod], [other], [])], book)
    assert found.videos == 3
    assert [told(found.least(f"apimart/{name}")) for name in ("prod", "other")] == ["1.00 USD", "2.00 USD"]
    assert found.accounts == {"apimart/prod", "apimart/other"}


def test_accounts_of_one_name_are_two_accounts() -> None:
    one = account()
    two = replace(one, gateway=get_gateway("jimmyai"))
    book = {one.id: AccountPrices(prices("1 USD")), two.id: AccountPrices(prices("2 USD"))}
    found = outlook([[(each, VideoRequest(prompt="x"))] for each in (one, two)], book)
    assert [told(found.least(each.id)) for each in (one, two)] == ["1.00 USD", "2.00 USD"]


def test_unknown_says_why() -> None:
    assert estimate(REQUEST, account(), {}).note == "nothing tells the price of gemini-omni-flash-preview"
    known = AccountPrices(prices("1 USD", max_seconds=4))
    assert estimate(REQUEST, account(), {"apimart/prod": known}).note == (
        "the price depends on the duration, which the request leaves open"
    )
    best = AccountPrices(prices("1 USD", max_seconds=4), OTHER)
    assert "depends on the duration" in estimate(REQUEST, account(), {"apimart/prod": best}).note, "of the best source"


def test_a_total_says_what_is_learned_and_what_is_unknown() -> None:
    one, learned = Amount.parse("0.10 USD"), Amount.parse("0.25 USD")
    given = [Estimate(one, Source.LIST)] * 3 + [Estimate(learned, Source.LEARNED), Estimate(None, Source.UNKNOWN)]
    found = total_of("prod", given)
    assert (found.videos, found.amounts, found.unknown) == (5, (Amount.parse("0.55 USD"),), 1)
    assert str(found) == (
        "0.55 USD for 5 videos on account prod, 0.25 USD of it estimated from earlier videos, without 1 of them "
        "whose price is unknown"
    )
    public = [Estimate(one, Source.GATEWAY), Estimate(one, Source.LIST)]
    assert str(total_of("prod", public)) == (
        "0.20 USD for 2 videos on account prod, 0.10 USD of it by the gateway's public list, before factors for length "
        "or size"
    )
    assert str(total_of("prod", given[-1:])) == "unknown for 1 video on account prod"
