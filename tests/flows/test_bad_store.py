"""Bad input through the real flow: what cannot be recorded is not submitted, and the others are not held up."""

import errno
import os
from pathlib import Path

import pytest
from moto import mock_aws
from pydantic import SecretStr

from prefect_omnivideo import LocalVideoStore, S3VideoStore, VideoRequest
from prefect_omnivideo.core.errors import OmniVideoError, StoreError
from prefect_omnivideo.core.records.model import VideoState, stem
from prefect_omnivideo.core.records.repository import Records
from prefect_omnivideo.flows import generate_videos
from prefect_omnivideo.sandbox import Sandbox
from tests.accounts import credentials

pytestmark = pytest.mark.usefixtures("prefect_server")


async def test_a_full_disk_spends_nothing(
    sandbox: Sandbox, store: LocalVideoStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    sandbox.reset()

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StoreError, match="the disk is full"):
        await generate_videos(["x"], credentials(sandbox, "apimart"), store)
    assert sandbox.jobs() == []


async def test_a_missing_bucket_spends_nothing(sandbox: Sandbox) -> None:
    sandbox.reset()
    store = S3VideoStore(
        bucket="no-such-bucket",
        region_name="us-east-1",
        aws_access_key_id="a",
        aws_secret_access_key=SecretStr("b"),
    )
    with mock_aws(), pytest.raises(StoreError, match=r"no-such-bucket.*create it or correct its name"):
        await generate_videos(["x"], credentials(sandbox, "apimart"), store)
    assert sandbox.jobs() == []


@pytest.mark.parametrize("data", [b'{"hello": "world"}', b'{"version": 2}'])
async def test_one_bad_record_holds_up_no_other_video(
    data: bytes, sandbox: Sandbox, store: LocalVideoStore, tmp_path: Path
) -> None:
    sandbox.reset()
    name = f"{stem('batch', VideoRequest(prompt='bad'))}.json"
    records = Records(store.open())
    records.store.put(name, data, content_type="application/json")
    with pytest.raises(OmniVideoError, match=name):
        await generate_videos(["good", "bad", "fine"], credentials(sandbox, "apimart"), store, batch="batch")
    assert sorted(job["prompt"] for job in sandbox.jobs()) == ["fine", "good"]
    for prompt in ("good", "fine"):
        found = records.load("batch", VideoRequest(prompt=prompt))
        assert found is not None
        assert found.record.state is VideoState.STORED
    assert (store.folder / "batch" / "index.html").read_text().count('aria-label="Play ') == 2
