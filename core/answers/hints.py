"""Advice for the reader of an error message, guessed from the gateway's wording. Never used for decisions."""

from __future__ import annotations

import re

_MONEY = re.compile(r"quota|balance|credit|payment|billing|余额|额度|欠费", re.IGNORECASE)
_RETURNED = re.compile(r"refund|returned|退回|返还|退还", re.IGNORECASE)
_PACE = re.compile(r"rate.?limit|too many|per.?(second|minute|hour|day)|\b[rtq]p[ms]\b|频繁", re.IGNORECASE)
_MODERATION = re.compile(
    r"moderat|content.?policy|safety|\bsensitive\b|prohibited|trademark|copyright|nsfw|违规|敏感|审核", re.IGNORECASE
)


def hint(reason: str) -> str:
    """A sentence of advice to append to a message, with a leading space; empty if there is none."""
    if _MODERATION.search(reason) and not re.search(r"time.sensitive", reason, re.IGNORECASE):
        return " It may be the content filter: if so, change the prompt or the references."
    if _MONEY.search(reason) and not _RETURNED.search(reason) and not _PACE.search(reason):
        return " It may be about money: check the account's balance."
    return ""
