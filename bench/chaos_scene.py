"""The setup of one scenario: a sandbox and runs of the flow, each a process, and what the parent sees of them."""

import multiprocessing
import socket
import time
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any

import httpx

from bench.chaos_flow import Order, run_flow, run_sandbox
from prefect_omnivideo.core.records.model import VideoRecord, VideoState
from prefect_omnivideo.core.records.repository import Records
from prefect_omnivideo.sandbox import Settings

# The modules are imported once, in a process from which every run is forked; it has one thread and no connection.
PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(["bench.chaos_flow"])

GATEWAYS = ("apimart", "omnirouters", "jimmyai")
START = 120.0
"""Seconds in which a process must have begun."""
RUN = 900.0
"""Seconds in which a run must have ended."""
SETTLE = 0.3
"""Seconds after a kill in which requests of the dead process still arrive."""


class ScenarioError(Exception):
    """The scenario could not be run."""


@dataclass
class Run:
    """One run of the flow in a process of its own."""

    process: ForkServerProcess
    said: Connection
    counts: dict[str, int] | None = None
    """Counts by state of its report; None if there was none."""
    trouble: str = ""

    @property
    def is_alive(self) -> bool:
        """Whether the process still runs."""
        return self.process.is_alive()

    def kill(self) -> None:
        """SIGKILL."""
        self.process.kill()
        self.process.join()

    def wait(self) -> "Run":
        """Wait until it has ended by itself, and read its result."""
        self.process.join(RUN)
        if self.is_alive:
            self.kill()
            raise ScenarioError(f"a run took more than {RUN:.0f} s")
        try:
            said = self.said.recv()
        except EOFError:
            raise ScenarioError(f"a run ended with exit code {self.process.exitcode} and reported nothing") from None
        if isinstance(said, dict):
            self.counts = said
        else:
            self.trouble = str(said)
        return self


@dataclass
class Scene:
    """Everything a scenario uses."""

    batch: str
    prompts: tuple[str, ...]
    settings: Settings
    store: dict[str, Any]
    """Settings of the store as the flow sees it, perhaps through the proxy."""
    records: Records
    account: dict[str, Any]
    """Settings of each account, but for the address."""
    gateways: tuple[str, ...] = GATEWAYS
    runs: int = 0
    troubles: list[str] = field(default_factory=list[str])
    """Why runs ended without a report."""
    in_flight: set[str] = field(default_factory=set[str])
    """Claims without an outcome when a process was killed."""
    _sandbox: ForkServerProcess | None = None

    @property
    def url(self) -> str:
        """Where the sandbox listens."""
        return f"http://127.0.0.1:{self.settings.port}"

    @property
    def slots(self) -> int:
        """Jobs in flight at the most, in one run."""
        return len(self.gateways) * int(self.account["jobs_in_flight"])

    def open(self) -> None:
        """Start the sandbox."""
        self._sandbox = PROCESSES.Process(target=run_sandbox, args=(self.settings,), daemon=True)
        self._sandbox.start()
        end = time.monotonic() + START
        while True:
            try:
                httpx.get(f"{self.url}/_sandbox/health").raise_for_status()
                return
            except httpx.HTTPError:
                if time.monotonic() > end or not self._sandbox.is_alive():
                    raise ScenarioError("the sandbox does not start") from None
                time.sleep(0.05)

    def close(self) -> None:
        """SIGKILL for the sandbox; its journal knows what it had accepted."""
        if self._sandbox is not None:
            self._sandbox.kill()
            self._sandbox.join()

    def start(self) -> Run:
        """One more run of the same batch, about to begin with the flow."""
        accounts = tuple(
            (gateway, {"api_key": self.settings.key, "base_url": f"{self.url}/{gateway}", **self.account})
            for gateway in self.gateways
        )
        said, says = PROCESSES.Pipe(duplex=False)
        order = Order(self.prompts, accounts, self.store, self.batch)
        process = PROCESSES.Process(target=run_flow, args=(order, says), daemon=True)
        process.start()
        says.close()
        self.runs += 1
        if not said.poll(START):
            process.kill()
            raise ScenarioError("a run does not start")
        said.recv()
        return Run(process, said)

    def complete(self, most_runs: int = 12) -> Run:
        """Run the batch until every video is stored or unknown, as a person would press Retry."""
        for _ in range(most_runs):
            run = self.wait(self.start())
            if run.counts and not run.counts["pending"] and not run.counts["failed"]:
                return run
        raise ScenarioError(f"not complete after {most_runs} more runs: {run.counts} {run.trouble}")

    def wait(self, run: Run) -> Run:
        """Wait until a run has ended by itself."""
        if trouble := run.wait().trouble:
            self.troubles.append(trouble)
        return run

    def note_claims(self) -> int:
        """Collect the claims without an outcome. Returns how many of them are new."""
        standing = {r.attempt.claim_id for r in self.found() if r.state is VideoState.SUBMITTING}
        new = standing - self.in_flight
        self.in_flight |= new
        return len(new)

    def found(self) -> list[VideoRecord]:
        """The records in the store."""
        return list(self.records.batch(self.batch))

    def bill(self) -> list[dict[str, Any]]:
        """Every submission the gateways accepted."""
        return httpx.get(f"{self.url}/_sandbox/jobs", timeout=30).json()

    def stats(self) -> dict[str, Any]:
        """What the gateways counted since the sandbox was started last."""
        return httpx.get(f"{self.url}/_sandbox/stats", timeout=30).json()

    def accepted(self) -> int:
        """How many submissions the gateways accepted, read from the journal: also while the sandbox is dead."""
        path = Path(str(self.settings.journal))
        return path.read_bytes().count(b"\n") if path.exists() else 0

    def wait_for_accepted(self, count: int, run: Run, seconds: float = 60.0) -> None:
        """Wait until so many submissions were accepted, the run has ended, or the time is over."""
        end = time.monotonic() + seconds
        while self.accepted() < count and run.is_alive and time.monotonic() < end:
            time.sleep(0.01)


def free_ports(count: int) -> list[int]:
    """Free ports; all bound at the same time, so that no two are the same."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports
