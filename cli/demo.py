"""The demo: a Prefect server, the five gateways and an S3 server on this machine, and a dozen prompts for them.

It runs the production flow, `generate_videos`, with credentials that point at the sandbox.
"""

import asyncio
import contextlib
import logging
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator
from pathlib import Path

import httpx
from prefect.settings import PREFECT_API_URL, PREFECT_LOGGING_TO_API_ENABLED, temporary_settings
from pydantic import SecretStr
from rich.console import Console
from rich.table import Table
from rich.text import Text

from prefect_omnivideo.blocks import (
    APIMartCredentials,
    JimmyAICredentials,
    OmniRoutersCredentials,
    S3VideoStore,
    SoraCompatibleCredentials,
    TwelveAICredentials,
)
from prefect_omnivideo.blocks.credentials import GatewayCredentials
from prefect_omnivideo.core.gateways.registry import get_gateway
from prefect_omnivideo.core.media.probe import examine
from prefect_omnivideo.core.records.model import VideoRecord, VideoState
from prefect_omnivideo.core.records.repository import Records
from prefect_omnivideo.core.reports.report import BatchReport
from prefect_omnivideo.core.request import VideoRequest
from prefect_omnivideo.core.storage.base import ObjectStore
from prefect_omnivideo.flows import BatchFailedError, generate_videos
from prefect_omnivideo.sandbox import Fault, FaultPlan, Sandbox, Settings, running
from prefect_omnivideo.sandbox.s3server import S3Server, running_s3

BATCH = "demo"
LATENCY = 6.0
SERVER_SECONDS = 120.0
VIDEOS = Path("demo-videos")

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
    VideoRequest(prompt="A famous logo, exactly as it is"),
]
REFUSED = REQUESTS[-1]
FAULTS = FaultPlan(
    (
        Fault("retry-after", match="red apple", value=1, times=1),
        Fault("poll-500", match="butterfly", times=1),
        Fault("truncate", match="neon", times=1),
        Fault("expired-link", match="paper boat", times=1),
        Fault("moderated", match="famous logo"),
    )
)

# Without a terminal, lines are not wrapped.
console = Console(width=None if sys.stdout.isatty() else 200)


def run_demo() -> int:
    """Run the demo. Returns 0 if exactly the expected videos exist and play."""
    console.print("Starting a Prefect server, five sandbox gateways and an S3 server on 127.0.0.1 …")
    with contextlib.ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="omnivideo-demo-")))
        api = stack.enter_context(_prefect_server(home))
        sandbox = stack.enter_context(running(Settings(latency=LATENCY, jitter=0.3, faults=FAULTS)))
        s3 = stack.enter_context(running_s3(home / "s3"))
        store = _store(s3)
        _wait_for(api)
        console.print(f"Ready. {len(REQUESTS)} prompts, five gateways. A few faults are injected on purpose.\n")
        stack.enter_context(temporary_settings({PREFECT_API_URL: api, PREFECT_LOGGING_TO_API_ENABLED: False}))
        for logger in ("prefect", "prefect.flow_runs", "prefect.task_runs", "stamina"):
            logging.getLogger(logger).setLevel(logging.CRITICAL)
        report = asyncio.run(_run(_accounts(sandbox), store))
        submissions = len(sandbox.jobs())
        _show(report)
        playing = _download(report, store.open())
    expected = len(REQUESTS) - 1
    console.print(f"\n{report.summary()} The gateways billed {submissions} submissions for {len(REQUESTS)} prompts.")
    console.print(f"{playing} of the {expected} expected videos play. Look at them:")
    console.print((VIDEOS / BATCH / "index.html").resolve().as_uri(), soft_wrap=True)
    failed = [record.request for record in report.failed]
    return 0 if playing == expected and failed == [REFUSED] and submissions == len(REQUESTS) else 1


def _accounts(sandbox: Sandbox) -> list[GatewayCredentials]:
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


def _store(s3: S3Server) -> S3VideoStore:
    return S3VideoStore(
        bucket=s3.bucket("omnivideo-demo"),
        prefix="videos",
        endpoint_url=s3.endpoint_url,
        region_name="us-east-1",
        aws_access_key_id=s3.access_key_id,
        aws_secret_access_key=SecretStr(s3.secret_access_key),
    )


async def _run(accounts: list[GatewayCredentials], store: S3VideoStore) -> BatchReport:
    done = asyncio.Event()
    watching = asyncio.create_task(_watch(Records(store.open()), done))
    try:
        return await generate_videos(REQUESTS, accounts, store, batch=BATCH)  # type: ignore[arg-type]  # list is invariant
    except BatchFailedError as error:
        return error.report
    finally:
        done.set()
        await watching


async def _watch(records: Records, done: asyncio.Event) -> None:
    """Print every change of a record in the store."""
    started, seen = time.monotonic(), dict[str, VideoState]()
    last = False
    while not last:
        last = done.is_set()
        for record in await asyncio.to_thread(lambda: list(records.batch(BATCH))):
            if seen.get(record.key) != record.state:
                seen[record.key] = record.state
                line = Text(f"{time.monotonic() - started:5.1f} s  {_title(record):<26} {record.state:<10} ")
                console.print(line + Text(record.request.prompt, overflow="ellipsis"), no_wrap=True)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(done.wait(), 0 if last else 0.5)


def _show(report: BatchReport) -> None:
    table = Table(title="\nResults")
    table.add_column("prompt", max_width=30, no_wrap=True, overflow="ellipsis")
    for column in ("gateway", "status", "seconds", "size"):
        table.add_column(column, no_wrap=True, justify="right" if column in ("seconds", "size") else "left")
    table.add_column("S3 URI", overflow="fold")
    for record in report.records:
        file = record.files[0] if record.files else None
        status = f"{record.state} ({record.failure.category})" if record.failure else str(record.state)
        table.add_row(
            Text(record.request.prompt),
            _title(record),
            status,
            f"{record.files[0].media.get('duration', 0):.0f}" if file else "",
            f"{file.size / 1000:.0f} kB" if file else "",
            file.uri if file else "",
        )
    console.print(table)


def _title(record: VideoRecord) -> str:
    return get_gateway(record.attempt.gateway).title


def _download(report: BatchReport, store: ObjectStore) -> int:
    """Copy the finished batch with its gallery into a local folder. Returns how many videos play."""
    shutil.rmtree(VIDEOS / BATCH, ignore_errors=True)
    for name in store.names(f"{BATCH}/"):
        target = VIDEOS / name
        target.parent.mkdir(parents=True, exist_ok=True)
        with store.open(name) as source, target.open("wb") as copy:
            shutil.copyfileobj(source, copy)
    return sum(_plays(VIDEOS / record.files[0].name) for record in report.stored)


def _plays(path: Path) -> bool:
    with path.open("rb") as file:
        examined = examine(file)
    return examined is not None and bool(examined.facts.get("duration"))


@contextlib.contextmanager
def _prefect_server(home: Path) -> Generator[str]:
    """A Prefect server with its own database, stopped at the end."""
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


def _wait_for(api: str) -> None:
    end = time.monotonic() + SERVER_SECONDS
    while time.monotonic() < end:
        with contextlib.suppress(httpx.HTTPError):
            if httpx.get(f"{api}/health").is_success:
                return
        time.sleep(0.2)
    raise SystemExit(f"the Prefect server did not answer at {api} within {SERVER_SECONDS:.0f} s")
