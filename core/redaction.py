"""What must never be seen, taken out of any text: keys, signatures, passwords in URLs."""

from __future__ import annotations

import re
from typing import cast

from pydantic import JsonValue

HIDDEN = "***"
_QUERY = re.compile(
    # The query and fragment of a URL, also with JSON's escaped slashes or percent-encoded as a whole.
    r"((?:https?|gs|s3):(?:\\?/){2}[^\s\"'<>?#]*[?#]|https?%3A%2F%2F[^\s\"'<>&]*?%3F)[^\s\"'<>\\]+",
    re.IGNORECASE,
)
_LOGIN = re.compile(r"((?:https?):(?:\\?/){2})[^\s\"'<>/@]+@", re.IGNORECASE)
_PARAMETER = re.compile(
    # Parameters that sign or authorise, of Amazon, Google, OSS, COS, TOS, OBS, BOS, Azure and CDNs, also without a URL.
    r"((?:x-(?:amz|goog|oss|cos|tos|obs|bce)-(?:signature|credential|security-token)|q-signature|q-ak|ossaccesskeyid"
    r"|googleaccessid|awsaccesskeyid|key-pair-id|signature|security-token|auth_key|authorization|access_token|wssecret"
    r"|txsecret|sig|token|api[_-]?key)(?:=|%3D))[^\s\"'<>&,;]{6,}",
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
    text = _QUERY.sub(rf"\1{HIDDEN}", text)
    text = _PARAMETER.sub(rf"\1{HIDDEN}", text)
    text = _BEARER.sub(rf"\1{HIDDEN}", text)
    return _KEY.sub(HIDDEN, text)


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
