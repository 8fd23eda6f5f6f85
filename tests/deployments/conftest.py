"""What all tests of the deployments share."""

from collections.abc import Generator
from datetime import UTC, datetime, timedelta

import pytest
import yaml
from prefect.settings import PREFECT_API_URL, temporary_settings

from prefect_omnivideo import LocalVideoStore, S3VideoStore
from prefect_omnivideo.sandbox import Sandbox, Settings, running
from prefect_omnivideo.sandbox.s3server import S3Server, running_s3
from tests.accounts import credentials
from tests.deployments.stage import Server, Stage, prefect_server


@pytest.fixture(scope="session")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Generator[Stage]:
    """Server, gateways, S3, saved blocks and sheets, and everything in prefect.yaml deployed."""
    home = tmp_path_factory.mktemp("prefect")
    with prefect_server(home) as server, running(Settings(latency=0.1)) as sandbox, running_s3() as s3:
        s3.bucket("videos")
        _put_sheets(s3)
        server.wait()
        _save_blocks(server, sandbox, s3)
        server.deploy()
        yield Stage(server, sandbox, s3)


def _save_blocks(server: Server, sandbox: Sandbox, s3: S3Server) -> None:
    with temporary_settings({PREFECT_API_URL: server.api}):
        credentials(sandbox, "apimart").save("prod")
        credentials(sandbox, "jimmyai").save("prod")
        LocalVideoStore(folder=server.home / "videos").save("videos")
        S3VideoStore.model_validate(
            {
                "bucket": "videos",
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
        **{f"long-{today + timedelta(days):%Y-%m}.jsonl": '{"prompt": "long one"}\n' for days in (0, 1)},
        "products-tall.yaml": yaml.safe_dump(matrix | {"defaults": {"aspect_ratio": "9:16"}}),
        "products-wide.yaml": yaml.safe_dump(matrix | {"defaults": {"aspect_ratio": "16:9"}}),
    }
    for name, text in sheets.items():
        s3.client().put_object(Bucket="videos", Key=f"sheets/{name}", Body=text.encode())
