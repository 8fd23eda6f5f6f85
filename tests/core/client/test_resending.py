"""What is sent again and what is not, and which answer confirms a cancellation: without a server."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from prefect_omnivideo.core.client.account import Account
from prefect_omnivideo.core.client.client import SUBMIT_ATTEMPTS, GatewayClient
from prefect_omnivideo.core.client.pool import connect
from prefect_omnivideo.core.errors import StatusUnavailableError
from prefect_omnivideo.core.gateways.registry import get_gateway
from prefect_omnivideo.core.gateways.specification import (
    Accepted,
    Answer,
    HttpCall,
    Job,
    Outcome,
    Reason,
    Rejected,
    Unknown,
)
from prefect_omnivideo.core.gateways.validation import translate
from prefect_omnivideo.core.gateways.words import JobStatus
from prefect_omnivideo.core.request import VideoRequest

ACCEPTED = Accepted(Job("task_1", JobStatus.QUEUED))


def account(name: str) -> Account:
    gateway = get_gateway(name)
    return Account(gateway, "test", "https://gateway.test", SecretStr("sk-x"), gateway.routes[0])


@pytest.fixture
def submit(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Submits to a gateway that answers with these outcomes in turn, and tells how often it was asked."""

    async def submitted(*outcomes: Outcome) -> tuple[Outcome, int]:
        left = list(outcomes)

        async def once(*args: object, **kwargs: object) -> Outcome:
            return left.pop(0)

        monkeypatch.setattr(GatewayClient, "_submit_once", once)
        mine = account("apimart")
        async with connect(mine) as client:
            outcome = await client.submit(translate(mine.gateway, VideoRequest(prompt="a red apple")))
        return outcome, len(outcomes) - len(left)

    return submitted


PASSING = {Reason.UNREACHABLE, Reason.RATE_LIMITED, Reason.UNAVAILABLE}


@pytest.mark.parametrize("reason", Reason)
async def test_only_a_refusal_that_passes_is_sent_again(reason: Reason, submit: Callable[..., Any]) -> None:
    refused = Rejected(reason, "no")
    assert await submit(refused, ACCEPTED) == ((ACCEPTED, 2) if reason in PASSING else (refused, 1))


@pytest.mark.parametrize("outcome", [ACCEPTED, Unknown("lost")], ids=lambda outcome: type(outcome).__name__)
async def test_what_may_be_paid_for_is_never_sent_again(outcome: Outcome, submit: Callable[..., Any]) -> None:
    assert await submit(outcome, ACCEPTED) == (outcome, 1)
    assert await submit(Rejected(Reason.RATE_LIMITED, "no"), outcome, ACCEPTED) == (outcome, 2)


@pytest.mark.parametrize("error", [httpx.ReadError("x"), OSError("x"), ValueError("x")], ids=repr)
async def test_after_an_error_that_nobody_foresaw_nothing_is_sent_again(
    error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may have come after the request was sent."""
    asked = 0

    async def once(*args: object, **kwargs: object) -> Outcome:
        nonlocal asked
        asked += 1
        raise error if asked == 1 else AssertionError("sent again")

    monkeypatch.setattr(GatewayClient, "_submit_once", once)
    mine = account("apimart")
    async with connect(mine) as client:
        with pytest.raises(type(error)):
            await client.submit(translate(mine.gateway, VideoRequest(prompt="a red apple")))
    assert asked == 1


async def test_it_is_sent_so_many_times_and_no_more(submit: Callable[..., Any]) -> None:
    refusals = [Rejected(Reason.UNAVAILABLE, f"no {number}") for number in range(SUBMIT_ATTEMPTS + 5)]
    assert SUBMIT_ATTEMPTS == 5
    assert await submit(*refusals) == (refusals[SUBMIT_ATTEMPTS - 1], SUBMIT_ATTEMPTS), "and the last one is told"


@pytest.mark.parametrize(
    ("status", "body", "confirmed"),
    [
        (200, {"success": True}, True),
        (200, {"success": True, "message": "cancelled"}, True),
        (200, {"success": False}, False),
        (200, {"success": "true"}, False),
        (200, {"success": 1}, False),
        (200, {"id": "task_1", "status": "cancelled"}, False),
        (200, {}, False),
        (200, [{"success": True}], False),
        (200, None, False),
        (202, {"success": True}, False),
        (404, {"success": True}, False),
        (500, {"success": True}, False),
    ],
    ids=str,
)
async def test_only_the_documented_answer_confirms_a_cancellation(
    status: int, body: Any, confirmed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, str]] = []

    async def get(self: GatewayClient, call: HttpCall, task_id: str) -> Answer:
        asked.append((call.method, call.path))
        return Answer(status, {}, body)

    monkeypatch.setattr(GatewayClient, "_get", get)
    mine = account("12ai")
    async with connect(mine) as client:
        assert await client.cancel("task/1", mine.route.submit) is confirmed
    assert asked == [("DELETE", "/v1/videos/task%2F1")]


async def test_no_answer_confirms_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    async def get(self: GatewayClient, call: HttpCall, task_id: str) -> Answer:
        raise StatusUnavailableError("no connection")

    monkeypatch.setattr(GatewayClient, "_get", get)
    mine = account("12ai")
    async with connect(mine) as client:
        assert await client.cancel("task_1", mine.route.submit) is False


async def test_a_gateway_that_cannot_cancel_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    async def get(self: GatewayClient, call: HttpCall, task_id: str) -> Answer:
        pytest.fail("nothing may be sent")

    monkeypatch.setattr(GatewayClient, "_get", get)
    mine = account("apimart")
    async with connect(mine) as client:
        assert await client.cancel("task_1", mine.route.submit) is None
