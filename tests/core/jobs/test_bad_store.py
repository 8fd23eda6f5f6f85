"""What cannot be recorded is not submitted: the gateway's bill stays empty, and the error names the object."""

import errno
import json
import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from botocore.stub import Stubber
from moto import mock_aws

from prefect_omnivideo.core.errors import StoreError
from prefect_omnivideo.core.jobs.submit import submit
from prefect_omnivideo.core.records.model import stem
from prefect_omnivideo.core.records.repository import Records
from prefect_omnivideo.core.request import VideoRequest
from prefect_omnivideo.core.storage.folder import Folder
from prefect_omnivideo.core.storage.s3 import Bucket, S3Options, client
from prefect_omnivideo.sandbox import Sandbox
from tests.accounts import credentials

BATCH = "batch"
REQUEST = VideoRequest(prompt="a red apple")
NAME = f"{stem(BATCH, REQUEST)}.json"


async def refused(sandbox: Sandbox, records: Records, log: logging.Logger, says: str) -> None:
    """Submitting fails with the name of the record, and nothing arrives at the gateway."""
    before = sandbox.stats()["gateways"]["apimart"].get("submissions", 0)
    with pytest.raises(StoreError, match=says) as caught:
        await submit(REQUEST, credentials(sandbox, "apimart").account(), records, BATCH, log)
    assert REQUEST.key in str(caught.value)
    assert sandbox.stats()["gateways"]["apimart"].get("submissions", 0) == before


def newer(record: dict[str, Any]) -> None:
    record["version"] = 4


def half(record: dict[str, Any]) -> None:
    del record["attempts"]


def other(record: dict[str, Any]) -> None:
    record["request"]["prompt"] = "a green apple"


@pytest.mark.parametrize(
    ("change", "says"),
    [(newer, "Upgrade"), (half, "should be the record"), (other, "another video")],
)
async def test_a_record_that_cannot_be_read(
    change: Callable[[dict[str, Any]], None], says: str, sandbox: Sandbox, records: Records, log: logging.Logger
) -> None:
    await submit(REQUEST, credentials(sandbox, "apimart").account(), records, BATCH, log)
    found = records.store.read(NAME)
    assert found is not None
    record = json.loads(found[0])
    change(record)
    records.store.put(NAME, json.dumps(record).encode(), content_type="application/json")
    await refused(sandbox, records, log, says)


@pytest.mark.parametrize("data", [b"", b"\x00" * 100, b"not json", b'{"hello": "world"}', b"[]", b"null", b"<html/>"])
async def test_something_else_in_the_place_of_a_record(
    data: bytes, sandbox: Sandbox, records: Records, log: logging.Logger
) -> None:
    records.store.put(NAME, data, content_type="application/json")
    await refused(sandbox, records, log, "should be the record of a video")
    found = records.store.read(NAME)
    assert found is not None
    assert found[0] == data, "it stays for a person to look at"


@pytest.mark.parametrize(
    ("call", "code", "says"),
    [
        ("fsync", errno.ENOSPC, "the disk is full"),
        ("fsync", errno.EDQUOT, "quota"),
        ("link", errno.EACCES, "right to write"),
        ("link", errno.EROFS, "read-only"),
    ],
)
async def test_a_folder_that_cannot_be_written(
    call: str,
    code: int,
    says: str,
    sandbox: Sandbox,
    records: Records,
    log: logging.Logger,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise OSError(code, os.strerror(code))

    records.store.put(f"{BATCH}/other.txt", b"", content_type="text/plain")
    monkeypatch.setattr(os, call, broken)
    await refused(sandbox, records, log, says)
    monkeypatch.undo()
    assert list(records.all()) == []


async def test_a_bucket_that_does_not_exist(sandbox: Sandbox, log: logging.Logger) -> None:
    with mock_aws():
        bucket = Bucket(
            client(S3Options(region_name="us-east-1", aws_access_key_id="a", aws_secret_access_key="b")),
            "no-such-bucket",
        )
        await refused(sandbox, Records(bucket), log, "s3://no-such-bucket/.*create it or correct its name")


async def test_a_bucket_without_permission(sandbox: Sandbox, log: logging.Logger) -> None:
    made = client(S3Options(region_name="us-east-1", aws_access_key_id="a", aws_secret_access_key="b"))
    with Stubber(made) as server:
        server.add_client_error("put_object", "AccessDenied", http_status_code=403)
        await refused(sandbox, Records(Bucket(made, "videos")), log, "s3://videos/.*s3:PutObject")


class FullAfter(Folder):
    """A disk with room for one claim and not for its news."""

    def __init__(self, path: Path, refusals: int) -> None:
        super().__init__(path)
        self.refusals = refusals

    def replace(self, name: str, data: bytes, etag: str, **kwargs: Any) -> str:
        if self.refusals:
            self.refusals -= 1
            raise StoreError(f"{self.path / name}: the disk is full")
        return super().replace(name, data, etag, **kwargs)


async def test_a_disk_that_fills_up_between_claim_and_news(
    sandbox: Sandbox, tmp_path: Path, log: logging.Logger
) -> None:
    """The task id is written as soon as there is room again, and nothing is submitted a second time."""
    Folder(tmp_path).prove()
    records, account = Records(FullAfter(tmp_path, 20)), credentials(sandbox, "apimart").account()
    bill = len(sandbox.jobs())
    record = await submit(REQUEST, account, records, BATCH, log)
    assert (await submit(REQUEST, account, records, BATCH, log)).attempt.task_id == record.attempt.task_id
    assert len(sandbox.jobs()) - bill == 1
