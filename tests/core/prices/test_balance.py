"""What is left on an account, by whichever page tells it."""

from decimal import Decimal
from typing import Any

import pytest
from pydantic import JsonValue

from prefect_omnivideo.core.client.account import Account
from prefect_omnivideo.core.money.amount import Amount
from prefect_omnivideo.core.prices import balance
from prefect_omnivideo.core.prices.balance import balance_of, difference
from prefect_omnivideo.sandbox import Sandbox, Settings, running
from tests.accounts import credentials

REMAINS = {"12ai": "12.50 USD", "omnirouters": "12.50 USD", "sora": "12.50 USD", "apimart": "12.50 USD"}


@pytest.mark.parametrize("gateway", [*REMAINS, "jimmyai"])
async def test_the_balance_of_the_sandbox_is_read(gateway: str) -> None:
    with running(Settings(balance=Decimal("12.5"))) as sandbox:
        left = await balance_of(credentials(sandbox, gateway).account())
        assert str(left) == REMAINS.get(gateway, "12 credits")
        wrong = credentials(sandbox, gateway, api_key="wrong").account()
        assert await balance_of(wrong) is None


KEY, STATUS = "/api/usage/token/", "/api/status"
LIMIT, USED = "/v1/dashboard/billing/subscription", "/v1/dashboard/billing/usage"

BILLED: dict[str, JsonValue] = {LIMIT: {"hard_limit_usd": 20}, USED: {"total_usage": 200}}


def usage(**facts: Any) -> dict[str, Any]:
    return {"code": True, "data": {"total_available": 250_000, "unlimited_quota": False, **facts}}


@pytest.mark.parametrize(
    ("pages", "left"),
    [
        ({KEY: usage()}, "0.50 USD"),
        ({KEY: usage(), STATUS: {"success": True, "data": {"quota_per_unit": 250_000}}}, "1.00 USD"),
        ({KEY: usage(), STATUS: {"data": {"quota_per_unit": 0}}}, "0.50 USD"),
        ({KEY: usage(total_available=-3)}, "0.00 USD"),
        ({KEY: usage(unlimited_quota=True)}, "None"),
        ({KEY: usage(unlimited_quota=None)}, "None"),  # nothing says that it has a limit
        ({KEY: usage(total_available="x")}, "None"),
        ({KEY: {"data": []}, LIMIT: {"hard_limit_usd": 20}, USED: {"total_usage": 150.5}}, "18.495 USD"),
        ({LIMIT: {"hard_limit_usd": 1}, USED: {"total_usage": 150}}, "0.00 USD"),
        ({LIMIT: {"hard_limit_usd": 20}}, "None"),
        ({LIMIT: {"hard_limit_usd": 100_000_000}, USED: {"total_usage": 5}}, "None"),
        ({LIMIT: [1], USED: None}, "None"),
        # These two pages show what the site shows, in a field whose name says dollars.
        ({**BILLED, STATUS: {"data": {"quota_display_type": "USD", "usd_exchange_rate": 7.3}}}, "18.00 USD"),
        ({**BILLED, STATUS: {"data": {"quota_display_type": "CUSTOM", "usd_exchange_rate": 7.3}}}, "18.00 USD"),
        ({**BILLED, STATUS: {"data": {"quota_display_type": "CNY", "usd_exchange_rate": 7.2}}}, "2.50 USD"),
        ({**BILLED, STATUS: {"data": {"quota_display_type": "CNY"}}}, "None"),
        ({**BILLED, STATUS: {"data": {"quota_display_type": "CNY", "usd_exchange_rate": 0}}}, "None"),
        ({**BILLED, STATUS: {"data": {"quota_display_type": "TOKENS", "quota_per_unit": 10}}}, "1.80 USD"),
        ({**BILLED, STATUS: {"data": {"display_in_currency": False, "quota_per_unit": 10}}}, "1.80 USD"),
        ({**BILLED, STATUS: {"data": {"display_in_currency": True, "quota_per_unit": 10}}}, "18.00 USD"),
        ({**BILLED, STATUS: {"success": False, "message": "busy"}}, "18.00 USD"),
        ({}, "None"),
    ],
)
async def test_a_balance_is_read_from_the_pages_there_are(
    pages: dict[str, JsonValue], left: str, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def get_json(account: Account, path: str, *, with_key: bool = False) -> JsonValue:
        assert with_key is (path != STATUS)
        return pages.get(path)

    monkeypatch.setattr(balance, "get_json", get_json)
    assert str(await balance_of(credentials(sandbox, "sora").account())) == left


@pytest.mark.parametrize(
    ("told", "left"),
    [
        ({"remain_balance": -1}, "None"),
        ({"remain_balance": 3, "unlimited_quota": True}, "None"),
        ({"remain_balance": "3", "unlimited_quota": False}, "3.00 USD"),
        ({"remain_balance": 0}, "0.00 USD"),
        ({"remain_balance": -0.25}, "0.00 USD"),  # overdrawn
        ({"remain_balance": "a lot"}, "None"),
        ({"remain_balance": 1e99}, "None"),
        ({"message": "busy"}, "None"),
    ],
)
async def test_apimart_tells_that_there_is_no_limit(
    told: dict[str, JsonValue], left: str, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def get_json(account: Account, path: str, *, with_key: bool = False) -> JsonValue:
        return {"success": True, **told}

    monkeypatch.setattr(balance, "get_json", get_json)
    assert str(await balance_of(credentials(sandbox, "apimart").account())) == left


@pytest.mark.parametrize(
    ("before", "after", "costs", "said"),
    [
        ("10 USD", "8 USD", ["1 USD", "1 USD"], ""),
        ("10 USD", "8 USD", ["1 USD", "0.9901 USD"], ""),  # rounding
        ("10 USD", "7.99 USD", ["1 USD", "1 USD"], "fell by 2.01 USD ... is 2.00 USD: others may use the account"),
        ("10 USD", "10 USD", ["1 USD"], "fell by 0.00 USD ... is 1.00 USD: others"),
        ("10 USD", "12 USD", ["1 USD"], "rose by 2.00 USD ... is 1.00 USD: others"),
        ("10 USD", "7 USD", ["1 USD", None], "fell by 3.00 USD ... is 1.00 USD; 1 job is of unknown cost"),
        ("90 credits", "70 credits", [None, None], "fell by 20 credits ... is 0 credits; 2 jobs are of unknown cost"),
        ("10 USD", "10 USD", [], ""),
        ("10 USD", "9 USD", [], "fell by 1.00 USD ... is 0.00 USD: others"),
        ("10 USD", "9 USD", [None, "10 credits"], ""),  # billed in another unit than the balance
        ("10 USD", "8 credits", ["1 USD"], ""),
    ],
)
def test_a_balance_that_the_costs_do_not_explain_is_said(
    before: str, after: str, costs: list[str | None], said: str
) -> None:
    told = difference(
        "prod", Amount.parse(before), Amount.parse(after), [Amount.parse(cost) if cost else None for cost in costs]
    )
    if not said:
        assert told == ""
        return
    first, second = said.split(" ... ")
    assert told.startswith(f"the balance of account prod {first} during this run, and the recorded cost of its jobs ")
    assert second in told
