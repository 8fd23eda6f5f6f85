"""The price list of the sandbox, and what each job is charged by it: exact, as a bill is."""

from collections import defaultdict
from collections.abc import Iterable
from decimal import Decimal
from typing import Final

from prefect_omnivideo.sandbox.jobs import Job, Moment

QUOTA_PER_DOLLAR: Final = 500_000
"""The unit in which the new-api family counts."""
CREDITS_PER_DOLLAR: Final = 10
"""APIMart's: the documented example shows 1.0 and 10."""
_UNITS: Final = {"jimmyai": "coins"}
_USUAL: Final = {
    "12ai": Decimal("0.45"),
    "omnirouters": Decimal("0.9"),
    "sora": Decimal("0.35"),
    "apimart": Decimal("1.0"),
    "jimmyai": Decimal(10),
}
_SPECIAL: Final = {"Veo-3.1": Decimal("1.2"), "sora-2-pro": Decimal("1.5"), "omni-10s": Decimal(12)}


def price(gateway: str, model: str) -> Decimal:
    """The price of one video: in US dollars, or in coins at JimmyAI."""
    return _SPECIAL.get(model, _USUAL[gateway])


def charge(job: Job, moment: Moment) -> Decimal:
    """What the job costs now: it is charged when it is accepted, and refunded when it ends without a video."""
    return Decimal(0) if moment.ended and moment.phase != "succeeded" else price(job.gateway, job.model)


def quota(amount: Decimal) -> int:
    """The same in the unit of the new-api family."""
    return int(amount * QUOTA_PER_DOLLAR)


def sums(charges: Iterable[tuple[str, Decimal]]) -> dict[str, str]:
    """What charges of gateways come to, by unit, as decimal text."""
    found: defaultdict[str, Decimal] = defaultdict(Decimal)
    for gateway, amount in charges:
        found[_UNITS.get(gateway, "USD")] += amount
    return {unit: f"{amount:f}" for unit, amount in found.items()}
