"""Amounts of money: a decimal number and its unit, a currency or credits."""

from __future__ import annotations

import re
from collections.abc import Iterable
from decimal import Decimal, InvalidOperation
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, Field, PlainSerializer, WithJsonSchema

UNIT = r"[A-Z]{3}|credits"
PLACES = 12
"""Decimals that an amount may have."""
UNNAMED = "XXX"
"""The ISO 4217 code for no currency: an amount whose currency nobody named."""
_MOST = Decimal(10**15)
_MOST_TOLD = Decimal(10**9)
"""No single charge is that large; so a million of them can be added up."""
_TEXT = re.compile(rf"(\d{{1,15}}(?:\.\d{{1,{PLACES}}})?) ({UNIT})")


class Amount(BaseModel, frozen=True, extra="forbid"):
    """Some money. Amounts of different units neither add up nor compare."""

    value: Annotated[Decimal, Field(ge=0, lt=_MOST, decimal_places=PLACES, allow_inf_nan=False)]
    unit: Annotated[str, Field(pattern=rf"^({UNIT})$")]
    """An ISO 4217 code such as USD, or "credits": the gateway's own unit."""

    @classmethod
    def parse(cls, text: str) -> Amount:
        """The amount in a text such as "12.50 USD" or "300 credits".

        Raises:
            ValueError: the text is not an amount, is negative, or has no unit.
        """
        found = _TEXT.fullmatch(text.strip())
        if not found:
            raise ValueError(
                f"{text!r} is not an amount; write a number and its unit, such as 12.50 USD or 300 credits"
            )
        return cls(value=Decimal(found[1]), unit=found[2])

    def __str__(self) -> str:
        """Such as "12.50 USD": at least two decimals of a currency, without zeros behind those."""
        return f"{number(self.value, self.unit)} {self.unit}"


def number(value: Decimal, unit: str) -> str:
    """The number of an amount, without its unit; at least two decimals of a currency, without zeros behind those."""
    whole, _, decimals = f"{value:f}".partition(".")
    decimals = decimals.rstrip("0").ljust(0 if unit == "credits" else 2, "0")
    return f"{whole}.{decimals}" if decimals else whole


def amount_of(number: float | str | Decimal | None, unit: str) -> Amount | None:
    """The amount that a gateway reports as a number; None if it is none: negative, too large, or not finite."""
    try:
        value = Decimal(str(number))
    except InvalidOperation:
        return None
    if not value.is_finite() or not 0 <= value < _MOST_TOLD:
        return None
    return Amount(value=round(value, PLACES).normalize() + 0, unit=unit or UNNAMED)


def _from_text(given: object) -> object:
    return Amount.parse(str(given)) if isinstance(given, str | int | float) else given


AmountText = Annotated[
    Amount,
    BeforeValidator(_from_text),
    PlainSerializer(str, return_type=str),
    WithJsonSchema({"type": "string", "pattern": _TEXT.pattern}),
]
"""As a field: an amount written as a text such as "12.50 USD"."""


def total(amounts: Iterable[Amount]) -> tuple[Amount, ...]:
    """The sum of amounts: one amount for each unit, in the order of the units' names."""
    sums: dict[str, Decimal] = {}
    for amount in amounts:
        sums[amount.unit] = sums.get(amount.unit, Decimal(0)) + amount.value
    return tuple(Amount(value=value, unit=unit) for unit, value in sorted(sums.items()))


def told(amounts: Iterable[Amount], unknown: int = 0) -> str:
    """Amounts for people, such as "1.20 USD and 30 credits"; empty if there are none.

    Args:
        unknown: how many amounts are not known; it is said that there are some.
    """
    said = " and ".join(str(amount).replace(UNNAMED, "in an unnamed currency") for amount in amounts)
    return f"{said} and more, not known" if said and unknown else said
