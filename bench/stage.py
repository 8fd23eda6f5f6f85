"""The servers for every contender: a sandbox, an S3 server and a Prefect server, each a separate process."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median, quantiles
from typing import Any, NamedTuple

import httpx
import trustme

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


class Certificate(NamedTuple):
    """PEM files: of the sandbox's key and certificate, and of the authority that issued it."""

    pair: Path
    authority: Path


class Scene(NamedTuple):
    """What is played."""

    name: str
    in_flight: int
    latency: float
    """Seconds a job takes at the gateway."""
    requests: int = 8
    """HTTP requests to the gateway at a time."""
    clips: Path | None = None
    """Folder with the videos; small rendered ones if there is none."""
    is_https: bool = False
    is_local: bool = False
    """Whether the videos go into a folder in place of the bucket."""


@dataclass(frozen=True)
class Stage:
    """The servers, running."""

    s3: S3Server
    prefect_api: str
    home: Path
    certificate: Certificate

    def play(self, contender: str, scene: Scene, jobs: int) -> tuple[Cost, Seen]:
        """Let a contender make so many videos; returns its cost and what the gateway saw."""
        name = f"{contender}-{jobs}-{scene.latency:g}-{time.time_ns():x}"
        with sandbox(scene, self.certificate) as url:
            order = Order(
                jobs=jobs,
                in_flight=scene.in_flight,
                requests=scene.requests,
                latency=scene.latency,
                base_url=f"{url}/{GATEWAY}",
                key="sandbox-key",
                endpoint_url=self.s3.endpoint_url,
                access_key_id=self.s3.access_key_id,
                secret_access_key=self.s3.secret_access_key,
                bucket=self.s3.bucket("bench"),
                batch=name,
                folder=str(self.home / "videos") if scene.is_local else "",
            )
            cost = self._run(contender, order)
            trusted = ssl.create_default_context(cafile=self.certificate.authority)
            stats = httpx.get(f"{url}/_sandbox/stats", timeout=60, verify=trusted).json()
            shutil.rmtree(self.home / "videos", ignore_errors=True)
        return cost, NOTHING if contender == "engine" else _seen(stats, jobs)

    def _run(self, contender: str, order: Order) -> Cost:
        environment = os.environ | {
            "PREFECT_API_URL": self.prefect_api,
            "PREFECT_HOME": str(self.home),
            "PREFECT_LOGGING_LEVEL": "ERROR",
            "PREFECT_LOGGING_TO_API_ENABLED": "0",
            "MALLOC_ARENA_MAX": "1",  # for all, as in prefect.yaml
            "SSL_CERT_FILE": str(self.certificate.authority),
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
        yield Stage(s3, api, home, _certificate(home))


@contextlib.contextmanager
def sandbox(scene: Scene, certificate: Certificate) -> Generator[str]:
    """A new sandbox."""
    settings = f"latency={scene.latency}"
    settings += f", clips={str(scene.clips)!r}" if scene.clips else ""
    settings += f", certificate={str(certificate.pair)!r}" if scene.is_https else ""
    code = f"from prefect_omnivideo.sandbox import Settings, serve;serve(Settings({settings}))"
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        ready = process.stdout.readline()
        yield ready.split()[-1]
    finally:
        process.kill()
        process.wait()


def _certificate(home: Path) -> Certificate:
    authority = trustme.CA()
    found = Certificate(home / "sandbox.pem", home / "authority.pem")
    authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(found.pair)
    authority.cert_pem.write_to_path(found.authority)
    return found


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
