"""What counts towards a budget, and the limits that it is held against."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import NamedTuple

from pydantic import BaseModel, ConfigDict, Field

from prefect_omnivideo.core.money.amount import Amount, told

NOTHING = Decimal(0)


class Usage(BaseModel):
    """A number of videos, and their money by unit."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    videos: int = Field(default=0, ge=0)
    amounts: dict[str, Decimal] = Field(default={})
    """By unit, without zeros."""
    unpriced: int = Field(default=0, ge=0)
    """Videos among them whose price is unknown."""

    @classmethod
    def of(cls, amount: Amount | None) -> Usage:
        """One video at this price; None if it is unknown."""
        if amount is None:
            return cls(videos=1, unpriced=1)
        return cls(videos=1, amounts={amount.unit: amount.value} if amount.value else {})

    def __add__(self, other: Usage) -> Usage:
        units = self.amounts.keys() | other.amounts.keys()
        sums = {unit: self.amounts.get(unit, NOTHING) + other.amounts.get(unit, NOTHING) for unit in sorted(units)}
        return Usage(videos=self.videos + other.videos, amounts=sums, unpriced=self.unpriced + other.unpriced)

    def __sub__(self, other: Usage) -> Usage:
        """The rest; `other` must be covered."""
        units = {unit: value - other.amounts.get(unit, NOTHING) for unit, value in self.amounts.items()}
        return Usage(
            videos=self.videos - other.videos,
            amounts={unit: value for unit, value in units.items() if value},
            unpriced=self.unpriced - other.unpriced,
        )

    def __mul__(self, times: int) -> Usage:
        return Usage(
            videos=self.videos * times,
            amounts={unit: value * times for unit, value in self.amounts.items() if times},
            unpriced=self.unpriced * times,
        )

    def __bool__(self) -> bool:
        return bool(self.videos)

    def covers(self, other: Usage) -> bool:
        """Whether `other` can be taken from it."""
        money = all(self.amounts.get(unit, NOTHING) >= value for unit, value in other.amounts.items())
        return money and self.videos >= other.videos and self.unpriced >= other.unpriced

    def __str__(self) -> str:
        """Such as "12 videos for 3.60 USD"."""
        parts = [f"{self.videos} video{'' if self.videos == 1 else 's'}"]
        if money := told(Amount(value=value, unit=unit) for unit, value in self.amounts.items()):
            parts.append(f"for {money}")
        if self.unpriced:
            parts.append(f"({self.unpriced} at an unknown price)")
        return " ".join(parts)


ZERO = Usage()
UNASSUMED = Decimal("Infinity")
"""What a video of unknown price counts as if nothing may be assumed: no amount has room for it."""


class Limit(NamedTuple):
    """The most that may be used: an amount, a number of videos, both, or neither."""

    amount: Amount | None = None
    videos: int | None = None
    ceiling: Decimal = UNASSUMED
    """What a video of unknown price counts as, in the unit of the amount."""

    @classmethod
    def of(cls, amount: str, videos: int, prices: Iterable[Amount] = ()) -> Limit:
        """The limit that somebody typed, an empty text and 0 being none.

        Args:
            prices: the highest of them that is in the unit of the amount is what a video of unknown price counts as.
        """
        money = Amount.parse(amount) if amount else None
        known = (price.value for price in prices if money and price.unit == money.unit)
        return cls(money, videos or None, max(known, default=UNASSUMED))

    def fits(self, usage: Usage) -> bool:
        """Whether the limit holds for this total."""
        if self.videos is not None and usage.videos > self.videos:
            return False
        return self.amount is None or self._money(usage) <= self.amount.value

    def times(self, price: Usage, used: Usage, most: int) -> int:
        """How many times `price` fits beside what is used, at most `most`."""
        if not self.fits(used):
            return 0
        found = most
        if self.videos is not None and price.videos:
            found = min(found, (self.videos - used.videos) // price.videos)
        if self.amount is not None and (each := self._money(price)):
            found = min(found, int((self.amount.value - self._money(used)) // each))
        return found

    def _money(self, usage: Usage) -> Decimal:
        assert self.amount is not None
        known = usage.amounts.get(self.amount.unit, NOTHING)
        return known + usage.unpriced * self.ceiling if usage.unpriced else known

    def __str__(self) -> str:
        videos = None if self.videos is None else f"{self.videos} video{'' if self.videos == 1 else 's'}"
        return " and ".join(str(part) for part in (self.amount, videos) if part is not None) or "no limit"


NO_LIMIT = Limit()
