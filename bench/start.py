"""`python -m bench.start`: seconds from the start of a flow run's process to its first submission at the gateway.

The baseline is a flow of Prefect that imports nothing but httpx and submits at once. Both are run as a process worker
runs them, and take turns; the difference is what imports, blocks, and checks of the store and of limits cost.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from statistics import median
from typing import Any

import httpx
from cyclopts import App
from prefect import flow
from prefect.client.orchestration import get_client
from prefect.settings import PREFECT_API_URL, temporary_settings
from pydantic import SecretStr

from bench.__main__ import show
from bench.stage import Scene, Stage, sandbox, stage
from prefect_omnivideo import S3VideoStore, SoraCompatibleCredentials

SCENE = Scene("one toy clip", in_flight=1, latency=0.5)
GOAL = 3.0
"""Seconds beyond Prefect's own start."""
KEY = "sandbox-key"
OURS = "prefect_omnivideo.flows.batch.generate_videos"

app = App(name="start", help="Measure the start of a flow run.")


@flow(name="Submit at once")
def submit_at_once(base_url: str) -> None:
    """The baseline."""
    body = {"model": "gemini-omni", "prompt": "at once"}
    httpx.post(f"{base_url}/v1/videos", json=body, headers={"Authorization": f"Bearer {KEY}"}).raise_for_status()


@app.default
def start(*, rounds: int = 5) -> None:
    """Print the medians, and the difference.

    Args:
        rounds: flow runs of each kind, after one of each that does not count.
    """
    with (
        stage() as servers,
        sandbox(SCENE, servers.certificate) as url,
        temporary_settings({PREFECT_API_URL: servers.prefect_api}),
    ):
        contenders = asyncio.run(_deployed(servers, f"{url}/sora"))
        seconds: dict[str, list[tuple[float, float]]] = {name: [] for name in contenders}
        for round_ in range(rounds + 1):
            for name, (deployment, parameters) in contenders.items():
                measured = _run(servers, url, deployment, parameters)
                if round_:
                    seconds[name].append(measured)
    rows: list[dict[str, Any]] = [
        {
            "contender": name,
            "runs": len(found),
            "first POST (s)": median(first for first, _ in found),
            "least": min(first for first, _ in found),
            "most": max(first for first, _ in found),
            "CPU of the whole run (s)": median(cpu for _, cpu in found),
        }
        for name, found in seconds.items()
    ]
    show("From the start of the process to the first submission", rows)
    beyond = rows[1]["first POST (s)"] - rows[0]["first POST (s)"]
    show("Next to the goal", [{"what": "beyond Prefect's own start (s)", "value": beyond, "at most": GOAL}])


async def _deployed(servers: Stage, base_url: str) -> dict[str, tuple[str, Mapping[str, Any]]]:
    """The deployments of both, with their parameters."""
    account = SoraCompatibleCredentials(api_key=SecretStr(KEY), base_url=base_url, poll_seconds=0.2)
    bucket = S3VideoStore(
        bucket=servers.s3.bucket("start"),
        endpoint_url=servers.s3.endpoint_url,
        region_name="us-east-1",
        aws_access_key_id=servers.s3.access_key_id,
        aws_secret_access_key=SecretStr(servers.s3.secret_access_key),
    )
    await account.save("start", overwrite=True)
    await bucket.save("start", overwrite=True)
    ours = {
        "prompts": ["a red apple"],
        "credentials": {"$ref": {"block_document_slug": "sora-credentials/start"}},
        "store": {"$ref": {"block_document_slug": "s3-video-store/start"}},
    }
    return {
        "Prefect alone": (await _deploy("Submit at once", "bench.start.submit_at_once"), {"base_url": base_url}),
        "ours": (await _deploy("Generate videos", OURS), ours),
    }


async def _deploy(name: str, entrypoint: str) -> str:
    async with get_client() as client:
        flow_id = await client.create_flow_from_name(name)
        found = await client.create_deployment(flow_id, "start", entrypoint=entrypoint, enforce_parameter_schema=False)
        return str(found)


def _run(servers: Stage, url: str, deployment: str, parameters: Mapping[str, Any]) -> tuple[float, float]:
    """Seconds until the gateway accepted a job, and seconds of CPU in all, of one flow run."""
    with get_client(sync_client=True) as client:
        run = client.create_flow_run_from_deployment(deployment, parameters=dict(parameters))
    environment = os.environ | {
        "PREFECT_API_URL": servers.prefect_api,
        "PREFECT_HOME": str(servers.home),
        "MALLOC_ARENA_MAX": "1",
        "PREFECT__FLOW_RUN_ID": str(run.id),
    }
    before, started = os.times(), time.time()
    done = subprocess.run([sys.executable, "-m", "prefect.engine"], env=environment, capture_output=True, text=True)
    after = os.times()
    if done.returncode:
        raise SystemExit(f"the flow run ended with exit code {done.returncode}:\n{done.stderr[-3000:]}")
    jobs = httpx.get(f"{url}/_sandbox/stats", timeout=60).json()["jobs"].values()
    accepted = max(job["accepted_at"] for job in jobs)
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    return accepted - started, cpu


if __name__ == "__main__":
    app()
