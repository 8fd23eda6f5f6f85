"""What a deployment needs around it: a Prefect server of its own, blocks, and the gateways played by the sandbox."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.objects import FlowRun
from prefect.exceptions import ObjectNotFound
from prefect.settings import PREFECT_API_URL, temporary_settings

ROOT = Path(__file__).resolve().parents[2]
START = 120.0
FINISH = 180.0


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

    def ended(self, run: FlowRun) -> FlowRun:
        """The run once it has come to an end."""
        with self.client() as client:
            until(lambda: (state := client.read_flow_run(run.id).state) and state.is_final(), FINISH)
            return client.read_flow_run(run.id)


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
def prefect_server(home: Path) -> Generator[Server]:
    """A server that begins to start; see `Server.wait`."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = Server(f"http://127.0.0.1:{port}/api", home)
    command = [sys.executable, "-m", "prefect", "server", "start", "--host", "127.0.0.1", "--port", str(port)]
    with process(command, server.environment, home / "server.log"):
        yield server


def _answers(api: str) -> bool:
    try:
        return httpx.get(f"{api}/health").is_success
    except httpx.HTTPError:
        return False
