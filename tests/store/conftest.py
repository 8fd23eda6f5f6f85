"""The same store three times: a folder, a bucket of moto, and a bucket of a real S3 server."""

from __future__ import annotations

import uuid
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest
from moto import mock_aws

from prefect_omnivideo.sandbox.s3server import S3Server, running_s3
from prefect_omnivideo.store.local import Folder
from prefect_omnivideo.store.objects import ObjectStore
from prefect_omnivideo.store.records import Records
from prefect_omnivideo.store.s3 import Bucket, client


@pytest.fixture(scope="session")
def s3() -> Generator[S3Server]:
    with running_s3() as server:
        server.bucket("videos")
        yield server


@pytest.fixture
def seaweed(s3: S3Server) -> Bucket:
    """A bucket of SeaweedFS, under a prefix of its own."""
    made = client(
        endpoint_url=s3.endpoint_url,
        region_name="us-east-1",
        access_key_id=s3.access_key_id,
        secret_access_key=s3.secret_access_key,
        addressing_style="path",
    )
    return Bucket(made, "videos", uuid.uuid4().hex)


@pytest.fixture
def moto() -> Iterator[Bucket]:
    """A bucket of moto."""
    with mock_aws():
        made = client(region_name="us-east-1", access_key_id="a", secret_access_key="b")
        made.create_bucket(Bucket="videos")
        yield Bucket(made, "videos", "some/prefix")


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
