"""Finding texts, numbers and times in JSON of uncertain shape."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime

from pydantic import JsonValue

_EPOCH_MILLISECONDS = 1e11
"""Larger numbers are milliseconds (providers.md, section 3)."""
_UNPRINTABLE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")
"""Legal in JSON, refused by logs, files and databases."""


def dig(value: JsonValue | Mapping[str, JsonValue], path: str) -> list[JsonValue]:
    """Every value at a dotted path; `*`, or a list where an object is expected, stands for all its items."""
    found: list[JsonValue] = [value]  # type: ignore[list-item]  # a Mapping of JSON is JSON
    for name in [*path.split("."), "*"]:
        step: list[JsonValue] = []
        for item in found:
            if isinstance(item, list):
                step.extend(item if name == "*" else [x[name] for x in item if isinstance(x, dict) and name in x])
            elif name == "*":
                step.append(item)
            elif isinstance(item, dict) and name in item:
                step.append(item[name])
        found = step
    return found


def first_text(task: Mapping[str, JsonValue], paths: tuple[str, ...]) -> str:
    """The first text or number found at one of the paths."""
    for path in paths:
        for value in dig(task, path):
            if isinstance(value, str | int | float) and not isinstance(value, bool):
                text = _UNPRINTABLE.sub("\ufffd", str(value)).strip()
                if text:
                    return text
    return ""


def first_number(task: Mapping[str, JsonValue], paths: tuple[str, ...]) -> float | None:
    """The first number found at one of the paths, also when written as a text."""
    return as_number(first_text(task, paths))


def as_number(text: str) -> float | None:
    """The finite number a text stands for."""
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def first_time(task: Mapping[str, JsonValue], paths: tuple[str, ...]) -> datetime | None:
    """Epoch seconds, or milliseconds when too large for seconds."""
    number = first_number(task, paths)
    if number is None or number <= 0:
        return None
    try:
        return datetime.fromtimestamp(number / 1000 if number > _EPOCH_MILLISECONDS else number, UTC)
    except (ValueError, OverflowError, OSError):
        return None


def percent(value: JsonValue) -> float | None:
    """Progress as a number or as "30%", kept within 0 and 100."""
    number = None if isinstance(value, bool) else as_number(str(value).strip().removesuffix("%"))
    return None if number is None else min(100.0, max(0.0, number))
