"""`make bench`: the cost of the flow, compared with a bare script and a typical flow, and its growth.

All contenders play on the same gateways, the same S3 server and the same Prefect server, each in a process of its own
so that its CPU time and its memory are its own.
"""

from __future__ import annotations

import json
import os
import time
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

from cyclopts import App, Parameter
from rich.console import Console
from rich.table import Table

from bench.plot import plot
from bench.polling import polling
from bench.stage import Stage, stage

Row = dict[str, Any]

CONTENDERS = ("floor", "engine", "engineless", "ours", "naive")
RESULTS = Path(__file__).parent / "results"
GROWTH_LATENCY = 2.0
"""Seconds a job takes where it is the number of prompts that matters."""
GROWTH_IN_FLIGHT = 100

app = App(name="bench", help="Measure the flow.")
console = Console(width=None if os.isatty(1) else 160)


@app.default
def bench(
    *,
    jobs: int = 200,
    in_flight: int = 100,
    requests: int = 8,
    latency: Annotated[list[float] | None, Parameter(negative=())] = None,
    growth: Annotated[list[int] | None, Parameter(negative=())] = None,
    contender: Annotated[list[str] | None, Parameter(negative=())] = None,
    full: bool = False,
) -> None:
    """Print the simulation of the polling, the contest, the ratios to the goals, and the growth.

    Args:
        jobs: Videos per contender.
        in_flight: Jobs in flight.
        requests: HTTP requests to the gateway at a time.
        latency: Seconds a job takes at the gateway; 10 when left out.
        growth: Numbers of prompts for which our own cost is compared; 100 and 1,000 when left out.
        contender: Who plays; all when left out.
        full: 1,000 jobs, 500 in flight, of 10 and of 60 seconds, and growth up to 10,000 prompts. Takes an hour.
    """
    if full:
        jobs, in_flight, latency, growth = 1000, 500, latency or [10.0, 60.0], growth or [100, 1000, 10_000]
    latencies, sizes = latency or [10.0], growth if growth is not None else [100, 1000]
    RESULTS.mkdir(exist_ok=True)
    target = RESULTS / time.strftime("%Y%m%d-%H%M%S")
    with target.with_suffix(".jsonl").open("w") as lines:

        def write(kind: str, row: Row) -> Row:
            print(json.dumps({"kind": kind, **row}), file=lines, flush=True)
            return row

        _show("Polling, simulated: 1,000 jobs of 60 to 300 s", [write("polling", row) for row in polling()])
        with stage() as servers:
            contest: list[Row] = []
            for seconds in latencies:
                for name in contender or CONTENDERS:
                    contest.append(write("contest", _play(servers, name, jobs, in_flight, requests, seconds)))
                    console.print(f"{name}: {contest[-1]['wall']:.0f} s")
            _show(f"{jobs} videos, {in_flight} in flight, {requests} requests at a time", contest)
            _show("Next to the goals", [write("goal", row) for row in goals(contest, jobs, in_flight)])
            grown = [
                write("growth", _play(servers, "ours", size, GROWTH_IN_FLIGHT, requests, GROWTH_LATENCY))
                for size in sizes
            ]
            if grown:
                _show(f"Growth: ours, {GROWTH_IN_FLIGHT} in flight, jobs of {GROWTH_LATENCY:g} s", grown)
    if not plot(contest, grown, target.with_suffix(".png")):
        console.print("no plot: matplotlib is not installed")
    console.print(f"results: {target}.*")


def goals(contest: list[Row], jobs: int, in_flight: int) -> list[Row]:
    """Ratios and their goals."""
    rows: list[Row] = []
    for latency in sorted({row["latency"] for row in contest}):
        of = {row["contender"]: row for row in contest if row["latency"] == latency}
        ideal = (jobs / in_flight + 1) * latency

        def add(what: str, value: float, goal: str, good: bool, latency: float = latency) -> None:
            rows.append({"latency": latency, "what": what, "value": value, "goal": goal, "met": good})

        if ours := of.get("ours"):
            wall = ours["wall"] / ideal
            add("wall / ideal", wall, "<= 1.15 at 60 s", wall <= 1.15)
            if floor := of.get("floor"):
                add("CPU / floor", ours["cpu"] / floor["cpu"], "<= 2", ours["cpu"] <= 2 * floor["cpu"])
            if naive := of.get("naive"):
                memory, cpu = naive["peak_rss"] / ours["peak_rss"], naive["cpu"] / ours["cpu"]
                add("memory of naive / ours", memory, ">= 4", memory >= 4)
                add("CPU of naive / ours", cpu, ">= 3", cpu >= 3)
            if bare := of.get("engineless"):
                add("task runs per video (CPU ms)", ours["cpu_ms"] - bare["cpu_ms"], "", True)
            if (floor := of.get("floor")) and (engine := of.get("engine")):
                add("CPU / (floor + three empty task runs)", ours["cpu"] / (floor["cpu"] + engine["cpu"]), "", True)
    return rows


def _play(servers: Stage, name: str, jobs: int, in_flight: int, requests: int, latency: float) -> Row:
    cost, seen = servers.play(name, jobs=jobs, in_flight=in_flight, requests=requests, latency=latency)
    return {
        "contender": name,
        "jobs": jobs,
        "in_flight": in_flight,
        "latency": latency,
        "cpu_ms": 1000 * cost.cpu / jobs,
        "rss_kb": 1024 * (cost.peak_rss - cost.base_rss) / jobs,
        **asdict(cost),
        **asdict(seen),
    }


def _show(title: str, rows: list[Row]) -> None:
    table = Table(title=title, title_justify="left")
    for name in rows[0]:
        table.add_column(name, justify="right" if isinstance(rows[0][name], int | float) else "left")
    for row in rows:
        table.add_row(*map(_text, row.values()))
    console.print(table)


def _text(value: object) -> str:
    if isinstance(value, bool) or not isinstance(value, float):
        return str(value)
    return f"{value:.3g}" if value < 1000 else f"{value:.0f}"


if __name__ == "__main__":
    app()
