"""A video that has come home to a bucket: what S3 knows of it, and what the record says."""

from __future__ import annotations

import hashlib
import logging
import uuid
from typing import Any

import pytest

from prefect_omnivideo.core.errors import NotAVideoError
from prefect_omnivideo.core.jobs.deliver import deliver
from prefect_omnivideo.core.jobs.submit import submit
from prefect_omnivideo.core.jobs.wait import wait
from prefect_omnivideo.core.records.model import VideoRecord
from prefect_omnivideo.core.records.repository import Records
from prefect_omnivideo.core.request import VideoRequest
from prefect_omnivideo.core.storage.s3 import Bucket, S3Options, client
from prefect_omnivideo.sandbox import Sandbox, Settings, running
from prefect_omnivideo.sandbox.s3server import S3Server
from tests.accounts import credentials

MIB = 1024 * 1024


async def make(
    sandbox: Sandbox, bucket: Bucket, request: VideoRequest, log: logging.Logger, gateway: str = "apimart"
) -> VideoRecord:
    account, records = credentials(sandbox, gateway).account(), Records(bucket)
    record = await submit(request, account, records, "bätch", log)
    return await deliver(record, await wait(record, account, 30, log), account, records, log)


def bucket_of(s3: S3Server, **settings: Any) -> Bucket:
    made = client(
        S3Options(
            endpoint_url=s3.endpoint_url,
            region_name="us-east-1",
            aws_access_key_id=s3.access_key_id,
            aws_secret_access_key=s3.secret_access_key,
            **settings,
        )
    )
    return Bucket(made, "videos", uuid.uuid4().hex)


def head(bucket: Bucket, name: str) -> dict[str, Any]:
    found: dict[str, Any] = vars(bucket)["_client"].head_object(
        Bucket=bucket.bucket, Key=f"{bucket.prefix}/{name}", ChecksumMode="ENABLED"
    )
    return found


@pytest.mark.parametrize("size", [None, 20 * MIB], ids=["one part", "four parts"])
async def test_the_object_says_what_it_is(s3: S3Server, log: logging.Logger, size: int | None) -> None:
    """A browser plays it, a person finds its job, and S3 has held its checksum against what arrived."""
    bucket = bucket_of(s3)
    with running(Settings(latency=0.05, video_bytes=size)) as sandbox:
        record = await make(sandbox, bucket, VideoRequest(prompt="Äpfel 苹果 🍎"), log)
    file = record.files[0]
    found = head(bucket, file.name)
    assert file.name == f"bätch/äpfel-苹果-{record.key}.mp4"
    assert file.uri == f"s3://videos/{bucket.prefix}/{file.name}"
    assert found["ContentType"] == "video/mp4"
    assert {name.lower(): value for name, value in found["Metadata"].items()} == {
        "key": record.key,
        "gateway": "apimart",
        "task-id": record.attempt.task_id,
    }
    assert found["ChecksumCRC32"]
    assert found["ContentLength"] == file.size
    with bucket.open(file.name) as stored:
        assert hashlib.file_digest(stored, "sha256").hexdigest() == file.sha256
    assert head(bucket, str(file.poster))["ContentType"] == "image/jpeg"


async def test_a_server_without_checksums_gets_none(sandbox: Sandbox, s3: S3Server, log: logging.Logger) -> None:
    bucket = bucket_of(s3, request_checksums="when_required")
    record = await make(sandbox, bucket, VideoRequest(prompt="no checksums"), log)
    assert "ChecksumCRC32" not in head(bucket, record.files[0].name)


@pytest.mark.parametrize(
    "fault", ["truncate", "truncate-silent*1", "expired-link", "link-403*1", "redirect", "no-url] [fault:truncate"]
)
async def test_trouble_in_the_middle_of_an_upload(fault: str, s3: S3Server, log: logging.Logger) -> None:
    """Whatever happens on the way in, the object is whole, and no part of another attempt is left."""
    bucket = bucket_of(s3)
    with running(Settings(latency=0.05, video_bytes=20 * MIB)) as sandbox:
        record = await make(sandbox, bucket, VideoRequest(prompt=f"a long film [fault:{fault}]"), log, "sora")
        assert sandbox.stats()["leaks"] == []
    file = record.files[0]
    with bucket.open(file.name) as stored:
        data = stored.read()
    assert (len(data), hashlib.sha256(data).hexdigest()) == (20 * MIB, file.sha256)
    assert str(record.attempt.task_id).encode() in data
    uploads = vars(bucket)["_client"].list_multipart_uploads(Bucket=bucket.bucket, Prefix=bucket.prefix)
    assert "Uploads" not in uploads


@pytest.mark.parametrize("fault", ["html-video", "json-video"])
async def test_a_page_never_becomes_an_object(fault: str, sandbox: Sandbox, s3: S3Server, log: logging.Logger) -> None:
    bucket = bucket_of(s3)
    with pytest.raises(NotAVideoError):
        await make(sandbox, bucket, VideoRequest(prompt=f"a page [fault:{fault}]"), log)
    assert [name for name in bucket.names() if not name.endswith(".json")] == []
