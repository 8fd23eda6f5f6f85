"""Upgrades records that older versions wrote."""

from __future__ import annotations

from typing import Any, cast

_RENAMED_IN_2 = {"provider": "gateway", "claim": "claim_id"}


def upgraded(record: dict[str, Any]) -> dict[str, Any]:
    """The JSON of a record as this version writes it.

    Version 1 called the gateway a provider, and the mismatches differences.
    """
    if record.get("version", 1) != 1:
        return record
    new = {**record, "version": 2}
    if "differences" in new:
        new["mismatches"] = new.pop("differences")
    if isinstance(new.get("attempts"), list):
        attempts = cast("list[Any]", new["attempts"])
        new["attempts"] = [
            _attempt(cast("dict[str, Any]", each)) if isinstance(each, dict) else each for each in attempts
        ]
    return new


def _attempt(old: dict[str, Any]) -> dict[str, Any]:
    new = {_RENAMED_IN_2.get(name, name): value for name, value in old.items()}
    failure: Any = new.get("failure")
    if isinstance(failure, dict) and cast("dict[str, Any]", failure).get("category") == "provider error":
        new["failure"] = {**cast("dict[str, Any]", failure), "category": "gateway error"}
    return new
