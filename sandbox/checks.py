"""Checks of documented rules; each refusal is a sentence that names the field."""

import re
from collections.abc import Collection
from typing import Any, cast
from urllib.parse import urlsplit

Body = dict[str, Any]


class Refused(Exception):
    """A request that a gateway does not accept: nothing was started, nothing is billed."""

    def __init__(self, message: str, *, code: str = "invalid_request", status: int = 400) -> None:
        super().__init__(message)
        self.message, self.code, self.status = message, code, status


def only(body: Body, known: Collection[str]) -> None:
    """Refuse a field that the documents do not list."""
    if unknown := sorted(body.keys() - set(known)):
        raise Refused(f"unknown field {unknown[0]}")


def text(body: Body, name: str) -> str:
    """A string field; empty when it is absent."""
    value = body.get(name)
    if value is not None and not isinstance(value, str):
        raise Refused(f"field {name} must be a string")
    return value or ""


def required(body: Body, name: str) -> str:
    """A string field that must not be empty."""
    if not (value := text(body, name).strip()):
        raise Refused(f"{name} is required", code=f"missing_{name}" if name == "model" else "invalid_request")
    return value


def choice(body: Body, name: str, among: Collection[str], *, code: str = "invalid_request") -> str:
    """A string field with a closed list of values; empty when it is absent."""
    value = text(body, name)
    if value and value not in among:
        raise Refused(f"field {name} must be one of {', '.join(among)}, not {value!r}", code=code)
    return value


def strings(body: Body, name: str, most: int | None = None) -> list[str]:
    """A list of strings; empty when it is absent."""
    value: object = body.get(name)
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(item, str) for item in cast("list[object]", value)):
        raise Refused(f"field {name} must be a list of strings")
    if most is not None and len(cast("list[object]", value)) > most:
        raise Refused(f"field {name} takes at most {most} items")
    return cast("list[str]", value)


def urls(body: Body, name: str, most: int | None = None, *, also: str | None = None) -> list[str]:
    """A list of absolute http(s) addresses; `also` is a prefix that is accepted as well."""
    found = strings(body, name, most)
    for address in found:
        if not is_url(address) and not (also and address.startswith(also)):
            raise Refused(f"field {name} must hold http(s) URLs, not {address[:60]!r}")
    return found


def url(body: Body, name: str) -> str:
    """One absolute http(s) address; empty when it is absent."""
    if (address := text(body, name)) and not is_url(address):
        raise Refused(f"field {name} must be an http(s) URL")
    return address


def is_url(address: str) -> bool:
    """Whether this is an absolute http(s) address."""
    parts = urlsplit(address)
    return parts.scheme in ("http", "https") and bool(parts.hostname)


def pixels(size: str, name: str = "size") -> tuple[int, int]:
    """Width and height of a size such as `1280x720`."""
    match = re.fullmatch(r"([1-9]\d{1,4})[xX*]([1-9]\d{1,4})", size)
    if match is None:
        raise Refused(f"field {name} must look like 1280x720, not {size!r}", code="invalid_size")
    return int(match[1]), int(match[2])


def frame(resolution: str, ratio: str) -> tuple[int, int]:
    """Width and height in even pixels of `720p`, `1080p` or `4k` (the short side) in an aspect ratio such as `16:9`."""
    short = {"480p": 480, "1080p": 1080, "4k": 2160}.get(resolution.lower(), 720)
    across, down = aspect(ratio)
    long = round(short * max(across, down) / min(across, down) / 2) * 2
    return (long, short) if across >= down else (short, long)


def aspect(ratio: str) -> tuple[int, int]:
    """The two numbers of an aspect ratio; 16:9 when there is none. Wider or taller than 4:1 is refused."""
    match = re.fullmatch(r"([1-9]\d?):([1-9]\d?)", ratio or "16:9")
    if match is None or not 0.25 <= int(match[1]) / int(match[2]) <= 4:
        raise Refused(f"aspect ratio must look like 16:9 or 9:16, not {ratio!r}")
    return int(match[1]), int(match[2])
