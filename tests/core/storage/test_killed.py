"""A transfer that is killed: nothing under the final name, and nothing that a later run does not find and remove."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Generator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from prefect_omnivideo.core.storage.base import ObjectStore
from prefect_omnivideo.core.storage.folder import Folder
from prefect_omnivideo.core.storage.s3 import Bucket
from prefect_omnivideo.core.transfer.transfer import Source, transfer
from prefect_omnivideo.sandbox.s3server import S3Server
from tests.core.transfer.lying_server import Server, answer, mp4, running

pytestmark = pytest.mark.server

ROOT = Path(__file__).parents[3]
NAME = "batch/a-red-apple-0123456789abcdef"
MIB = 1024 * 1024
FILM = mp4(40 * MIB)
PATIENCE = 60.0
"""Seconds for a process to come to the middle of its work: it takes about two."""


@pytest.fixture
def server() -> Generator[Server]:
    """Gives half of a film and falls silent; whoever asks again gets all of it."""
    leave = threading.Event()

    def half(handler: BaseHTTPRequestHandler) -> None:
        answer(FILM, sent=20 * MIB)(handler)
        leave.wait(PATIENCE)

    with running() as server:
        server.answers = [half, answer(FILM)]
        yield server
        leave.set()


def kill_halfway(server: Server, order: dict[str, Any], is_halfway: Callable[[], bool]) -> None:
    """SIGKILL to a process in the middle of a transfer."""
    code = [sys.executable, "-m", "tests.core.transfer.mover"]
    with subprocess.Popen(code, cwd=ROOT, stdin=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        process.stdin.write(json.dumps({"url": server.url, "folder": "", "name": NAME} | order))
        process.stdin.close()
        try:
            end = time.monotonic() + PATIENCE
            while not is_halfway():
                assert process.poll() is None, "it ended before it could be killed"
                assert time.monotonic() < end
                time.sleep(0.02)
        finally:
            process.kill()


def check_what_is_left(server: Server, store: ObjectStore) -> None:
    """No video, no leftovers after a cleaning a day later, and the way is free for the next one."""
    assert list(store.names()) == []
    assert store.size(f"{NAME}.mp4") is None
    assert store.clean() == 0, "it may still be written"
    assert store.clean(older_than=0) == 1
    assert store.clean(older_than=0) == 0
    transfer(Source(server.url, server.url), store, NAME)
    with store.open(f"{NAME}.mp4") as file:
        assert file.read() == FILM


def test_on_s3(server: Server, s3: S3Server, seaweed: Bucket) -> None:
    made = vars(seaweed)["_client"]

    def uploads() -> list[dict[str, str]]:
        found: list[dict[str, str]] = made.list_multipart_uploads(Bucket="videos", Prefix=seaweed.prefix).get(
            "Uploads", []
        )
        return found

    def a_part_is_there() -> bool:
        return any(
            made.list_parts(Bucket="videos", Key=upload["Key"], UploadId=upload["UploadId"]).get("Parts")
            for upload in uploads()
        )

    settings = {"aws_access_key_id": s3.access_key_id, "aws_secret_access_key": s3.secret_access_key}
    settings |= {"endpoint_url": s3.endpoint_url, "region_name": "us-east-1"}
    kill_halfway(server, {"client": settings, "bucket": "videos", "prefix": seaweed.prefix}, a_part_is_there)
    assert len(uploads()) == 1
    check_what_is_left(server, seaweed)
    assert uploads() == []


def test_on_disk(server: Server, folder: Folder) -> None:
    def files() -> list[Path]:
        return [path for path in folder.path.rglob("*") if path.is_file()]

    kill_halfway(server, {"folder": str(folder.path)}, lambda: any(path.stat().st_size > 8 * MIB for path in files()))
    assert len(files()) == 1
    check_what_is_left(server, folder)
    assert len(files()) == 1
