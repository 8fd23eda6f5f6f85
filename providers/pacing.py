"""When to ask again: soon after a job has ended, and seldom before.

Jobs of one model at one gateway take alike. So the first query about a job waits until the quickest of those seen so
far would be done; from there on the pauses grow with the time that has passed, which bounds the delay of the news by a
share of the job's own duration. `python -m bench polling` shows what the constants below are worth.
"""

from __future__ import annotations

import random
from collections import deque
from functools import lru_cache

from prefect_omnivideo.providers.wire import Job

SHARE = 0.15
"""A pause is this share of the time passed so far: the news comes late by a tenth of the duration, mostly by less."""
LONGEST_PAUSE = 30.0
"""Seconds between two queries of a job, at the most."""
LONGEST_HINT = 120.0
"""Seconds; what a gateway asks for or estimates wins up to this."""
REMEMBERED = 200
"""Durations kept per model, the latest ones: a gateway that gets faster or slower is followed."""
ENOUGH = 5
"""Durations without which nothing is taken for learned."""
LOW = 0.1
"""Part of the remembered jobs that are done before the first query about a new one."""


class Durations:
    """How long the jobs of one model take at one gateway, as seen in this process."""

    def __init__(self) -> None:
        self._seen: deque[float] = deque(maxlen=REMEMBERED)
        self.low: float | None = None
        """Seconds after which the first tenth of the jobs is done; None until enough were seen."""

    def add(self, seconds: float) -> None:
        """Learn from a job that has ended well."""
        self._seen.append(seconds)
        if len(self._seen) >= ENOUGH:
            self.low = sorted(self._seen)[int(LOW * len(self._seen))]


@lru_cache(maxsize=256)
def durations(provider: str, base_url: str, model: str) -> Durations:
    """What this process knows of one model at one gateway."""
    return Durations()


class Watch:
    """One job that is being waited for.

    Args:
        known: what is known of its kind; learns from its end.
        shortest: the account's shortest pause between two queries, in seconds.
        elapsed: seconds since it was submitted, now that the waiting begins.
    """

    def __init__(self, known: Durations, shortest: float, elapsed: float = 0.0) -> None:
        self._known = known
        self._shortest = shortest
        self._ended_after = elapsed if elapsed <= shortest else None
        self._estimate: float | None = None
        self._hint: float | None = None

    def pause(self, elapsed: float) -> float:
        """Seconds until the next query, when so many have passed since the submission."""
        if self._hint is not None:
            return min(max(self._hint, self._shortest), LONGEST_HINT) * random.uniform(1.0, 1.1)  # noqa: S311
        if self._estimate is not None and self._estimate > elapsed:
            return min(max(self._estimate - elapsed, self._shortest), LONGEST_HINT)
        # Spread by a fifth: a thousand jobs submitted together are not asked about together.
        spread = random.uniform(0.8, 1.2)  # noqa: S311  # keeps no secret
        if self._known.low is not None and self._known.low > elapsed:
            return max(self._known.low - elapsed, self._shortest) * (0.5+spread/2)
        return min(max(elapsed * SHARE, self._shortest), max(LONGEST_PAUSE, self._shortest)) * spread

    def answered(self, elapsed: float, job: Job) -> None: ...
