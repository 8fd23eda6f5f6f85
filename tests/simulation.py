"""How soon a finished job is noticed, and at how many queries: a simulation that the tests and the benchmark share."""

from __future__ import annotations

import heapq
import itertools
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from statistics import median, quantiles

from prefect_omnivideo.core.client.poll_schedule import Durations, Watch
from prefect_omnivideo.core.gateways.specification import Job, JobStatus

SHORTEST = 5.0
"""Seconds; the default of the credentials blocks, and the pause of the loop it is compared with."""

DISTRIBUTIONS: dict[str, Callable[[random.Random], float]] = {
    "uniform": lambda rng: rng.uniform(60, 300),
    "log-normal": lambda rng: min(max(rng.lognormvariate(4.9, 0.4), 60), 300),
    "bimodal": lambda rng: min(max(rng.gauss(*rng.choice([(80, 8), (240, 20)])), 60), 300),
}
"""Seconds a job takes, 60 to 300."""


@dataclass(frozen=True)
class Outcome:
    """One simulated job: how long it took, when that was known, and after how many queries."""

    duration: float
    known_after: float
    queries: int

    @property
    def lag(self) -> float:
        """How late the news came, as a share of the duration."""
        return (self.known_after - self.duration) / self.duration


@dataclass(frozen=True)
class Summary:
    """What a simulation came to; `ratio` compares the queries with those of a loop that asks every five seconds."""

    lag_p50: float
    lag_p95: float
    queries: float
    ratio: float


def simulate(
    draw: Callable[[random.Random], float], *, jobs: int, in_flight: int, tells_times: bool, seed: int = 1
) -> list[Outcome]:
    """Watch jobs as a batch does: a new one begins when one is known to be done."""
    rng, known = random.Random(seed), Durations()
    epoch = datetime(2026, 1, 1, tzinfo=UTC)
    outcomes: list[Outcome] = []
    queue: list[tuple[float, int, Iterator[float]]] = []
    order = itertools.count()

    def watch(start: float) -> Iterator[float]:
        duration, job = draw(rng), Job("id", JobStatus.RUNNING)
        watch = Watch(known, SHORTEST, random=rng)
        elapsed, queries = 0.0, 0
        while True:
            elapsed += watch.pause(elapsed)
            yield start + elapsed
            if watch.is_due(elapsed):
                queries += 1
                if elapsed >= duration:
                    break
                watch.heard(elapsed, job)
        times = {"created_at": epoch, "completed_at": epoch + timedelta(seconds=duration)} if tells_times else {}
        watch.heard(elapsed, Job("id", JobStatus.SUCCEEDED, **times))
        outcomes.append(Outcome(duration, elapsed, queries))

    def begin(start: float) -> None:
        job = watch(start)
        heapq.heappush(queue, (next(job), next(order), job))

    for number in range(min(in_flight, jobs)):
        begin(number * 0.05)
    begun = min(in_flight, jobs)
    while queue:
        moment, _, job = heapq.heappop(queue)
        if (following := next(job, None)) is not None:
            heapq.heappush(queue, (following, next(order), job))
        elif begun < jobs:
            begun += 1
            begin(moment)
    return outcomes


def summarise(outcomes: list[Outcome]) -> Summary:
    """Lag and queries, and the queries next to a loop that asks every five seconds."""
    lags = [outcome.lag for outcome in outcomes]
    fixed = sum(-(-outcome.duration // SHORTEST) for outcome in outcomes)
    return Summary(
        lag_p50=median(lags),
        lag_p95=quantiles(lags, n=20)[-1],
        queries=sum(outcome.queries for outcome in outcomes) / len(outcomes),
        ratio=sum(outcome.queries for outcome in outcomes) / fixed,
    )
