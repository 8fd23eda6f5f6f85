"""Upgrades records that older versions wrote."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from prefect_omnivideo.core.money.amount import amount_of

_RENAMED_IN_2 = {"provider": "gateway", "claim": "claim_id"}


def upgraded(record: dict[str, Any]) -> dict[str, Any]:
    """The JSON of a record as this version writes it.

    Version 1 called the gateway a provider, and the mismatches differences. Version 2 had costs without a unit, and
    no place.
    """
    new = record
    if new.get("version", 1) == 1:
        new = _with_attempts(new, _renamed) | {"version": 2}
        if "differences" in new:
            new["mismatches"] = new.pop("differences")
    if new["version"] == 2:
        new = _with_attempts(new, _with_unit) | {"version": 3}
    return new


def _with_attempts(record: dict[str, Any], change: Callable[[dict[str, Any]], dict[str, Any]]) -> dict[str, Any]:
    if not isinstance(record.get("attempts"), list):
        return dict(record)
    attempts = cast("list[Any]", record["attempts"])
    return record | {
        "attempts": [change(cast("dict[str, Any]", each)) if isinstance(each, dict) else each for each in attempts]
    }


def _with_unit(old: dict[str, Any]) -> dict[str, Any]:
    """The charge in one unit, as it is read from answers now: in US dollars for APIMart, else in none that is known."""
    new = dict(old)
    credits_ = amount_of(new.pop("credits", None), "credits")
    cost = amount_of(new.get("cost"), "USD" if new.get("gateway") == "apimart" else "") or credits_
    return new | {"cost": cost and str(cost)}


def _renamed(old: dict[str, Any]) -> dict[str, Any]:
    new = {_RENAMED_IN_2.get(name, name): value for name, value in old.items()}
    failure: Any = new.get("failure")
    if isinstance(failure, dict) and cast("dict[str, Any]", failure).get("category") == "provider error":
        new["failure"] = {**cast("dict[str, Any]", failure), "category": "gateway error"}
    return new
