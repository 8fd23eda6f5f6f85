"""The check of an account: what a harmless page says about key, balance, and what stands in front."""

from __future__ import annotations

from typing import Any

import pytest

from prefect_omnivideo.core.client.account import Account
from prefect_omnivideo.core.client.check import check_account
from prefect_omnivideo.core.client.client import GatewayClient
from prefect_omnivideo.core.errors import StatusUnavailableError
from prefect_omnivideo.core.gateways.specification import Answer
from tests.accounts import KINDS


def account_of(gateway: str) -> Account:
    return KINDS[gateway].model_validate({"api_key": "sk-key", "base_url": "https://gateway.example"}).account()


LITELLM = {"x-litellm-version": "1.106"}


@pytest.mark.parametrize(
    ("gateway", "answer", "accepted", "balance", "says"),
    [
        ("apimart", Answer(200, {}, {"success": True, "remain_balance": 12.5}), True, 12.5, "12.5 left"),
        ("apimart", Answer(200, {}, {"success": True, "remain_balance": -1}), True, -1, "no limit"),
        ("jimmyai", Answer(200, {}, {"code": "20000", "data": {"available": 7}}), True, 7, "7 left"),
        ("jimmyai", Answer(200, {}, {"code": "20001", "msg": "auth"}), False, None, "does not accept the key"),
        ("sora", Answer(200, {}, {"data": []}), True, None, "accepts the key"),
        ("sora", Answer(200, LITELLM, {"data": []}), True, None, "disable_fallbacks"),
        ("sora", Answer(401, {}, {"error": {"message": "no"}}), False, None, "does not accept the key"),
        ("sora", Answer(403, {}, None, "<html>"), None, None, "at https://gateway.example"),
        ("sora", Answer(502, {}, None, "bad gateway"), None, None, "at https://gateway.example"),
    ],
    ids=lambda value: str(value)[:40],
)
async def test_what_a_page_says(
    gateway: str,
    answer: Answer,
    accepted: bool | None,
    balance: float | None,
    says: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def get(client: GatewayClient, path: str) -> Answer:
        return answer

    monkeypatch.setattr(GatewayClient, "get", get)
    found = await check_account(account_of(gateway))
    assert (found.accepted, found.balance) == (accepted, balance)
    assert says in found.message


async def test_an_answer_that_does_not_come_says_nothing_about_the_key(monkeypatch: pytest.MonkeyPatch) -> None:
    async def get(client: GatewayClient, path: str) -> Any:
        raise StatusUnavailableError("could not be asked")

    monkeypatch.setattr(GatewayClient, "get", get)
    found = await check_account(account_of("sora"))
    assert found == (None, None, "could not be asked")
