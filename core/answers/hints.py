"""What a reason in a gateway's words may be about: advice for the reader of a message. It decides nothing."""

from __future__ import annotations

import re

_MONEY = re.compile(r"quota|balance|credit|payment|billing|余额|额度|欠费", re.IGNORECASE)
_RETURNED = re.compile(r"refund|returned|退回|返还|退还", re.IGNORECASE)
_PACE = re.compile(r"rate.?limit|too many|per.?(second|minute|hour|day)|\b[rtq]p[ms]\b|频繁", re.IGNORECASE)
_MODERATION = re.compile(
    r"moderat|content.?policy|safety|\bsensitive\b|prohibited|trademark|copyright|nsfw|违规|敏感|审核", re.IGNORECASE
)


def hint(reason: str) -> str:
    """A sentence of advice to put behind a message, with a space before it; empty where there is none."""
    if _MODERATION.search(reason) and not re.search(r"time.sensitive", reason, re.IGNORECASE):
        return " It may be the content filter: if so, change the prompt or the references."
    if _MONEY.search(reason) and not _RETURNED.search(reason) and not _PACE.search(reason):
        return " It may be about money: see what is left on the account."
    return ""
