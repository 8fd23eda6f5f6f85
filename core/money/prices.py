"""Price lists: what a video costs, by its model, length, resolution and sound."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from typing import Annotated, NamedTuple, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from prefect_omnivideo.core.money.amount import Amount, AmountText, amount_of

Seconds = Annotated[Decimal, Field(ge=0, le=3600, allow_inf_nan=False)]


class Kind(NamedTuple):
    """What the price of a video depends on. What the request leaves open and no document says is None."""

    model: str
    seconds: Decimal | None = None
    resolution: str | None = None
    """Such as 720p or 4k, in lower case."""
    sound: bool | None = None


class Price(BaseModel):
    """One line of a price list: what videos of a kind cost, each or per second."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: str = Field(default="", description="The gateway's model name. Empty: any model.")
    resolution: str = Field(
        default="",
        pattern=r"^(\d{3,4}[pP]|\d{1,2}[kK])?$",
        description="Resolution class, such as 720p, 1080p or 4k. Empty: any resolution.",
    )
    min_seconds: Seconds | None = Field(default=None, description="Shortest video of this price. Empty: any.")
    max_seconds: Seconds | None = Field(default=None, description="Longest video of this price. Empty: any.")
    sound: bool | None = Field(default=None, description="Videos with sound, or without. Empty: both.")
    per_video: AmountText | None = Field(
        default=None, description='Price of one video, such as "0.50 USD" or "10 credits".'
    )
    per_second: AmountText | None = Field(
        default=None, description='Price of one second, such as "0.10 USD", in place of the price of a video.'
    )
    as_of: date | None = Field(default=None, description="When this was the price.")
    note: str = Field(default="", description="Anything to know about it; shown beside the price.")

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        if (self.per_video is None) == (self.per_second is None):
            raise ValueError("give exactly one of per_video and per_second, such as per_video: 0.50 USD")
        if None not in (self.min_seconds, self.max_seconds) and self.conditions.seconds_are_empty:
            raise ValueError(f"min_seconds {self.min_seconds} is above max_seconds {self.max_seconds}")
        return self

    @property
    def conditions(self) -> Conditions:
        """Which videos have this price."""
        return Conditions(self.model.lower(), self.resolution.lower(), self.min_seconds, self.max_seconds, self.sound)

    @property
    def unit(self) -> str:
        """The currency, or credits."""
        return (self.per_video or self.per_second or _NOTHING).unit

    def amount(self, seconds: Decimal | None) -> Amount | None:
        """The price of one video; None if it depends on a length that is not known."""
        if self.per_second is None:
            return self.per_video
        if seconds is None:
            return None
        return amount_of(self.per_second.value * seconds, self.per_second.unit)


class Conditions(NamedTuple):
    """Which videos a price is for."""

    model: str
    resolution: str
    min_seconds: Decimal | None
    max_seconds: Decimal | None
    sound: bool | None

    @property
    def seconds_are_empty(self) -> bool:
        """Whether no length fits."""
        low, high = self.min_seconds, self.max_seconds
        return low is not None and high is not None and low > high

    def fit(self, kind: Kind) -> bool | None:
        """Whether they fit a video; None if that depends on what its request leaves open."""
        fits = tuple(self._each(kind))
        return False if False in fits else None if None in fits else True

    def _each(self, kind: Kind) -> Iterator[bool | None]:
        if self.model:
            yield self.model == kind.model.lower()
        if self.resolution:
            yield None if kind.resolution is None else self.resolution == kind.resolution
        if self.min_seconds is not None:
            yield None if kind.seconds is None else kind.seconds >= self.min_seconds
        if self.max_seconds is not None:
            yield None if kind.seconds is None else kind.seconds <= self.max_seconds
        if self.sound is not None:
            yield None if kind.sound is None else kind.sound is self.sound


class Quote(NamedTuple):
    """What a price list says about a video."""

    amount: Amount | None
    as_of: date | None = None
    note: str = ""
    """Why there is no amount, or what it leaves open."""


class PriceList(BaseModel):
    """The prices of one account. The first one that fits a video counts."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    prices: tuple[Price, ...]
    as_of: date | None = None
    """When these were the prices, except for those that say so themselves."""

    @model_validator(mode="after")
    def _agrees(self) -> Self:
        if not self.prices:
            raise ValueError("the list is empty; give at least one price")
        first: dict[Conditions, int] = {}
        for number, price in enumerate(self.prices, start=1):
            if price.unit != self.prices[0].unit:
                raise ValueError(
                    f"price {number} is in {price.unit} and price 1 in {self.prices[0].unit}; an account is billed in "
                    "one unit"
                )
            if price.conditions in first:
                raise ValueError(
                    f"price {number} is for the same videos as price {first[price.conditions]}; remove one of them"
                )
            first[price.conditions] = number
        return self

    def amounts(self) -> Iterator[Amount]:
        """What videos cost by it, each line for its longest video; none where that has no bound."""
        return filter(None, (price.amount(price.max_seconds) for price in self.prices))

    def quote(self, kind: Kind) -> Quote:
        """The price of a video. If it depends on what the request leaves open, there is none."""
        candidates: list[Price] = []
        certain = False
        for price in self.prices:
            fits = price.conditions.fit(kind)
            if fits is not False:
                candidates.append(price)
            if fits:
                certain = True
                break
        if not candidates:
            return Quote(None, note=f"no price in the list fits {kind.model}")
        amounts = {price.amount(kind.seconds) for price in candidates}
        if certain and len(amounts) == 1 and None not in amounts:
            return Quote(amounts.pop(), candidates[-1].as_of or self.as_of, candidates[-1].note)
        open_ = _open(candidates, kind)
        return Quote(None, note=f"the price depends on the {' and '.join(open_)}, which the request leaves open")


def _open(candidates: list[Price], kind: Kind) -> list[str]:
    """What the request would have to say."""
    needed = {
        "resolution": kind.resolution is None and any(price.resolution for price in candidates),
        "duration": kind.seconds is None
        and any(
            price.per_second or price.min_seconds is not None or price.max_seconds is not None for price in candidates
        ),
        "sound": kind.sound is None and any(price.sound is not None for price in candidates),
    }
    return [name for name, is_needed in needed.items() if is_needed]


_NOTHING = Amount(value=Decimal(0), unit="credits")
