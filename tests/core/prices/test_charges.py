"""What a gateway's own log says a job did cost: only what certainly belongs to it, refunds subtracted, to the cent."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prefect_omnivideo.core.client.account import Account
from prefect_omnivideo.core.client.console import Charge
from prefect_omnivideo.core.money.amount import Amount
from prefect_omnivideo.core.prices import charges
from prefect_omnivideo.core.prices.charges import charged
from prefect_omnivideo.core.records.model import Attempt
from prefect_omnivideo.sandbox import Sandbox
from tests.accounts import credentials
from tests.core.records.samples import attempt

NOW = datetime.now(UTC)
ATTEMPT = attempt(task_id="task_1", request_id="r1", started_at=NOW)


def row(kind: int, quota: float | None, request_id: str = "", task_id: str = "", *, at: datetime = NOW) -> Charge:
    return Charge(kind, at, "sora-2", quota, "", request_id, task_id)


async def read(
    rows: list[Charge] | None, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, *attempts: Attempt
) -> charges.Charged | None:
    async def between(account: Account, start: datetime, end: datetime) -> list[Charge] | None:
        assert start < NOW < end
        return rows

    monkeypatch.setattr(charges, "charges_between", between)
    return await charged(credentials(sandbox, "sora").account(), attempts or (ATTEMPT,), NOW)


@pytest.mark.parametrize(
    ("rows", "cost"),
    [
        ([row(2, 175_000, "r1")], "0.35 USD"),
        ([row(2, 1, "r1")], "0.000002 USD"),
        ([row(2, 175_000, task_id="task_1")], "0.35 USD"),
        ([row(2, 175_000, "r1"), row(6, 175_000, task_id="task_1")], "0.00 USD"),
        ([row(2, 175_000, "r1"), row(6, 25_000, task_id="task_1")], "0.30 USD"),
        ([row(2, 175_000, "r1"), row(2, 25_000, task_id="task_1")], "0.40 USD"),  # settled afterwards
        ([row(2, 175_000, "r1"), row(5, 0, "r1")], "0.35 USD"),
        ([row(2, 175_000, "r2"), row(2, 175_000)], None),  # somebody else's, or anybody's
        ([row(6, 175_000, task_id="task_1")], None),  # its charge is too old for the log
        ([row(2, None, "r1")], None),
    ],
)
async def test_a_cost_is_what_the_rows_of_the_job_say(
    rows: list[Charge], cost: str | None, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = await read(rows, sandbox, monkeypatch)
    assert found is not None
    assert {name: str(amount) for name, amount in found.costs.items()} == ({"task_1": cost} if cost else {})


async def test_the_total_is_that_of_the_key_since_the_run_began(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [row(2, 100_000, at=NOW - timedelta(minutes=1)), row(2, 100_000), row(2, 100_000, "r1"), row(6, 50_000)]
    found = await read(rows, sandbox, monkeypatch)
    assert found is not None
    assert found.total == Amount.parse("0.3 USD")


async def test_an_attempt_without_a_request_id_has_no_rows_without_one(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Software that tells none would give every job all charges."""
    plain = attempt(task_id="task_1", started_at=NOW)
    found = await read([row(2, 100_000), row(2, 100_000)], sandbox, monkeypatch, plain)
    assert found is not None
    assert found.costs == {}


@pytest.mark.parametrize("rows", [None, []])
async def test_no_log_tells_nothing(
    rows: list[Charge] | None, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert await read(rows, sandbox, monkeypatch) is None


@given(st.lists(st.tuples(st.sampled_from([2, 6]), st.integers(0, 10**9)), min_size=1, max_size=20))
def test_a_sum_of_quotas_is_exact(pairs: list[tuple[int, int]]) -> None:
    rows = [row(kind, quota, "r1") for kind, quota in pairs]
    net = sum(quota if kind == 2 else -quota for kind, quota in pairs)
    amount = charges._sum(rows, Decimal(500_000))  # pyright: ignore[reportPrivateUsage]
    assert amount is not None
    assert amount.value * 500_000 == max(0, net)
