"""Transfers: `python -m bench.transfer` compares memory with file size, and speed with a bare script.

The sandbox and SeaweedFS run in processes of their own, and so does every move. Contenders take turns on the same
servers, so that what else the machine does strikes both; what counts is the median of the rounds' ratios.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import median
from typing import Any

import httpx
from cyclopts import App
from rich.console import Console
from rich.table import Table

from bench.mover import MIB, Errand, Spent
from prefect_omnivideo.sandbox.s3server import S3Server, running_s3

GATEWAY = "sora"
KEY = "sandbox-key"
GROWTH = 64.0
"""Largest extra memory, in MiB, of the large video over the small one."""
RATIO = 0.9
"""Smallest share of the bare script's throughput."""

app = App(name="bench-transfer", help="Memory and throughput of a transfer, next to a bare script.")


@dataclass(frozen=True)
class Move:
    """One line of the benchmark."""

    how: str
    to: str
    spent: Spent

    def line(self) -> dict[str, Any]:
        """As JSON."""
        return {"how": self.how, "to": self.to, **asdict(self.spent), "mib_per_second": round(self.speed, 1)}

    @property
    def speed(self) -> float:
        """MiB per second."""
        return self.spent.bytes / MIB / self.spent.wall


def measure(*, large: int = 2048, size: int = 512, rounds: int = 7) -> dict[str, Any]:
    """Run the benchmark, printing one JSON line for every move.

    Args:
        large: MiB of the video that memory is measured with, against one of 2 MiB.
        size: MiB of the video that throughput is measured with.
        rounds: Moves of each contender.

    Returns:
        Growth of memory in MiB (`growth_s3`, `growth_disk`), median throughput in MiB per second (`ours`, `bare`),
        the median of the rounds' ratios (`ratio`) with the lowest and the highest (`ratio_low`, `ratio_high`), all
        `moves`, and whether the promises hold (`ok`).
    """
    with contextlib.ExitStack() as stack:
        # SeaweedFS may still be writing when it is stopped.
        home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-", ignore_cleanup_errors=True)))
        s3 = stack.enter_context(running_s3(home / "s3"))
        errand = Errand("", "", "", KEY, "", "", s3.endpoint_url, s3.access_key_id, s3.secret_access_key, "")
        errand = replace(errand, bucket=s3.bucket("bench"))
        moves, growth = _memory(errand, home, large)
        rows, speeds = _throughput(errand, s3, size, rounds)
    ratios = [ours / bare for ours, bare in zip(speeds["transfer"], speeds["bare"], strict=True)]
    return {
        "growth_s3": round(growth["s3"], 1),
        "growth_disk": round(growth["disk"], 1),
        "ours": round(median(speeds["transfer"]), 1),
        "bare": round(median(speeds["bare"]), 1),
        "ratio": round(median(ratios), 3),
        "ratio_low": round(min(ratios), 3),
        "ratio_high": round(max(ratios), 3),
        "ok": max(growth.values()) < GROWTH and median(ratios) >= RATIO,
        "moves": [move.line() for move in (*moves, *rows)],
    }


def _memory(errand: Errand, home: Path, large: int) -> tuple[list[Move], dict[str, float]]:
    """The whole life of a small and of a large video; what the large one takes more, in MiB."""
    moves, peaks = list[Move](), dict[str, list[float]]()
    for mib in (2, large):
        with _gateway(mib * MIB) as base_url:
            for to in ("s3", "disk"):
                folder = str(home / "disk") if to == "disk" else ""
                move = _move(replace(errand, how="life", name=f"life-{mib}", base_url=base_url, folder=folder), to)
                moves.append(move)
                peaks.setdefault(to, []).append(move.spent.peak_rss)
    return moves, {to: of_large - of_small for to, (of_small, of_large) in peaks.items()}


def _throughput(errand: Errand, s3: S3Server, size: int, rounds: int) -> tuple[list[Move], dict[str, list[float]]]:
    """Both contenders in turn, after one uncounted transfer of each. Speeds in MiB per second."""
    moves, speeds = list[Move](), {"transfer": list[float](), "bare": list[float]()}
    with _gateway(size * MIB) as base_url:
        link = _link(base_url)
        for number in range(-1, rounds):
            for how in ("bare", "transfer") if number % 2 else ("transfer", "bare"):
                move = _move(replace(errand, how=how, name=f"{how}-{number}", base_url=base_url, link=link), "s3")
                if number >= 0:
                    moves.append(move)
                    speeds[how].append(move.speed)
    return moves, speeds


def _move(errand: Errand, to: str) -> Move:
    done = subprocess.run(
        [sys.executable, "-m", "bench.mover"], input=json.dumps(asdict(errand)), capture_output=True, text=True
    )
    if done.returncode:
        raise SystemExit(f"{errand.how} ended with exit code {done.returncode}:\n{done.stderr[-3000:]}")
    move = Move(errand.how, to, Spent(**json.loads(done.stdout.splitlines()[-1])))
    print(json.dumps(move.line()), flush=True)
    return move


@contextlib.contextmanager
def _gateway(video_bytes: int) -> Generator[str]:
    """A sandbox whose videos have so many bytes; gives the base URL of one gateway."""
    code = (
        f"from prefect_omnivideo.sandbox import Settings, serve; serve(Settings(latency=0, video_bytes={video_bytes}))"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield f"{process.stdout.readline().split()[-1]}/{GATEWAY}"
    finally:
        process.kill()
        process.wait()


def _link(base_url: str) -> str:
    """The link to a finished video."""
    with httpx.Client(headers={"Authorization": f"Bearer {KEY}"}, timeout=60) as http:
        job = http.post(f"{base_url}/v1/videos", json={"model": "gemini-omni", "prompt": "a long film"}).json()
        while job["status"] != "completed":
            time.sleep(0.1)
            job = http.get(f"{base_url}/v1/videos/{job['id']}").json()
    link: str = job["video_url"]
    return link


def table(result: dict[str, Any]) -> Table:
    """The result as a table."""
    shown = Table(title="Moving bytes")
    for column in ("what", "to", "MiB", "wall s", "CPU s", "peak RSS MiB", "MiB/s"):
        shown.add_column(column, justify="left" if column in ("what", "to") else "right")
    for move in result["moves"]:
        numbers = (move["bytes"] / MIB, move["wall"], move["cpu"], move["peak_rss"], move["mib_per_second"])
        shown.add_row(move["how"], move["to"], *(f"{number:.1f}" for number in numbers))
    shown.caption = (
        f"memory of the large video over the small one: {result['growth_s3']} MiB on S3, {result['growth_disk']} MiB "
        f"on disk (at most {GROWTH:g}); throughput as a part of the bare script's: {result['ratio']} "
        f"(at least {RATIO}; rounds between {result['ratio_low']} and {result['ratio_high']})"
    )
    return shown


@app.default
def main(*, large: int = 2048, size: int = 512, rounds: int = 7) -> int:
    """Run the benchmark and print it; exit code 1 when a promise does not hold.

    Args:
        large: MiB of the video that memory is measured with, against one of 2 MiB.
        size: MiB of the video that throughput is measured with.
        rounds: Moves of each contender.
    """
    result = measure(large=large, size=size, rounds=rounds)
    print(json.dumps({name: value for name, value in result.items() if name != "moves"}))
    Console(width=None if sys.stdout.isatty() else 120).print(table(result))
    return 0 if result["ok"] else 1


if __name__ == "__main__":
    sys.exit(app())
