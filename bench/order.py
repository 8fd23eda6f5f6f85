"""The task of a contender, and its cost: passed between processes as JSON."""

from __future__ import annotations

import gc
import json
import resource
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

PAUSE = 5.0
"""Seconds between two queries where the pause is fixed."""


@dataclass(frozen=True)
class Order:
    """So many videos, from one gateway into one bucket or folder."""

    jobs: int
    in_flight: int
    requests: int
    """HTTP requests to the gateway at a time."""
    latency: float
    """Seconds a job takes at the gateway."""
    base_url: str
    key: str
    endpoint_url: str
    access_key_id: str
    secret_access_key: str
    bucket: str
    batch: str
    folder: str = ""
    """Empty: into the bucket."""

    @property
    def prompts(self) -> list[str]:
        """One prompt for each video."""
        return [f"clip {number:05}" for number in range(self.jobs)]


@dataclass(frozen=True)
class Cost:
    """The cost of the work in its process, without imports."""

    wall: float
    cpu: float
    import_cpu: float
    """CPU seconds before the work began: the interpreter and the libraries."""
    peak_rss: float
    """MB at the highest, libraries included."""
    base_rss: float
    """MB when the work began."""


def contend(work: Callable[[Order], None]) -> None:
    """Read an order from standard input, carry it out, and print its cost as the last line of standard output."""
    order = Order(**json.loads(sys.stdin.read()))
    gc.collect()
    base, before = peak_rss(), resource.getrusage(resource.RUSAGE_SELF)
    started = time.monotonic()
    work(order)
    wall = time.monotonic() - started
    after = resource.getrusage(resource.RUSAGE_SELF)
    cost = Cost(
        wall=wall,
        cpu=after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime,
        import_cpu=before.ru_utime + before.ru_stime,
        peak_rss=peak_rss(),
        base_rss=base,
    )
    print(json.dumps(asdict(cost)), flush=True)


def peak_rss() -> float:
    """MB. Linux counts the memory of the process that started this one into `ru_maxrss`, so that is the last resort."""
    status = Path("/proc/self/status")
    if status.exists():
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM:"))
        return int(line.split()[1]) / 1024
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1024 / 1024
