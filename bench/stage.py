"""The servers for every contender: a sandbox, an S3 server and a Prefect server, each a separate process."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median, quantiles
from typing import Any

import httpx

from bench.order import Cost, Order
from prefect_omnivideo.cli.demo.stage import prefect_server, wait_for
from prefect_omnivideo.sandbox.s3server import S3Server, running_s3

GATEWAY = "sora"
"""Tells when jobs began and ended, and neither a pause nor an estimate: what is learned is learned here."""
RUN = 3 * 3600.0
"""Seconds in which a contender must be done."""


@dataclass(frozen=True)
class Seen:
    """What the gateway saw of a run."""

    requests: int
    """HTTP requests: submissions, queries and downloads."""
    queries: float
    """Per job."""
    lag_p50: float
    """Seconds from a job's end to the query that reported it."""
    lag_p95: float


NOTHING = Seen(requests=0, queries=0.0, lag_p50=0.0, lag_p95=0.0)


@dataclass(frozen=True)
class Stage:
    """The servers, running."""

    s3: S3Server
    prefect_api: str
    home: Path

    def play(self, contender: str, *, jobs: int, in_flight: int, requests: int, latency: float) -> tuple[Cost, Seen]:
        """Let a contender make so many videos; returns its cost and what the gateway saw."""
        name = f"{contender}-{jobs}-{latency:g}-{time.time_ns():x}"
        with _sandbox(latency) as url:
            order = Order(
                jobs=jobs,
                in_flight=in_flight,
                requests=requests,
                latency=latency,
                base_url=f"{url}/{GATEWAY}",
                key="sandbox-key",
                endpoint_url=self.s3.endpoint_url,
                access_key_id=self.s3.access_key_id,
                secret_access_key=self.s3.secret_access_key,
                bucket=self.s3.bucket("bench"),
                batch=name,
            )
            cost = self._run(contender, order)
            stats = httpx.get(f"{url}/_sandbox/stats", timeout=60).json()
        return cost, NOTHING if contender == "engine" else _seen(stats, jobs)

    def _run(self, contender: str, order: Order) -> Cost:
        environment = os.environ | {
            "PREFECT_API_URL": self.prefect_api,
            "PREFECT_HOME": str(self.home),
            "PREFECT_LOGGING_LEVEL": "ERROR",
            "PREFECT_LOGGING_TO_API_ENABLED": "0",
            "MALLOC_ARENA_MAX": "1",  # for all, as in prefect.yaml
        }
        done = subprocess.run(
            [sys.executable, "-m", f"bench.{contender}"],
            input=json.dumps(asdict(order)),
            capture_output=True,
            text=True,
            env=environment,
            timeout=RUN,
        )
        if done.returncode:
            raise SystemExit(f"{contender} ended with exit code {done.returncode}:\n{done.stderr[-3000:]}")
        return Cost(**json.loads(done.stdout.strip().splitlines()[-1]))


@contextlib.contextmanager
def stage() -> Generator[Stage]:
    """Start the servers, and stop them at the end."""
    with contextlib.ExitStack() as stack:
        # SeaweedFS may still be writing when it is stopped.
        home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-", ignore_cleanup_errors=True)))
        api = stack.enter_context(prefect_server(home))
        s3 = stack.enter_context(running_s3(home / "s3"))
        wait_for(api)
        yield Stage(s3, api, home)


@contextlib.contextmanager
def _sandbox(latency: float) -> Generator[str]:
    """A new sandbox."""
    code = f"from prefect_omnivideo.sandbox import Settings, serve;serve(Settings(latency={latency}))"
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        ready = process.stdout.readline()
        yield ready.split()[-1]
    finally:
        process.kill()
        process.wait()


def _seen(stats: dict[str, Any], jobs: int) -> Seen:
    counts = stats["gateways"][GATEWAY]
    if counts.get("accepted") != jobs:
        raise SystemExit(f"{counts.get('accepted')} jobs were accepted instead of {jobs}")
    lags = [job["seen_at"] - job["finished_at"] for job in stats["jobs"].values() if job["seen_at"]]
    return Seen(
        requests=sum(counts.get(kind, 0) for kind in ("submissions", "polls", "contents", "media")),
        queries=counts["polls"] / jobs,
        lag_p50=median(lags),
        lag_p95=quantiles(lags, n=20)[-1],
    )
