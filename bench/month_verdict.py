"""Holds the gateways' bill of a month against the store, the budget of each day, and what `omnivideo spend` says."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, NamedTuple

from bench.chaos_verdict import judge
from prefect_omnivideo.core.records.model import Attempt, VideoRecord, VideoState
from prefect_omnivideo.core.storage.base import ObjectStore
from prefect_omnivideo.sandbox import Sandbox

PRICES = {"apimart": Decimal(1), "omnirouters": Decimal("0.9")}
Rows = Sequence[Mapping[str, str]]
"""Lines of a CSV file."""


class Verdict(NamedTuple):
    """What is so, and what should not be."""

    facts: dict[str, Any]
    faults: list[str]


def judge_month(
    rows: Sequence[str],
    sandbox: Sandbox,
    records: Sequence[VideoRecord],
    store: ObjectStore,
    spend: Mapping[str, Rows],
    daily: Decimal,
) -> Verdict:
    """Every row has one video or a stated reason, no day is above its budget, and spending is the bill.

    Args:
        spend: what `omnivideo spend` says, by what it is grouped by.
    """
    bill = sandbox.jobs()
    found = judge(rows, bill, records, store)
    failed = [record for record in records if record.state is VideoState.FAILED]
    reasons = Counter(record.failure.category for record in failed if record.failure)
    excused = {f"{record.stem} is {record.state}" for record in failed if record.failure and record.failure.message}
    faults = [fault for fault in found.faults if fault not in excused]
    faults += [f"{r.stem} is unknown without a reason" for r in records if _is_unexplained(r)]
    faults += [f"{r.stem} is unknown although it is billed" for r in records if _is_open(r, bill)]
    days = _by_day(bill)
    faults += [f"{amount} USD were spent on {day}" for day, amount in days.items() if amount > daily]
    charged = Decimal(sandbox.charged().get("USD", "0"))
    faults += _differences("in all", {"": charged}, {"": _sum(spend[""])})
    faults += _differences("on", days, {row["day"]: _sum([row]) for row in spend["day"]})
    faults += _differences("by", _by_account(bill), {row["account"]: _sum([row]) for row in spend["account"]})
    faults += [
        f"what {a.account} charged for {r.stem} is unknown" for r in records for a in r.attempts if _is_untold(a)
    ]
    facts = {
        "rows": len(rows),
        "stored": found.stored,
        "failed": dict(reasons),
        "unknown": found.unknown,
        "billed_jobs": len(bill),
        "duplicates": found.duplicates,
        "lost": found.lost,
        "days": len(days),
        "highest_day": f"{max(days.values(), default=Decimal(0)):.2f}",
        "days_used_up": sum(amount > daily - max(PRICES.values()) for amount in days.values()),
        "bill": f"{charged:.2f}",
        "spend": f"{_sum(spend['']):.2f}",
        "faults_met": dict(Counter(each.fault for each in sandbox.injected())),
    }
    return Verdict(facts, faults)


def _is_unexplained(record: VideoRecord) -> bool:
    return record.state is VideoState.UNKNOWN and not record.attempt.trouble


def _is_open(record: VideoRecord, bill: Sequence[dict[str, Any]]) -> bool:
    return record.state is VideoState.UNKNOWN and record.request.prompt in {job["prompt"] for job in bill}


def _is_untold(attempt: Attempt) -> bool:
    """APIMart says nothing of what a failed job did cost."""
    return attempt.task_id is not None and attempt.cost is None and attempt.failure is None


def _charged(job: dict[str, Any]) -> Decimal:
    return PRICES[job["gateway"]] if job["status"] == "succeeded" else Decimal(0)


def _by_day(bill: Sequence[dict[str, Any]]) -> dict[str, Decimal]:
    """The day that the gateway accepted it, in UTC."""
    days: defaultdict[str, Decimal] = defaultdict(Decimal)
    for job in bill:
        days[f"{datetime.fromtimestamp(job['accepted_at'], UTC):%F}"] += _charged(job)
    return dict(sorted(days.items()))


def _by_account(bill: Sequence[dict[str, Any]]) -> dict[str, Decimal]:
    accounts: defaultdict[str, Decimal] = defaultdict(Decimal)
    for job in bill:
        accounts[job["gateway"]] += _charged(job)
    return dict(accounts)


def _sum(rows: Rows) -> Decimal:
    return sum((Decimal(row["cost"] or 0) for row in rows if row["unit"] in ("USD", "")), Decimal(0))


def _differences(where: str, billed: Mapping[str, Decimal], told: Mapping[str, Decimal]) -> list[str]:
    names = sorted(billed.keys() | told.keys())
    pairs = [(name, billed.get(name, Decimal(0)), told.get(name, Decimal(0))) for name in names]
    return [
        f"{where} {name}: the bill is {bill} USD, omnivideo spend says {said}"
        for name, bill, said in pairs
        if bill != said
    ]
