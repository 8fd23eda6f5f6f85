"""The same store three times: a folder, a bucket of moto, and a bucket of a real S3 server."""

from __future__ import annotations

import uuid
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from moto import mock_aws

from prefect_omnivideo.core.records.repository import Records
from prefect_omnivideo.core.storage.base import ObjectStore
from prefect_omnivideo.core.storage.folder import Folder
from prefect_omnivideo.core.storage.s3 import Bucket, S3Options, client
from prefect_omnivideo.sandbox import Sandbox, Settings, running
from prefect_omnivideo.sandbox.s3server import S3Server, running_s3

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client


@pytest.fixture(scope="session")
def s3() -> Generator[S3Server]:
    with running_s3() as server:
        server.bucket("videos")
        yield server


@pytest.fixture(scope="session")
def s3_client(s3: S3Server) -> S3Client:
    return client(
        S3Options(
            endpoint_url=s3.endpoint_url,
            region_name="us-east-1",
            aws_access_key_id=s3.access_key_id,
            aws_secret_access_key=s3.secret_access_key,
            addressing_style="path",
        )
    )


@pytest.fixture
def seaweed(s3_client: S3Client) -> Bucket:
    """A bucket of SeaweedFS, under a prefix of its own."""
    return Bucket(s3_client, "videos", uuid.uuid4().hex)


@pytest.fixture(scope="session")
def aws_client() -> S3Client:
    """A client of AWS; what uses it plays AWS with moto."""
    return client(S3Options(region_name="us-east-1", aws_access_key_id="a", aws_secret_access_key="b"))


@pytest.fixture
def moto(aws_client: S3Client) -> Iterator[Bucket]:
    """A bucket of moto."""
    with mock_aws():
        aws_client.create_bucket(Bucket="videos")
        yield Bucket(aws_client, "videos", "some/prefix")


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path / "videos")


@pytest.fixture(params=["folder", "moto", "seaweed"])
def store(request: pytest.FixtureRequest) -> ObjectStore:
    """Each kind of store in turn."""
    found: ObjectStore = request.getfixturevalue(request.param)
    return found


@pytest.fixture(params=["folder", "seaweed"])
def shared(request: pytest.FixtureRequest) -> ObjectStore:
    """Each kind of store that many may write at once: moto may not."""
    found: ObjectStore = request.getfixturevalue(request.param)
    return found


@pytest.fixture
def records(folder: Folder) -> Records:
    return Records(folder)


@pytest.fixture(scope="module")
def sandbox() -> Generator[Sandbox]:
    with running(Settings(latency=0.05)) as sandbox:
        yield sandbox
