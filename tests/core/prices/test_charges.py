"""What a gateway's own log says a job did cost: only what certainly belongs to it, refunds subtracted, to the cent."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from prefect_omnivideo.core.client.account import Account
from prefect_omnivideo.core.client.console import Charge, Console, ConsoleTask
from prefect_omnivideo.core.money.amount import Amount
from prefect_omnivideo.core.prices import charges
from prefect_omnivideo.core.prices.charges import charged
from prefect_omnivideo.core.records.model import Attempt
from prefect_omnivideo.sandbox import Sandbox
from tests.accounts import credentials
from tests.core.records.samples import attempt

NOW = datetime.now(UTC)
ATTEMPT = attempt(task_id="task_1", request_id="r1", started_at=NOW, claim_ends_at=NOW + timedelta(minutes=5))
LOST = ATTEMPT.model_copy(update={"request_id": ""})
"""Its answer was lost, and a person gave its task id."""
CONSOLE = Console(SecretStr("token"), "1")


def row(
    kind: int,
    quota: float | None,
    request_id: str = "",
    task_id: str = "",
    *,
    settled: float | None = None,
    at: datetime = NOW,
) -> Charge:
    return Charge(kind, at, "sora-2", quota, "", request_id, task_id, settled)


def task(status: str, quota: float | None, task_id: str = "task_1") -> ConsoleTask:
    return ConsoleTask(task_id, NOW, status, "sora-2", quota)


async def read(
    rows: list[Charge] | None,
    sandbox: Sandbox,
    monkeypatch: pytest.MonkeyPatch,
    *attempts: Attempt,
    tasks: list[ConsoleTask] | None = None,
) -> charges.Charged | None:
    """What is read where the console lists these jobs; None: it must not be asked."""

    async def seen(account: Account, console: Console, start: datetime, end: datetime) -> list[ConsoleTask]:
        assert tasks is not None
        assert start < NOW
        assert end > NOW + timedelta(minutes=5)
        return tasks

    async def between(account: Account, start: datetime, end: datetime) -> list[Charge] | None:
        assert start < NOW < end
        return rows

    monkeypatch.setattr(charges, "charges_between", between)
    monkeypatch.setattr(charges, "tasks_seen", seen)
    console = None if tasks is None else CONSOLE
    return await charged(credentials(sandbox, "sora").account(), attempts or (ATTEMPT,), NOW, console)


@pytest.mark.parametrize(
    ("rows", "cost"),
    [
        ([row(2, 175_000, "r1")], "0.35 USD"),
        ([row(2, 1, "r1")], "0.000002 USD"),
        ([row(2, 175_000, task_id="task_1")], "0.35 USD"),
        ([row(2, 175_000, "r1"), row(6, 175_000, task_id="task_1")], "0.00 USD"),
        ([row(2, 175_000, "r1"), row(6, 25_000, task_id="task_1")], "0.30 USD"),
        ([row(2, 175_000, "r1"), row(2, 25_000, task_id="task_1", settled=200_000)], "0.40 USD"),
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


async def test_no_log_tells_nothing(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    assert await read(None, sandbox, monkeypatch, tasks=[]) is None
    assert await read([], sandbox, monkeypatch) == charges.Charged({}, None)


@pytest.mark.parametrize(
    ("status", "quota", "rows", "cost"),
    [
        ("SUCCESS", 175_000, [], "0.35 USD"),
        ("SUCCESS", 175_000, [row(2, 175_000, "r2"), row(2, 175_000)], "0.35 USD"),  # anybody's rows change nothing
        ("SUCCESS", 0, [], "0.00 USD"),
        ("SUCCESS", None, [], None),
        ("SUCCESS", 175_000, [row(2, 25_000, task_id="task_1", settled=200_000)], "0.40 USD"),
        ("SUCCESS", 200_000, [row(2, 25_000, task_id="task_1", settled=200_000)], "0.40 USD"),
        ("SUCCESS", 175_000, [row(6, 25_000, task_id="task_1")], None),  # the list may have it before or after that
        ("FAILURE", 0, [], "0.00 USD"),
        ("FAILURE", 0, [row(6, 175_000, task_id="task_1")], "0.00 USD"),
        ("FAILURE", 175_000, [row(6, 175_000, task_id="task_1")], "0.00 USD"),  # the software leaves the quota there
        ("FAILURE", 175_000, [row(6, 100_000, task_id="task_1")], "0.15 USD"),
        ("FAILURE", 175_000, [row(6, None, task_id="task_1")], None),
        ("FAILURE", 175_000, [row(6, 175_000, task_id="task_2")], None),
        ("FAILURE", 175_000, [], None),  # a refund may be under way
        ("FAILURE", None, [row(6, 175_000, task_id="task_1")], None),
        ("IN_PROGRESS", 175_000, [], None),
        ("UNKNOWN", 0, [], None),
    ],
)
async def test_a_job_whose_answer_was_lost_costs_what_the_console_lists(
    status: str,
    quota: float | None,
    rows: list[Charge],
    cost: str | None,
    sandbox: Sandbox,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    others = [task("SUCCESS", 1_000_000, "task_2"), task(status, quota)]
    found = await read(rows, sandbox, monkeypatch, LOST, tasks=others)
    assert found is not None
    assert {name: str(amount) for name, amount in found.costs.items()} == ({"task_1": cost} if cost else {})


@pytest.mark.parametrize(
    ("rows", "cost"),
    [
        ([row(2, 25_000, task_id="task_1", settled=200_000)], "0.40 USD"),
        ([row(6, 175_000, task_id="task_1", settled=0)], "0.00 USD"),
        ([row(2, 1, task_id="task_1", settled=1), row(6, 1, task_id="task_1", settled=0)], None),
        ([row(2, 25_000, task_id="task_2", settled=200_000)], None),
    ],
)
async def test_a_settlement_alone_tells_what_a_job_costs_in_all(
    rows: list[Charge], cost: str | None, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = await read(rows, sandbox, monkeypatch, LOST)
    assert found is not None
    assert {name: str(amount) for name, amount in found.costs.items()} == ({"task_1": cost} if cost else {})


async def test_the_console_is_asked_only_for_what_the_log_does_not_tell(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    fell_out = attempt(task_id="task_0", request_id="r0", started_at=NOW, claim_ends_at=NOW + timedelta(minutes=5))
    listed = [task("SUCCESS", 1_000_000), task("SUCCESS", 50_000, "task_0")]
    found = await read([row(2, 175_000, "r1")], sandbox, monkeypatch, ATTEMPT, fell_out, tasks=listed)
    assert found is not None
    assert {name: str(cost) for name, cost in found.costs.items()} == {"task_1": "0.35 USD", "task_0": "0.10 USD"}


async def test_a_console_that_takes_too_long_takes_nothing_away(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def slow(*_: object) -> list[ConsoleTask]:
        raise TimeoutError

    async def between(*_: object) -> list[Charge]:
        return [row(2, 175_000, "r1")]

    monkeypatch.setattr(charges, "charges_between", between)
    monkeypatch.setattr(charges, "tasks_seen", slow)
    other = LOST.model_copy(update={"task_id": "task_2"})
    found = await charged(credentials(sandbox, "sora").account(), [ATTEMPT, other], NOW, CONSOLE)
    assert found is not None
    assert {name: str(cost) for name, cost in found.costs.items()} == {"task_1": "0.35 USD"}


@given(st.lists(st.tuples(st.sampled_from([2, 6]), st.integers(0, 10**9)), min_size=1, max_size=20))
def test_a_sum_of_quotas_is_exact(pairs: list[tuple[int, int]]) -> None:
    rows = [row(kind, quota, "r1") for kind, quota in pairs]
    net = sum(quota if kind == 2 else -quota for kind, quota in pairs)
    amount = charges._amount(charges._net(rows), Decimal(500_000))  # pyright: ignore[reportPrivateUsage]
    assert amount is not None
    assert amount.value * 500_000 == max(0, net)
