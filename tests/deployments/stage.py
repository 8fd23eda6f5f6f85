"""What a deployment needs around it: a Prefect server of its own, blocks, and the gateways played by the sandbox."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import httpx
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.client.schemas.filters import (
    ArtifactFilter,
    ArtifactFilterFlowRunId,
    FlowRunFilter,
    FlowRunFilterParentFlowRunId,
)
from prefect.client.schemas.objects import FlowRun
from prefect.exceptions import ObjectNotFound
from prefect.settings import PREFECT_API_URL, temporary_settings
from prefect.states import Cancelling

from prefect_omnivideo.sandbox import Sandbox
from prefect_omnivideo.sandbox.s3server import S3Server

ROOT = Path(__file__).resolve().parents[2]
START = 300.0  # a busy machine takes minutes to start a server; idle, it is 11 seconds
FINISH = 300.0
WITHOUT_COLLECTOR = "import gc, runpy; gc.disable(); runpy.run_module('prefect', run_name='__main__', alter_sys=True)"
"""What runs Prefect's command line without Python's cycle collector; see `prefect_server`."""


@dataclass(frozen=True)
class Server:
    """A Prefect server that runs."""

    api: str
    home: Path

    @property
    def environment(self) -> dict[str, str]:
        """Of a process that works with this server."""
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
        return inherited | {
            "HOME": str(self.home),
            "PREFECT_HOME": str(self.home),
            "PREFECT_API_URL": self.api,
            "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
            "PREFECT_RUNNER_POLL_FREQUENCY": "1",
            "PREFECT_WORKER_QUERY_SECONDS": "1",
        }

    def wait(self) -> None:
        """Wait until the server answers: 11 seconds on an idle machine."""
        until(lambda: _answers(self.api), START)

    def prefect(self, *arguments: str) -> str:
        """Run the command line of Prefect in the root of the repository."""
        done = subprocess.run(
            [sys.executable, "-m", "prefect", *arguments],
            cwd=ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=START,
            check=False,
        )
        assert done.returncode == 0, f"prefect {' '.join(arguments)}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    @contextmanager
    def client(self) -> Generator[SyncPrefectClient]:
        with temporary_settings({PREFECT_API_URL: self.api}), get_client(sync_client=True) as client:
            yield client

    def deploy(self) -> None:
        """Deploy everything in prefect.yaml by the documented command; no schedule joins in at the full hour."""
        with self.client() as client:
            client.create_work_pool(WorkPoolCreate(name="videos", type="process"))
        self.prefect("--no-prompt", "deploy", "--all", "--prefect-file", "deployments/prefect.yaml")
        with self.client() as client:
            for deployment in client.read_deployments():
                client.pause_deployment(deployment.id)

    def start(self, deployment: str, parameters: Mapping[str, Any]) -> FlowRun:
        """A run of a deployment, as the form or a schedule would make it."""
        with self.client() as client:
            found = client.read_deployment_by_name(deployment)
            return client.create_flow_run_from_deployment(found.id, parameters=dict(parameters))

    def knows(self, deployment: str) -> bool:
        with self.client() as client:
            try:
                return bool(client.read_deployment_by_name(deployment))
            except ObjectNotFound:
                return False

    def read(self, run: FlowRun) -> FlowRun:
        """The run as it is now."""
        with self.client() as client:
            return client.read_flow_run(run.id)

    def children(self, run: FlowRun) -> list[FlowRun]:
        """The runs of deployments that a run started, 200 at the most."""
        parent = FlowRunFilterParentFlowRunId(any_=[run.id])
        with self.client() as client:
            return client.read_flow_runs(flow_run_filter=FlowRunFilter(parent_flow_run_id=parent))

    def artifacts(self, run: FlowRun) -> list[str]:
        """Keys of what a run shows so far."""
        with self.client() as client:
            found = client.read_artifacts(
                artifact_filter=ArtifactFilter(flow_run_id=ArtifactFilterFlowRunId(any_=[run.id]))
            )
        return [str(artifact.key) for artifact in found]

    def cancel(self, run: FlowRun) -> None:
        """Ask for the end of a run, as the button in the UI does."""
        with self.client() as client:
            client.set_flow_run_state(run.id, Cancelling(), force=True)

    def ended(self, run: FlowRun) -> FlowRun:
        """The run once it has come to an end."""
        with self.client() as client:
            until(lambda: (state := client.read_flow_run(run.id).state) and state.is_final(), FINISH)
            return client.read_flow_run(run.id)


class Stage(NamedTuple):
    """A server with the deployments, the gateways and an S3 server."""

    server: Server
    sandbox: Sandbox
    s3: S3Server


@dataclass(frozen=True)
class Machine:
    """A worker and the processes of its flow runs, which it puts into sessions of their own."""

    worker: subprocess.Popen[bytes]

    @property
    def processes(self) -> list[int]:
        """Ids of the worker and of everything below it; none when it is dead."""
        found = [self.worker.pid] if self.worker.poll() is None else []
        for pid in found:
            with suppress(OSError):  # it has just ended
                for children in Path(f"/proc/{pid}/task").glob("*/children"):
                    found += map(int, children.read_text().split())
        return found

    def has(self, run: FlowRun) -> bool:
        """Whether the flow run runs here."""
        return run.infrastructure_pid in [str(pid) for pid in self.processes]

    def die(self) -> None:
        """SIGKILL for everything at once, as when the power is cut."""
        self.worker.send_signal(signal.SIGSTOP)  # it starts nothing more
        for pid in self.processes:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.worker.wait()


def until(condition: Callable[[], object], seconds: float) -> None:
    """Wait until something is so."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"not so after {seconds} s"
        time.sleep(0.2)


@contextmanager
def process(arguments: list[str], environment: Mapping[str, str], log: Path) -> Generator[subprocess.Popen[bytes]]:
    """A process that is ended, by its own id, when it is no longer needed."""
    with log.open("wb") as output:
        started = subprocess.Popen(arguments, cwd=ROOT, env=dict(environment), stdout=output, stderr=subprocess.STDOUT)
        try:
            yield started
        finally:
            started.terminate()
            try:
                started.wait(15)
            except subprocess.TimeoutExpired:
                started.kill()
                started.wait()


@contextmanager
def machine(server: Server, name: str, limit: int) -> Generator[Machine]:
    """A worker with room for so many flow runs; in the end it dies."""
    command = [sys.executable, "-m", "prefect", "worker", "start", "--pool", "videos", "--type", "process"]
    command += ["--name", name, "--limit", str(limit)]
    with process(command, server.environment, server.home / f"{name}.log") as worker:
        started = Machine(worker)
        try:
            yield started
        finally:
            started.die()


@contextmanager
def prefect_server(home: Path, **settings: str) -> Generator[Server]:
    """A server that begins to start, with settings of its own; see `Server.wait`.

    Python's cycle collector resets SQLite cursors in the server's event loop, which may wait for a connection that
    waits for the event loop: with automations the server stood still for a minute at a time, and runs failed.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = Server(f"http://127.0.0.1:{port}/api", home)
    command = [sys.executable, "-c", WITHOUT_COLLECTOR, "server", "start", "--host", "127.0.0.1", "--port", str(port)]
    with process(command, server.environment | settings, home / "server.log"):
        yield server


def _answers(api: str) -> bool:
    try:
        return httpx.get(f"{api}/health").is_success
    except httpx.HTTPError:
        return False
