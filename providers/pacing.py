"""When to ask again: often enough to notice a finished job soon, seldom enough not to burden the gateway."""

from __future__ import annotations

import random

SHARE = 0.15
"""A pause is this share of the time waited so far, so that a finished job is noticed within a tenth of its duration."""
LONGEST_PAUSE = 30.0
"""Seconds between two queries of a job, at the most."""
LONGEST_HINT = 120.0
"""Seconds; a gateway's own hint wins up to this."""


def next_pause(elapsed: float, shortest: float, hint: float | None = None) -> float:
    """Seconds until the next status query.

    Args:
        elapsed: seconds since the job was submitted.
        shortest: the account's shortest pause in seconds.
        hint: what the gateway asked for, in seconds, if it did.
    """
    if hint is not None:
        return min(max(hint, 0.0), LONGEST_HINT)
    pause = min(max(elapsed * SHARE, shortest), max(LONGEST_PAUSE, shortest))
    return pause * random.uniform(0.8, 1.2)  # noqa: S311  # spreads queries, keeps no secret
