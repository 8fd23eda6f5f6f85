"""When to ask again: soon after a job has ended, and seldom before.

Jobs of one model at one gateway take alike. So the first query about a job waits until the quickest of those seen so
far were done; from there on the pauses grow with the time that has passed, so that the news is late by a share of the
job's own duration. As long as none has ended, a few scouts are asked about that often, and the others hardly ever.
What the gateway itself asks for goes first. `python -m bench polling` shows what the constants are worth.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import deque
from functools import lru_cache
from random import Random
from weakref import WeakSet

from prefect_omnivideo.core.gateways.specification import Job
from prefect_omnivideo.core.gateways.words import JobStatus

SHARE = 0.18
"""A pause is this share of the time since the submission, so that the news is late by half of that on average."""
SPREAD = 0.2
"""Pauses differ by this much up and down: jobs submitted together are not asked about together."""
LONGEST_PAUSE = 30.0
"""Seconds between two queries of a job, at the most."""
LONGEST_HINT = 120.0
"""Seconds; what a gateway asks for or estimates counts up to this."""
REMEMBERED = 1000
"""Durations kept per model, the latest ones: a gateway that gets faster or slower is followed."""
ENOUGH = 5
"""Durations before which no low one is taken for learned."""
LOW = 0.1
"""Share of the remembered jobs that were done by the time of the first query about a new one."""
SCOUTS = 20
"""Jobs asked about at the usual pace while none of their kind has ended. With 500 of 1,000 jobs in flight they bring 12
queries a job down to 8 (in a first batch of 100 all at once, 16 to 10), and the news is no later."""
SELDOM = 3.0
"""The others are asked about when so many times as long has passed as at the last query: at 15, 45, 135 seconds."""

_RANDOM = Random()  # noqa: S311  # keeps no secret


class Durations:
    """How long the jobs of one model take at one gateway, as seen in this process.

    Attributes:
        low: seconds after which the quickest were done; None until `ENOUGH` were seen.
        scouts: those who find out for all, as long as nothing is known.
    """

    def __init__(self) -> None:
        self._latest: deque[float] = deque(maxlen=REMEMBERED)
        self._sorted: list[float] = []
        self.low: float | None = None
        self.scouts: WeakSet[Watch] = WeakSet()

    @property
    def is_empty(self) -> bool:
        """Whether no job has ended yet."""
        return not self._latest

    def add(self, seconds: float) -> None:
        """Learn from a job that made its video."""
        if len(self._latest) == REMEMBERED:
            del self._sorted[bisect_left(self._sorted, self._latest[0])]
        self._latest.append(seconds)
        insort(self._sorted, seconds)
        if len(self._sorted) >= ENOUGH:
            self.low = self._sorted[int(LOW * len(self._sorted))]


@lru_cache(maxsize=256)
def durations(gateway: str, base_url: str, model: str) -> Durations:
    """What this process has learned of a model at a gateway."""
    return Durations()


class Watch:
    """One job that is being waited for. Times are seconds since its submission.

    Args:
        known: what is known of its kind; it learns from this job's end.
        shortest: the account's shortest pause between two queries, in seconds.
        since: when the waiting began; late for a job of an earlier run.
        random: spreads the queries.
    """

    def __init__(self, known: Durations, shortest: float, since: float = 0.0, random: Random = _RANDOM) -> None:
        self._known = known
        self._shortest = shortest
        self._since = since
        self._random = random
        self._asked_at = since + shortest
        self._running_at = 0.0
        self._estimate = 0.0
        self._hint: float | None = None

    def pause(self, elapsed: float) -> float:
        """Seconds from now until the next query may be due."""
        spread = self._random.uniform(-SPREAD, SPREAD)
        if self._hint is not None:
            return max(min(self._hint, LONGEST_HINT), self._shortest) * (1 + abs(spread))
        if self._estimate > elapsed:
            return max(min(self._estimate - elapsed, LONGEST_HINT), self._shortest)
        if self._known.low is not None and self._known.low > elapsed:
            return max(self._known.low - elapsed, self._shortest)
        return max(min(elapsed * SHARE, LONGEST_PAUSE), self._shortest) * (1 + spread)

    def is_due(self, elapsed: float) -> bool:
        """Whether to ask now, or to leave it to the scouts and pause again."""
        if not self._known.is_empty or self._hint is not None or self._estimate or elapsed >= SELDOM * self._asked_at:
            return True
        if len(self._known.scouts) < SCOUTS:
            self._known.scouts.add(self)
        return self in self._known.scouts

    def heard(self, elapsed: float, job: Job) -> None:
        """Take note of the answer to a query."""
        self._asked_at, self._hint, self._estimate = elapsed, job.poll_after, job.estimated_seconds or 0.0
        if not job.status.is_final:
            self._running_at = elapsed
        elif job.status is JobStatus.SUCCEEDED:
            self._learn(elapsed, job)

    def missed(self, elapsed: float, hint: float | None) -> None:
        """Take note that a query gave no answer, and of what the gateway asked for instead, in seconds."""
        self._asked_at, self._hint = elapsed, hint

    def _learn(self, ended: float, job: Job) -> None:
        """The job ended between the last query that found it running and the one that found it done."""
        if job.created_at and job.completed_at and job.completed_at > job.created_at:
            told = (job.completed_at - job.created_at).total_seconds()
            self._known.add(min(max(told, self._running_at), ended))
        elif self._running_at or self._since <= self._shortest:
            # A first query that finds it done may have come far too late: then the next ones come sooner.
            self._known.add((max(self._running_at, ended * (1 - SHARE)) + ended) / 2)
