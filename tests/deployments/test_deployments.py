"""Every deployment, deployed by the documented command, runs to its end on a worker, against the sandbox."""

import json
import sys
from collections import Counter
from collections.abc import Generator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.client.schemas.objects import FlowRun
from prefect.settings import PREFECT_API_URL, temporary_settings

from prefect_omnivideo import LocalVideoStore, S3VideoStore
from prefect_omnivideo.sandbox import Sandbox, Settings, running
from prefect_omnivideo.sandbox.s3server import S3Server, running_s3
from tests.accounts import credentials
from tests.deployments.stage import ROOT, Server, prefect_server, process

DEPLOYMENTS = ROOT / "deployments"
SHEET_FLOW = "Generate videos from a sheet"


class Stage(NamedTuple):
    server: Server
    sandbox: Sandbox
    s3: S3Server


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Generator[Stage]:
    """Server, gateways, S3, saved blocks and sheets, and everything in prefect.yaml deployed."""
    home = tmp_path_factory.mktemp("prefect")
    with running_s3() as s3, running(Settings(latency=0.1)) as sandbox, prefect_server(home) as server:
        _save_blocks(server, sandbox, s3)
        _put_sheets(s3)
        with server.client() as client:
            client.create_work_pool(WorkPoolCreate(name="videos", type="process"))
        server.prefect("--no-prompt", "deploy", "--all", "--prefect-file", "deployments/prefect.yaml")
        yield Stage(server, sandbox, s3)


def _save_blocks(server: Server, sandbox: Sandbox, s3: S3Server) -> None:
    with temporary_settings({PREFECT_API_URL: server.api}):
        credentials(sandbox, "apimart").save("prod")
        credentials(sandbox, "jimmyai").save("prod")
        LocalVideoStore(folder=server.home / "videos").save("videos")
        S3VideoStore.model_validate(
            {
                "bucket": s3.bucket("videos"),
                "endpoint_url": s3.endpoint_url,
                "region_name": "us-east-1",
                "aws_access_key_id": s3.access_key_id,
                "aws_secret_access_key": s3.secret_access_key,
            }
        ).save("prod")


def _put_sheets(s3: S3Server) -> None:
    matrix = {"template": "{product} in {style}", "matrix": {"product": ["mug", "cup"], "style": ["noir", "clay"]}}
    today = datetime.now(UTC).date()
    days = {f"{today + timedelta(days)}.csv": "prompt\ndaily one\ndaily two\n" for days in (0, 1)}
    sheets = days | {
        "inbox.csv": "prompt,aspect_ratio\ninbox one,\ninbox broken,wide\n",
        "products-tall.yaml": yaml.safe_dump(matrix | {"defaults": {"aspect_ratio": "9:16"}}),
        "products-wide.yaml": yaml.safe_dump(matrix | {"defaults": {"aspect_ratio": "16:9"}}),
    }
    for name, text in sheets.items():
        s3.client().put_object(Bucket="videos", Key=f"sheets/{name}", Body=text.encode())


def test_every_deployment_runs_to_its_end_on_a_worker(stage: Stage) -> None:
    server, sandbox, s3 = stage
    with server.client() as client:
        schedules = client.read_deployment_by_name(f"{SHEET_FLOW}/products").schedules
    parameters = {schedule.slug: schedule.parameters for schedule in schedules}
    runs = [
        server.start("Generate videos/ad-hoc", {"prompts": ["ad hoc", {"prompt": "tall", "aspect_ratio": "9:16"}]}),
        server.start(f"{SHEET_FLOW}/daily", {}),
        server.start(f"{SHEET_FLOW}/hourly", {}),
        server.start(f"{SHEET_FLOW}/products", parameters["weekdays"]),
        server.start(f"{SHEET_FLOW}/products", parameters["weekend"]),
    ]
    server.prefect("worker", "start", "--pool", "videos", "--type", "process", "--run-once")
    assert {run.name: run.state_name for run in map(server.ended, runs)} == dict.fromkeys(_names(runs), "Completed")


def _names(runs: list[FlowRun]) -> list[str]:
    return [run.name for run in runs]
