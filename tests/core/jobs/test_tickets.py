"""A submission within budgets: reserved before the claim, named in the record, and sent only while that holds."""

import logging
from collections.abc import Sequence
from typing import Any

import pytest
from pydantic import SecretStr

from prefect_omnivideo.core.budget.holding import Holding
from prefect_omnivideo.core.budget.ticket import Ticket
from prefect_omnivideo.core.budget.usage import Usage
from prefect_omnivideo.core.client.account import Account
from prefect_omnivideo.core.client.client import GatewayClient
from prefect_omnivideo.core.errors import BudgetReachedError, ModeratedError
from prefect_omnivideo.core.gateways.registry import get_gateway
from prefect_omnivideo.core.gateways.specification import Reason, Rejected
from prefect_omnivideo.core.jobs.submit import submit
from prefect_omnivideo.core.money.amount import Amount
from prefect_omnivideo.core.prices.estimate import Estimate, Source
from prefect_omnivideo.core.records.repository import Records
from prefect_omnivideo.core.request import VideoRequest
from tests.core.budget.memory import MemoryStore

PRICE = Amount.parse("0.30 USD")
REQUEST = VideoRequest(prompt="x")
_SORA = get_gateway("sora")
ACCOUNT = Account(_SORA, "prod", "https://a.example", SecretStr("k"), _SORA.routes[0])


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Seconds within which each submission had to be sent; the gateway rejects it."""
    found: list[float] = []

    async def take(self: GatewayClient, body: Any, *, within: float) -> Rejected:
        found.append(within)
        return Rejected(Reason.MODERATED, "no")

    monkeypatch.setattr(GatewayClient, "submit", take)
    return found


def ticket(lease: Holding) -> Ticket:
    async def take(price: Usage) -> Sequence[Holding]:
        if not lease.take(price):
            raise BudgetReachedError("full")
        return [lease]

    return Ticket(PRICE, take, enough=0)


@pytest.mark.parametrize(("seconds", "most"), [(7.0, 7.0), (10_000.0, 1_000.0)])
async def test_it_is_sent_while_its_reservation_holds(
    seconds: float, most: float, sent: list[float], log: logging.Logger
) -> None:
    lease = Holding(clock=lambda: 0.0, unused=Usage.of(PRICE), until=seconds)
    records, mine = Records(MemoryStore()), ticket(lease)
    expected = Estimate(PRICE, Source.LIST)
    with pytest.raises(ModeratedError):
        await submit(REQUEST, ACCOUNT, records, "b", log, expected=expected, ticket=mine)
    (within,) = sent
    assert within <= most
    found = records.load("b", REQUEST)
    assert found
    attempt = found.record.attempt
    assert attempt.reserved == mine.reserved
    assert (attempt.reserved and attempt.reserved.leases, attempt.reserved and attempt.reserved.amount) == (
        (lease.id,),
        PRICE,
    )
    assert (attempt.estimate, attempt.estimated_from) == (PRICE, "price list")


async def test_without_room_nothing_is_written_or_sent(sent: list[float], log: logging.Logger) -> None:
    store = MemoryStore()
    with pytest.raises(BudgetReachedError):
        await submit(REQUEST, ACCOUNT, Records(store), "b", log, ticket=ticket(Holding()))
    assert (store.objects, sent) == ({}, [])


async def test_an_earlier_submission_needs_no_room(sent: list[float], log: logging.Logger) -> None:
    records = Records(MemoryStore())
    with pytest.raises(ModeratedError):
        await submit(REQUEST, ACCOUNT, records, "b", log)
    mine = ticket(Holding())
    record = await submit(REQUEST, ACCOUNT, records, "b", log, ticket=mine)
    assert record.attempt.reserved is None
    assert (len(sent), mine.is_held) == (1, False)
