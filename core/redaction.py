"""What must never be seen, taken out of any text: keys, signatures, passwords in URLs."""

from __future__ import annotations

import re
from typing import cast

from pydantic import JsonValue

HIDDEN = "***"
_COLON, _SLASH, _AT = r"(?::|%(?:25){0,4}3A)", r"(?:\\{0,16}/|%(?:25){0,4}2F)", r"(?:@|%(?:25){0,4}40)"
"""Also percent-encoded as a whole, and with JSON's escaped slashes."""
_SCHEME = rf"\b(?:https?|wss?|ftp|gs|s3|oss|cos|tos){_COLON}{_SLASH}{{2}}"
# Each pattern below takes its text once, and gives nothing back: megabytes of anything cost no more than their length.
_URL = re.compile(
    # Up to what cannot be part of one: a quotation mark, even an escaped one, or Chinese text.
    rf"{_SCHEME}(?:[^\s\"'<>\\\u3000-\u303f\uff00-\uffef\u4e00-\u9fff]|\\{{1,16}}(?:/|u00[0-9a-f]{{2}})|'(?=[^\s\"<>]))++",
    re.IGNORECASE,
)
_QUERY = re.compile(r"[?#]|%(?:25){0,4}(?:3F|23)|\\u00(?:3f|23)", re.IGNORECASE)
_LOGIN = re.compile(rf"({_SCHEME})(?:(?!{_AT}|{_SLASH})[^\s\"'<>?#])++{_AT}", re.IGNORECASE)
_PARAMETER = re.compile(r"(?<![\w-])([\w-]++)(=|%(?:25){0,4}3D)[^\s\"'<>&,;]{6,}", re.IGNORECASE)
_SECRET_NAME = re.compile(
    # Parameters that sign or authorise, of Amazon, Google, OSS, COS, TOS, OBS, BOS, Azure and CDNs, also without a URL.
    r"(?:signature|credential|security-token|q-ak|accesskeyid|googleaccessid|key-pair-id|auth_key|authorization|token"
    r"|secret|hdnea|hdnts|__token__|sig|(?<![a-z])(?:sign|policy|hmac)|api[_-]?key)$",
    re.IGNORECASE,
)
_BEARER = re.compile(r"\b(Bearer\s+)[\w.~+/=-]{8,}", re.IGNORECASE)
_KEY = re.compile(r"\bsk[-_][\w-]{12,}")


def redact(text: str, *secrets: str) -> str:
    """The text without what may be secret.

    Args:
        secrets: known ones, such as the account's key; hidden wherever they stand.
    """
    for secret in secrets:
        if secret:
            text = text.replace(secret, HIDDEN)
    text = _LOGIN.sub(rf"\1{HIDDEN}@", text)
    text = _URL.sub(_without_query, text)
    text = _PARAMETER.sub(_without_value, text)
    text = _BEARER.sub(rf"\1{HIDDEN}", text)
    return _KEY.sub(HIDDEN, text)


def _without_query(url: re.Match[str]) -> str:
    query = _QUERY.search(url[0])
    return url[0][: query.end()] + HIDDEN if query and query.end() < len(url[0]) else url[0]


def _without_value(parameter: re.Match[str]) -> str:
    return f"{parameter[1]}{parameter[2]}{HIDDEN}" if _SECRET_NAME.search(parameter[1]) else parameter[0]


def redact_json(value: JsonValue, *secrets: str) -> JsonValue:
    """The same of every text within a JSON value."""
    if isinstance(value, str):
        return redact(value, *secrets)
    if isinstance(value, list):
        return [redact_json(item, *secrets) for item in value]
    if isinstance(value, dict):
        return {redact(name, *secrets): redact_json(item, *secrets) for name, item in value.items()}
    return cast("JsonValue", value)


def shorten(text: str, width: int = 80) -> str:
    """The start of a text, redacted, for a message."""
    # Cut first, generously: an answer may hold a whole video, and patterns need not see it.
    text = redact(text[: width + 4096])
    return text if len(text) <= width else text[: width - 1] + "…"
