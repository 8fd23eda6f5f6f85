"""Reads the price list of an account from a YAML or JSON document."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from prefect_omnivideo.core.errors import Problem, RequestError
from prefect_omnivideo.core.gateways.specification import Gateway
from prefect_omnivideo.core.money.prices import PriceList

MAX_BYTES = 1024**2
_FORM = "a list of prices, or an object with prices and as_of"


def parse_prices(data: bytes, name: str) -> PriceList:
    """The price list in a file called `name`; YAML 1.2, of which JSON is a part.

    Raises:
        RequestError: naming every price that cannot be used, and why.
    """
    try:
        document: Any = YAML(typ="safe", pure=True).load(data.decode("utf-8-sig"))  # pyright: ignore[reportUnknownMemberType]  # untyped
    except (YAMLError, UnicodeDecodeError, RecursionError) as error:
        raise _refused(name, f"it is neither YAML nor JSON: {' '.join(str(error).split())[:300]}", _FORM) from None
    return price_list({"prices": document} if isinstance(document, list) else document, name)


def price_list(document: Any, name: str) -> PriceList:
    """The price list in a parsed document.

    Raises:
        RequestError: as above.
    """
    if not isinstance(document, Mapping):
        raise _refused(name, f"it is a {type(document).__name__}", _FORM)
    try:
        return PriceList.model_validate(document)
    except ValidationError as error:
        problems = [
            Problem(_place(each["loc"]) or name, each["msg"].removeprefix("Value error, ")) for each in error.errors()
        ]
        raise RequestError(problems, subject=f"prices in {name}") from None


def check_unit(prices: PriceList, gateway: Gateway, name: str) -> PriceList:
    """The prices, if they are in the unit in which the account is billed.

    Raises:
        RequestError: they are not: what is estimated and what is billed could never be compared.
    """
    unit = prices.prices[0].unit
    if gateway.currency not in ("", unit):
        raise _refused(
            name,
            f"the prices are in {unit}, and the account is billed in {gateway.currency}",
            f"prices in {gateway.currency}, or the currency {unit} in the credentials if it is billed so",
        )
    return prices


def _place(location: tuple[int | str, ...]) -> str:
    """Such as "price 2, per_video"; counted from 1."""
    match location:
        case ("prices", int(number), *rest):
            return ", ".join([f"price {number + 1}", ".".join(map(str, rest))]).removesuffix(", ")
        case _:
            return ".".join(map(str, location))


def _refused(name: str, rule: str, accepted: str) -> RequestError:
    return RequestError([Problem(name, rule, accepted)], subject="prices")
