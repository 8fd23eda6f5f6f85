"""What the demo needs on this machine: a Prefect server, accounts at five simulated gateways, stores, and faults."""

import contextlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import Generator
from pathlib import Path

import httpx
from pydantic import SecretStr

from prefect_omnivideo.blocks import (
    APIMartCredentials,
    JimmyAICredentials,
    OmniRoutersCredentials,
    S3VideoStore,
    SoraCompatibleCredentials,
    TwelveAICredentials,
)
from prefect_omnivideo.core.request import VideoRequest
from prefect_omnivideo.flows.run.parameters import AnyCredentials
from prefect_omnivideo.sandbox import Fault, FaultPlan, Sandbox
from prefect_omnivideo.sandbox.s3server import S3Server

SERVER_SECONDS = 120.0

REQUESTS = [
    VideoRequest(prompt="A red apple on a wooden table, soft morning light"),
    VideoRequest(prompt="A blue butterfly lands on a flower, macro", aspect_ratio="9:16"),
    VideoRequest(prompt="Rain on neon streets, slow tracking shot", aspect_ratio="16:9"),
    VideoRequest(prompt="海边日落,电影感,风吹长发"),
    VideoRequest(prompt="A paper boat crosses a puddle", aspect_ratio="16:9"),
    VideoRequest(prompt="A potter's hands shape wet clay", duration=6),
    VideoRequest(prompt="Fog rolls over a pine forest at dawn", duration=4),
    VideoRequest(prompt="A lighthouse in a storm, waves against the rocks", duration=10),
    VideoRequest(prompt="A cat chases a ball of yarn"),
    VideoRequest(prompt="Steam rises from a cup of tea", duration=8),
    VideoRequest(prompt="A hot-air balloon over salt flats, aerial"),
    VideoRequest(prompt="Ink spreads in a glass of water"),
    VideoRequest(prompt="A famous logo, exactly as it is"),
]
LOST, REFUSED = REQUESTS[-2:]
FAULTS = FaultPlan(
    (
        Fault("retry-after", match="red apple", value=1, times=1),
        Fault("poll-500", match="butterfly", times=1),
        Fault("truncate", match="neon", times=1),
        Fault("expired-link", match="paper boat", times=1),
        Fault("drop-after", match="Ink"),
        Fault("moderated", match="famous logo"),
    )
)
WORDS = {
    "retry-after": "answers 429, too many requests",
    "poll-500": "answers a status query with 500",
    "truncate": "breaks off the download",
    "expired-link": "gives a link that has expired",
    "drop-after": "takes the job, and its answer is lost",
    "moderated": "lets its content filter stop the video",
}
"""What a gateway does when a fault is injected."""


def accounts(sandbox: Sandbox) -> list[AnyCredentials]:
    """An account at each of the five simulated gateways."""

    def limits(gateway: str) -> dict[str, object]:
        return {
            "api_key": SecretStr(sandbox.key),
            "base_url": sandbox.base_url(gateway),
            "jobs_in_flight": 4,
            "poll_seconds": 0.5,
        }

    return [
        TwelveAICredentials.model_validate(limits("12ai")),
        OmniRoutersCredentials.model_validate(limits("omnirouters")),
        SoraCompatibleCredentials.model_validate(limits("sora")),
        APIMartCredentials.model_validate(limits("apimart")),
        JimmyAICredentials.model_validate(limits("jimmyai")),
    ]


def bucket(s3: S3Server) -> S3VideoStore:
    """A bucket of the S3 server on this machine."""
    return S3VideoStore(
        bucket=s3.bucket("omnivideo-demo"),
        prefix="videos",
        endpoint_url=s3.endpoint_url,
        region_name="us-east-1",
        aws_access_key_id=s3.access_key_id,
        aws_secret_access_key=SecretStr(s3.secret_access_key),
    )


@contextlib.contextmanager
def prefect_server(home: Path) -> Generator[str]:
    """A Prefect server with its own database, stopped at the end. Gives the address of its API."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    api = f"http://127.0.0.1:{port}/api"
    environment = os.environ | {
        "PREFECT_HOME": str(home),
        "PREFECT_UI_API_URL": api,
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_LOGGING_LEVEL": "ERROR",
    }
    log = (home / "server.log").open("wb")
    server = subprocess.Popen(  # noqa: S603  # our own interpreter
        [sys.executable, "-m", "prefect", "server", "start", "--host", "127.0.0.1", "--port", str(port)],
        env=environment,
        stdout=log,
        stderr=subprocess.STDOUT,
    )
    try:
        yield api
    finally:
        server.terminate()
        try:
            server.wait(10)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()
        log.close()


def wait_for(api: str) -> None:
    """Wait until a Prefect server answers.

    Raises:
        SystemExit: it does not.
    """
    end = time.monotonic() + SERVER_SECONDS
    while time.monotonic() < end:
        with contextlib.suppress(httpx.HTTPError):
            if httpx.get(f"{api}/health").is_success:
                return
        time.sleep(0.2)
    raise SystemExit(f"the Prefect server did not answer at {api} within {SERVER_SECONDS:.0f} s")
