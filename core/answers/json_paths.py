"""Finding values in JSON of unknown structure: by JMESPath if the path is known, else by walking the tree."""

from __future__ import annotations

import json
import math
import re
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from itertools import islice
from typing import NamedTuple, cast

import jmespath
from jmespath.exceptions import JMESPathError
from pydantic import JsonValue

_EPOCH_MILLISECONDS = 1e11
"""Larger numbers are milliseconds (docs/gateways.md, Sora-compatible)."""
_UNPRINTABLE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")
"""Valid in JSON, rejected by logs, files and databases."""
_PLAIN_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_DEEPEST = 16
_TIMES_ENCODED = 5
_MOST_NODES = 20_000


class Node(NamedTuple):
    """A value within an answer."""

    path: str
    """Its JMESPath expression. Within a string that contains JSON, the path continues after ` > `."""
    keys: tuple[str, ...]
    """The keys on its path, without list indexes."""
    value: JsonValue


def search(value: JsonValue | Mapping[str, JsonValue], expression: str) -> list[JsonValue]:
    """Every value that a JMESPath expression finds; lists count as their items."""
    try:
        found: JsonValue = jmespath.search(expression, value)
    except JMESPathError:  # a function applied to a value of another type
        return []
    return list(_flat(found))


def walk(body: JsonValue) -> Iterator[Node]:
    """Every value of an answer, breadth first, including those in lists and in strings that contain JSON."""
    waiting = deque([Node("", (), body)])
    left = _MOST_NODES
    while waiting and left:
        left -= 1
        node = waiting.popleft()
        yield node
        if len(node.keys) > _DEEPEST:
            continue
        value, path = node.value, node.path
        if isinstance(value, str) and (inner := parsed(value)) is not None:
            value, path = inner, f"{path} > "
        inner_nodes: Iterable[Node] = ()
        if isinstance(value, dict):
            inner_nodes = (Node(_join(path, name), (*node.keys, name), item) for name, item in value.items())
        elif isinstance(value, list):
            inner_nodes = (Node(f"{path}[{at}]", node.keys, item) for at, item in enumerate(value))
        waiting.extend(islice(inner_nodes, max(0, left - len(waiting))))


def objects(body: JsonValue, but: frozenset[str] = frozenset()) -> Iterator[Node]:
    """Every object of an answer, breadth first, except those under one of these keys (see `plain`)."""
    for node in walk(body):
        value = parsed(node.value) if isinstance(node.value, str) else node.value
        if isinstance(value, dict) and not any(plain(key) in but for key in node.keys):
            yield node._replace(value=value)


def parsed(text: str) -> JsonValue:
    """The JSON object or list that a string contains, however often it is encoded; None if there is none."""
    found: object = text
    for _ in range(_TIMES_ENCODED):
        if not isinstance(found, str) or not found.lstrip().startswith(("{", "[", '"')):
            break
        try:
            found = json.loads(found)
        except (ValueError, RecursionError):
            return None
    return cast("JsonValue", found) if isinstance(found, dict | list) else None


def texts_of(body: JsonValue) -> frozenset[str]:
    """Every string in a request; an answer may repeat them."""
    return frozenset(node.value for node in walk(body) if isinstance(node.value, str) and node.value)


@lru_cache(maxsize=4096)
def plain(key: str) -> str:
    """A key without case, underscores and hyphens: `taskId`, `task_id` and `TASK-ID` are the same."""
    return re.sub(r"[\W_]+", "", key).lower()


def first_text(value: JsonValue | Mapping[str, JsonValue], expressions: tuple[str, ...]) -> str:
    """The first string or number that one of the expressions finds."""
    for expression in expressions:
        for found in search(value, expression):
            if text := text_of(found):
                return text
    return ""


def text_of(value: JsonValue) -> str:
    """A string or a number as a printable string; empty for anything else."""
    if not isinstance(value, str | int | float) or isinstance(value, bool):
        return ""
    return _UNPRINTABLE.sub("\ufffd", str(value)).strip()


def first_number(value: JsonValue | Mapping[str, JsonValue], expressions: tuple[str, ...]) -> float | None:
    """The first number that one of the expressions finds, also if written as a string."""
    return as_number(first_text(value, expressions))


def as_number(text: str) -> float | None:
    """The finite number that a string represents."""
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def first_time(value: JsonValue | Mapping[str, JsonValue], expressions: tuple[str, ...]) -> datetime | None:
    """Epoch seconds, or milliseconds when too large for seconds."""
    number = first_number(value, expressions)
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


def _flat(value: JsonValue) -> Iterator[JsonValue]:
    waiting = [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, list):
            waiting.extend(reversed(item))
        elif item is not None:
            yield item


def _join(path: str, name: str) -> str:
    key = name if _PLAIN_KEY.fullmatch(name) else json.dumps(name, ensure_ascii=False)
    return f"{path}.{key}" if path and not path.endswith(" > ") else f"{path}{key}"
