"""What counts towards a budget, and what a limit, a period and a unit mean: rules as tables."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import pytest

from prefect_omnivideo.core.budget.budget import Budget, Period, check_units, of_batch, of_block
from prefect_omnivideo.core.budget.evidence import (
    Found,
    usage_of,
    usage_of_batch,
    usage_of_leases,
    usage_of_reservation,
)
from prefect_omnivideo.core.budget.usage import NO_LIMIT, ZERO, Limit, Usage
from prefect_omnivideo.core.errors import RequestError
from prefect_omnivideo.core.money.amount import Amount
from prefect_omnivideo.core.records.model import Reserved, VideoRecord
from tests.core.records.samples import attempt, record, stored


def usd(text: str) -> Amount:
    return Amount.parse(f"{text} USD")


ONE, FREE, UNPRICED = Usage.of(usd("0.30")), Usage.of(usd("0")), Usage.of(None)
MONEY, BOTH = Limit(usd("0.90")), Limit(usd("9"), videos=2)
CEILING = Limit(usd("1"), ceiling=Decimal("0.50"))


@pytest.mark.parametrize(
    ("limit", "used", "price", "times"),
    [
        (MONEY, ZERO, ONE, 3),
        (MONEY, ONE * 2, ONE, 1),
        (MONEY, ONE * 3, ONE, 0),
        (MONEY, ONE * 4, ONE, 0),
        (MONEY, ONE * 4, FREE, 0),
        (MONEY, ONE * 3, FREE, 7),
        (BOTH, ONE, ONE, 1),
        (BOTH, ONE * 2, FREE, 0),
        (Limit(videos=1), ONE * 3, ONE, 0),
        (CEILING, ZERO, UNPRICED, 2),
        (CEILING, UNPRICED, ONE, 1),
        (CEILING, UNPRICED * 2, ONE, 0),
        (CEILING, UNPRICED * 3, FREE, 0),
        (Limit(videos=3), UNPRICED, UNPRICED, 2),
        (MONEY, ZERO, UNPRICED, 0),  # no price may be assumed, and nothing is no price
        (MONEY, UNPRICED, ONE, 0),
        (MONEY, UNPRICED, FREE, 0),
        (NO_LIMIT, ONE * 100, ONE, 7),
    ],
)
def test_how_often_a_price_fits(limit: Limit, used: Usage, price: Usage, times: int) -> None:
    assert limit.times(price, used, 7) == times
    assert limit.fits(used + price * times) or not times
    assert times == 7 or not limit.fits(used + price * (times + 1))


@pytest.mark.parametrize(
    ("has", "wants", "covered"),
    [
        (ONE, ONE, True),
        (ONE, Usage.of(usd("0.31")), False),
        (ONE, Usage.of(Amount.parse("1 credits")), False),
        (ONE, FREE, True),
        (ZERO, FREE, False),
        (Usage(amounts={"USD": Decimal(9)}), ONE, False),
        (ONE * 2, UNPRICED, False),
        (UNPRICED, UNPRICED, True),
    ],
)
def test_only_what_is_there_can_be_taken(has: Usage, wants: Usage, covered: bool) -> None:
    assert has.covers(wants) is covered


def test_usage_adds_up_and_leaves_no_zeros() -> None:
    some = ONE * 2 + UNPRICED * 3 + Usage.of(Amount.parse("5 credits"))
    assert (some.videos, some.unpriced) == (6, 3)
    assert some.amounts == {"USD": Decimal("0.60"), "credits": Decimal(5)}
    assert some - some == ZERO == some * 0
    assert some - UNPRICED * 3 - ONE * 2 == Usage.of(Amount.parse("5 credits"))
    assert Usage.of(usd("0")).amounts == {}


UTC_MINUS_5 = timezone(timedelta(hours=-5))


@pytest.mark.parametrize(
    ("period", "moment", "ledger", "end"),
    [
        ("none", datetime(2026, 1, 31, tzinfo=UTC), "budgets/x/all.json", None),
        ("day", datetime(2026, 12, 31, 23, 59, 59, 9, UTC), "budgets/x/2026-12-31.json", datetime(2027, 1, 1)),
        ("day", datetime(2026, 1, 31, 22, tzinfo=UTC_MINUS_5), "budgets/x/2026-02-01.json", datetime(2026, 2, 2)),
        ("month", datetime(2026, 1, 31, 22, tzinfo=UTC_MINUS_5), "budgets/x/2026-02.json", datetime(2026, 3, 1)),
        ("month", datetime(2026, 1, 1, tzinfo=UTC), "budgets/x/2026-01.json", datetime(2026, 2, 1)),
        ("month", datetime(2026, 12, 31, 23, tzinfo=UTC), "budgets/x/2026-12.json", datetime(2027, 1, 1)),
    ],
)
def test_a_period_is_a_day_or_a_month_in_utc(
    period: Period, moment: datetime, ledger: str, end: datetime | None
) -> None:
    budget = of_block("x", MONEY, period)
    assert budget.ledger_at(moment) == ledger
    assert budget.period_end(moment) == (end and end.replace(tzinfo=UTC))


def test_budgets_of_two_kinds_never_share_a_ledger() -> None:
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    named = [("x", "none"), ("x", "day"), ("x", "month"), ("x/2026-01", "none"), ("all", "none")]
    budgets = [of_batch("x"), *(of_block(name, MONEY, period) for name, period in named)]  # type: ignore[arg-type]
    assert len({budget.ledger_at(moment) for budget in budgets}) == len(budgets)


PROD = Budget("a budget", "max_cost", "b/budget", MONEY, accounts=frozenset({"prod"}))


@pytest.mark.parametrize(
    ("budget", "account", "amount", "said"),
    [
        (PROD, "prod", usd("1"), None),
        (PROD, "prod", None, "no known price"),
        (PROD, "prod", Amount.parse("1 credits"), "is in USD, and account prod is billed in credits"),
        (PROD, "other", None, None),
        (PROD, "other", Amount.parse("1 credits"), None),
        (PROD._replace(accounts=frozenset()), "other", None, "no known price"),
        (PROD._replace(limit=Limit(videos=3)), "prod", None, None),
    ],
)
def test_every_price_counts_towards_the_limit(
    budget: Budget, account: str, amount: Amount | None, said: str | None
) -> None:
    if said is None:
        check_units([budget], [(account, amount)])
    else:
        with pytest.raises(RequestError, match=said):
            check_units([budget], [(account, amount)])


def reserved(amount: str | None = "0.30 USD", video: str = "a") -> VideoRecord:
    """A claim with a reservation."""
    made = Reserved(id="r", leases=("lease",), amount=amount and Amount.parse(amount))
    return record(video).model_copy(update={"attempts": (attempt(reserved=made, estimate="0.20 USD"),)})


CLAIM = reserved()
COST = Usage.of(usd("0.25"))
IN_CREDITS = reserved("5 credits")


@pytest.mark.parametrize(
    ("video", "found"),
    [
        (CLAIM, Found(ONE, is_final=False, is_sent=False)),
        (CLAIM.submitted("t"), Found(ONE, is_final=False)),
        (CLAIM.unknown(), Found(ONE, is_final=False)),
        (CLAIM.submitted("t").finished(None), Found(ONE)),
        (CLAIM.submitted("t").finished(usd("0.25")), Found(COST)),
        (stored(CLAIM), Found(COST)),
        (CLAIM.submitted("t").failed("gateway error", "no video"), Found(ONE)),
        (CLAIM.submitted("t").failed("gateway error", "no video", cost=usd("0")), Found(FREE)),
        (CLAIM.failed("gateway error", "not accepted", accepted=False), Found(is_sent=False)),
        (CLAIM.unknown().released(), Found(ONE)),
        (IN_CREDITS.submitted("t").finished(usd("0.25")), Found(Usage.of(Amount.parse("5 credits")))),
        (reserved(None).submitted("t"), Found(UNPRICED, is_final=False)),
        (reserved(None).submitted("t").finished(usd("0.25")), Found(COST)),
    ],
)
def test_what_a_submission_counts_as(video: VideoRecord, found: Found) -> None:
    assert usage_of(video, video.attempt) == found
    assert usage_of_reservation(video, "r") == found
    assert usage_of_reservation(video, "another") is None
    assert usage_of_reservation(None, "r") is None
    assert usage_of_batch([video]) == found.usage
    other, mine = usage_of_leases([video], ["other", "lease"]).values()
    assert other == Found()
    assert (mine.usage, mine.is_final) == (found.usage, found.is_final)


def test_without_a_reservation_the_estimate_counts() -> None:
    video = record().model_copy(update={"attempts": (attempt(estimate="0.30 USD"),)})
    assert usage_of_batch([video]) == ONE
    assert usage_of_batch([video.submitted("t").finished(Amount.parse("5 credits"))]).amounts == {"credits": Decimal(5)}


def test_every_attempt_under_a_reservation_counts() -> None:
    """An earlier attempt is over, whatever the latest one waits for."""
    first = CLAIM.unknown().released()
    twice = first.again(CLAIM.attempt)
    both = Found(ONE * 2, is_final=False)
    assert usage_of(twice, twice.attempts[0]) == Found(ONE)
    assert usage_of_reservation(twice, "r") == both
    assert usage_of_leases([twice], ["lease"]) == {"lease": both}
    assert usage_of_leases([twice, reserved(video="b")], ["lease"])["lease"].usage == ONE * 3
    rejected = CLAIM.failed("gateway error", "busy", accepted=False).again(CLAIM.attempt).submitted("t")
    assert usage_of_reservation(rejected, "r") == Found(ONE, is_final=False)
