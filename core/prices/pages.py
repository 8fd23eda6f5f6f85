"""The public price list of a gateway built on new-api (docs/gateways.md, The console of a new-api gateway).

A gateway without that page, a failure and an answer that is not understood all give None, never an exception.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import cast

from pydantic import JsonValue

from prefect_omnivideo.core.client.account import Account
from prefect_omnivideo.core.money.amount import amount_of
from prefect_omnivideo.core.money.prices import Price, PriceList
from prefect_omnivideo.core.prices.fetch import get_json

_PER_CALL = 1


async def gateway_prices(account: Account) -> PriceList | None:
    """What the gateway's own page tells of prices, without a key, or None."""
    if not account.gateway.has_price_page:
        return None
    return read_page(await get_json(account, "/api/pricing"))


def read_page(answer: JsonValue) -> PriceList | None:
    """The prices per call in an answer to `GET /api/pricing`; None if there are none."""
    if not isinstance(answer, dict) or answer.get("success") is not True or not isinstance(answer.get("data"), list):
        return None
    ratios = answer.get("group_ratio")
    prices = tuple(_prices(cast("list[JsonValue]", answer["data"]), ratios if isinstance(ratios, dict) else {}))
    return PriceList(prices=prices) if prices else None


def _prices(rows: list[JsonValue], ratios: dict[str, JsonValue]) -> Iterator[Price]:
    seen: set[str] = set()
    for row in rows:
        if not isinstance(row, dict) or row.get("quota_type") != _PER_CALL or row.get("billing_expr"):
            continue
        model, price = row.get("model_name"), row.get("model_price")
        if not isinstance(model, str) or not model or model.lower() in seen or not _is_number(price):
            continue
        ratio, note = _ratio(row.get("enable_groups"), ratios)
        base, factor = amount_of(cast("float", price), "USD"), amount_of(ratio, "USD")
        amount = amount_of(base.value * factor.value, "USD") if base and factor else None
        if amount:
            seen.add(model.lower())
            yield Price(model=model, per_video=amount, as_of=datetime.now(UTC).date(), note=note)


def _ratio(groups: JsonValue, ratios: dict[str, JsonValue]) -> tuple[float | None, str]:
    """The factor of the key's group, which no page tells: that of all groups of the model, or else of `default`."""
    known = {name: cast("float", ratio) for name, ratio in ratios.items() if _is_number(ratio)}
    named = [name for name in groups if isinstance(name, str)] if isinstance(groups, list) else []
    possible = known if not named or "all" in named else {name: known[name] for name in named if name in known}
    factors = set(possible.values())
    note = "before factors for length or size, which the page does not tell"
    if not ratios or len(factors) == 1:
        return (factors.pop() if factors else 1), note
    if "default" in possible:
        return possible["default"], f"for a key of the group default; {note}"
    return None, ""


def _is_number(value: JsonValue) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
