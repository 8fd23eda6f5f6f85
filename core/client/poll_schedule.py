"""When to poll: soon after a job has ended, and rarely before.

Jobs of one model at one gateway take similar times. So the first query about a job waits until the fastest seen so
far were done; after that the pauses grow with the elapsed time, so that the end is noticed late by a share of the
job's own duration. As long as none has ended, only a few scouts are polled that often, and the others rarely.
A delay that the gateway asks for takes precedence. `python -m bench polling` measures the constants.
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
"""A pause is this share of the time since the submission, so the end is noticed late by half of that on average."""
SPREAD = 0.2
"""Jitter of a pause, up and down: jobs submitted together are not polled together."""
LONGEST_PAUSE = 30.0
"""Longest pause between two queries of a job, in seconds."""
LONGEST_HINT = 120.0
"""Seconds; a longer delay that a gateway asks for or estimates is cut to this."""
REMEMBERED = 1000
"""Durations kept per model, the latest ones: so that changes in a gateway's speed are followed."""
ENOUGH = 5
"""Durations needed before `low` is known."""
LOW = 0.1
"""Share of the remembered jobs that had ended by the time at which a new one is first polled."""
HIGH = 0.9
"""The same, if hardly more than a pause lies between the two: a query that comes too early costs a whole pause."""
SCOUTS = 20
"""Jobs polled at the usual pace while none of their kind has ended. With 500 of 1,000 jobs in flight they bring 12
queries a job down to 8 (in a first batch of 100 all at once, 16 to 10), with no added delay."""
SELDOM = 3.0
"""The others are polled when the elapsed time has grown by this factor: at 15, 45, 135 seconds."""
NAP = 0.06
"""Share of the elapsed time after which they see whether one has ended: then it may be over for all."""
SHORTEST_NAP = 1.0
"""Seconds."""

_RANDOM = Random()  # noqa: S311  # not for cryptography


class Durations:
    """How long the jobs of one model take at one gateway, as seen in this process.

    Attributes:
        low: seconds after which the fastest were done; None until `ENOUGH` were seen.
        high: seconds after which nearly all were done, if `low` is known.
        scouts: jobs polled on behalf of all, as long as no duration is known.
    """

    def __init__(self) -> None:
        self._latest: deque[float] = deque(maxlen=REMEMBERED)
        self._sorted: list[float] = []
        self.low: float | None = None
        self.high = 0.0
        self.scouts: WeakSet[Watch] = WeakSet()

    @property
    def is_empty(self) -> bool:
        """Whether no job has ended yet."""
        return not self._latest

    def add(self, seconds: float) -> None:
        """Learn from a job that succeeded."""
        if len(self._latest) == REMEMBERED:
            del self._sorted[bisect_left(self._sorted, self._latest[0])]
        self._latest.append(seconds)
        insort(self._sorted, seconds)
        if len(self._sorted) >= ENOUGH:
            self.low, self.high = (self._sorted[int(share * len(self._sorted))] for share in (LOW, HIGH))


@lru_cache(maxsize=256)
def durations(gateway: str, base_url: str, model: str) -> Durations:
    """What this process has learned of a model at a gateway."""
    return Durations()


class Watch:
    """The polling of one job. Times are seconds since its submission.

    Args:
        known: the durations of its kind; this job's end is added to it.
        shortest: the account's shortest pause between two queries, in seconds.
        since: when polling began; late for a job of an earlier run.
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
        self._is_left_to_scouts = False

    def pause(self, elapsed: float) -> float:
        """Seconds from now until the next query may be due."""
        spread = self._random.uniform(-SPREAD, SPREAD)
        if self._hint is not None:
            return max(min(self._hint, LONGEST_HINT), self._shortest) * (1 + abs(spread))
        if self._estimate > elapsed:
            return max(min(self._estimate - elapsed, LONGEST_HINT), self._shortest)
        if self._known.low is not None and self._known.low > elapsed:
            first = self._known.high if self._known.high - self._known.low <= self._shortest else self._known.low
            return max(first - elapsed, self._shortest)
        if self._is_left_to_scouts:
            return max(elapsed * NAP, SHORTEST_NAP) * (1 + spread)
        return max(min(elapsed * SHARE, LONGEST_PAUSE), self._shortest) * (1 + spread)

    def is_due(self, elapsed: float) -> bool:
        """Whether to poll now, or leave it to the scouts and pause again."""
        if not self._known.is_empty or self._hint is not None or self._estimate or elapsed >= SELDOM * self._asked_at:
            self._is_left_to_scouts = False
            return True
        if len(self._known.scouts) < SCOUTS:
            self._known.scouts.add(self)
        self._is_left_to_scouts = self not in self._known.scouts
        return not self._is_left_to_scouts

    def heard(self, elapsed: float, job: Job) -> None:
        """Record the answer to a query."""
        self._asked_at, self._hint, self._estimate = elapsed, job.poll_after, job.estimated_seconds or 0.0
        if not job.status.is_final:
            self._running_at = elapsed
        elif job.status is JobStatus.SUCCEEDED:
            self._learn(elapsed, job)

    def missed(self, elapsed: float, hint: float | None) -> None:
        """Record a query without an answer, and the delay the gateway asked for, in seconds."""
        self._asked_at, self._hint = elapsed, hint

    def _learn(self, ended: float, job: Job) -> None:
        """The job ended between the last query that found it running and the one that found it done."""
        if job.created_at and job.completed_at and job.completed_at > job.created_at:
            reported = (job.completed_at - job.created_at).total_seconds()
            self._known.add(min(max(reported, self._running_at), ended))
        elif self._running_at or self._since <= self._shortest:
            # A first query that finds it done may have come much too late: then later ones come sooner.
            self._known.add((max(self._running_at, ended * (1 - SHARE)) + ended) / 2)
