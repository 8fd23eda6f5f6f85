"""`make bench`: the cost of the flow, compared with a bare script and a typical flow, and its growth.

All contenders play on the same gateways, the same S3 server and the same Prefect server, each in a process of its own
so that its CPU time and its memory are its own.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import App, Parameter
from rich.console import Console
from rich.table import Table

from bench.clips import clips as real_clips
from bench.plot import plot
from bench.polling import polling
from bench.stage import Scene, Stage, stage

Row = dict[str, Any]

CONTENDERS = ("floor", "promises", "engine", "engineless", "ours", "naive")
RESULTS = Path(__file__).parent / "results"
GROWTH = Scene("toy clips into S3", in_flight=100, latency=2.0)
"""Where it is the number of prompts that matters."""
IN_TITLES = ("scene", "latency")
MOST_MEMORY = 220.0
"""MB, with 50 real clips in flight."""

app = App(name="bench", help="Measure the flow.")
console = Console(width=None if os.isatty(1) else 160)


@app.default
def bench(
    *,
    jobs: int = 200,
    in_flight: int = 100,
    latency: Annotated[list[float] | None, Parameter(negative=())] = None,
    growth: Annotated[list[int] | None, Parameter(negative=())] = None,
    contender: Annotated[list[str] | None, Parameter(negative=())] = None,
    clips: Literal["both", "real", "toy"] = "both",
    full: bool = False,
) -> None:
    """Print the simulation of the polling, the contests, the ratios to the goals, and the growth.

    Real clips are of 1080p and 720p, 5 to 10 MB, with sound: into S3 by http and by https, and into a folder by https.
    Toy clips are a few kilobytes, into a folder and into S3, by http.

    Args:
        jobs: Toy clips per contender, and twice the real clips.
        in_flight: Jobs in flight with toy clips, and twice those with real clips.
        latency: Seconds a job takes at the gateway; 10 when left out. Real clips take the first.
        growth: Numbers of prompts for which our own cost is compared; 100 and 1,000 when left out.
        contender: Who plays; all when left out.
        clips: Which clips are played with.
        full: 1,000 jobs, 500 in flight, of 10 and of 60 seconds, and growth up to 10,000 prompts. Takes hours.
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

        show("Polling, simulated: 1,000 jobs of 60 to 300 s", [write("polling", row) for row in polling()])
        contests: list[Row] = []
        with stage() as servers:
            for scene, count in _scenes(clips, jobs, in_flight, latencies):
                contest: list[Row] = []
                for name in contender or CONTENDERS:
                    contest.append(write("contest", _play(servers, name, scene, count)))
                    console.print(f"{scene.name}: {name}: {contest[-1]['wall']:.0f} s")
                title = f"{scene.name}: {count} videos, {scene.in_flight} in flight, jobs of {scene.latency:g} s"
                show(title, contest)
                show("Next to the goals", [write("goal", row) for row in goals(contest, scene)])
                contests += contest
            grown = [write("growth", _play(servers, "ours", GROWTH, size)) for size in sizes]
            if grown:
                show(f"Growth: ours, {GROWTH.in_flight} in flight, jobs of {GROWTH.latency:g} s", grown)
    if not plot(contests, grown, target.with_suffix(".png")):
        console.print("no plot: matplotlib is not installed")
    console.print(f"results: {target}.*")


def _scenes(kind: str, jobs: int, in_flight: int, latencies: list[float]) -> Iterator[tuple[Scene, int]]:
    """What is played, with how many videos."""
    if kind != "toy":
        real = Scene("real clips into S3", max(1, in_flight // 2), latencies[0], clips=real_clips())
        yield real, max(1, jobs // 2)
        yield real._replace(name="real clips by https into S3", is_https=True), max(1, jobs // 2)
        yield real._replace(name="real clips by https into a folder", is_https=True, is_local=True), max(1, jobs // 2)
    if kind != "real":
        for latency in latencies:
            yield Scene("toy clips into a folder", in_flight, latency, is_local=True), jobs
            yield Scene("toy clips into S3", in_flight, latency), jobs


def goals(contest: list[Row], scene: Scene) -> list[Row]:
    """Ratios to the bare script, and to the others, with their goals: those of issue and plan, or none."""
    of = {row["contender"]: row for row in contest}
    ours, floor = of.get("ours"), of.get("floor")
    if not ours or not floor:
        return []
    most_wall, most_cpu = (1.15, 3.0) if scene.clips else (1.2, 3.8)
    rows = [
        _goal("wall / bare script", ours["wall"] / floor["wall"], most_wall),
        _goal("CPU / bare script", ours["cpu"] / floor["cpu"], most_cpu),
    ]
    if scene.clips:
        rows.append(_goal("peak memory (MB)", ours["peak_rss"], MOST_MEMORY))
    if promises := of.get("promises"):
        rows.append(_goal("CPU / bare script with the promises", ours["cpu"] / promises["cpu"]))
    if engine := of.get("engine"):
        rows.append(_goal("CPU / (bare script + three empty task runs)", ours["cpu"] / (floor["cpu"] + engine["cpu"])))
    if engineless := of.get("engineless"):
        rows.append(_goal("task runs per video (CPU ms)", ours["cpu_ms"] - engineless["cpu_ms"]))
    if (naive := of.get("naive")) and not scene.clips:
        rows.append(_goal("CPU / naive", ours["cpu"] / naive["cpu"], 1 / 3))
        rows.append(_goal("memory / naive", ours["peak_rss"] / naive["peak_rss"], 1 / 4))
    return [{"scene": scene.name, **row} for row in rows]


def _goal(what: str, value: float, at_most: float | None = None) -> Row:
    met = "" if at_most is None else str(value <= at_most)
    return {"what": what, "value": value, "at most": "" if at_most is None else f"{at_most:.3g}", "met": met}


def _play(servers: Stage, name: str, scene: Scene, jobs: int) -> Row:
    cost, seen = servers.play(name, scene, jobs)
    return {
        "contender": name,
        "scene": scene.name,
        "jobs": jobs,
        "latency": scene.latency,
        "cpu_ms": 1000 * cost.cpu / jobs,
        "rss_kb": 1024 * (cost.peak_rss - cost.base_rss) / jobs,
        **asdict(cost),
        **asdict(seen),
    }


def show(title: str, rows: list[Row]) -> None:
    table = Table(title=title, title_justify="left")
    shown = [{name: value for name, value in row.items() if name not in IN_TITLES} for row in rows]
    for name in shown[0] if shown else ():
        table.add_column(name, justify="right" if isinstance(shown[0][name], int | float) else "left")
    for row in shown:
        table.add_row(*map(_text, row.values()))
    console.print(table)


def _text(value: object) -> str:
    if isinstance(value, bool) or not isinstance(value, float):
        return str(value)
    return f"{value:.3g}" if value < 1000 else f"{value:.0f}"


if __name__ == "__main__":
    app()
