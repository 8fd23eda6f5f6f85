"""How soon a finished job is noticed, and at how many queries: a seeded simulation."""

from dataclasses import asdict
from typing import Any

from tests.simulation import DISTRIBUTIONS, simulate, summarise

JOBS = 1000
LAG_GOAL = 0.10
QUERIES_GOAL = 0.25


def polling() -> list[dict[str, Any]]:
    """One row for each distribution and number of jobs in flight; `lag` is a share of the duration.

    `ratio` compares the queries with those of a loop that asks every five seconds. With 500 of the 1,000 jobs in
    flight, half of them begin before anything is known.
    """
    rows: list[dict[str, Any]] = []
    for name, draw in DISTRIBUTIONS.items():
        for in_flight in (20, 100, 500):
            summary = summarise(simulate(draw, jobs=JOBS, in_flight=in_flight, tells_times=False))
            good = summary.lag_p50 <= LAG_GOAL and summary.ratio <= QUERIES_GOAL
            rows.append({"durations": name, "in_flight": in_flight, **asdict(summary), "goal": good})
    return rows
