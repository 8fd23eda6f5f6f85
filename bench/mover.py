"""One transfer of one video in a separate process: its time, CPU and memory, without imports."""

from __future__ import annotations

import asyncio
import gc
import io
import json
import logging
import resource
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import boto3.session
import httpx
from boto3.s3.transfer import TransferConfig
from botocore.config import Config
from pydantic import SecretStr

from bench.order import peak_rss
from prefect_omnivideo.blocks import LocalVideoStore, S3VideoStore, SoraCompatibleCredentials
from prefect_omnivideo.core.jobs.deliver import deliver
from prefect_omnivideo.core.jobs.submit import submit
from prefect_omnivideo.core.jobs.wait import wait
from prefect_omnivideo.core.records.repository import Records
from prefect_omnivideo.core.request import VideoRequest
from prefect_omnivideo.core.transfer.transfer import Source, transfer

MIB = 1024 * 1024
PART = 8 * MIB
LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Errand:
    """What to transfer, and where to."""

    how: str
    """`transfer`: ours, the bytes alone. `bare`: the bare script. `life`: submit, wait and deliver, as the flows do."""
    name: str
    base_url: str
    key: str
    link: str = ""
    folder: str = ""
    """Empty: to the bucket."""
    endpoint_url: str = ""
    access_key_id: str = ""
    secret_access_key: str = ""
    bucket: str = ""

    def store(self) -> LocalVideoStore | S3VideoStore:
        """The store, configured as a user would."""
        if self.folder:
            return LocalVideoStore(folder=Path(self.folder))
        return S3VideoStore(
            bucket=self.bucket,
            endpoint_url=self.endpoint_url,
            region_name="us-east-1",
            aws_access_key_id=self.access_key_id,
            aws_secret_access_key=SecretStr(self.secret_access_key),
        )


@dataclass(frozen=True)
class Spent:
    """The cost of a transfer."""

    bytes: int
    wall: float
    """Seconds."""
    cpu: float
    """Seconds."""
    peak_rss: float
    """MiB at the highest, libraries included."""


def by_transfer(errand: Errand) -> int:
    """Ours: hashed, verified, and resumable."""
    source = Source(errand.link, errand.base_url, SecretStr(errand.key))
    return transfer(source, errand.store().open(), errand.name).size


def by_bare_script(errand: Errand) -> int:
    """Nothing but the bytes: httpx into `upload_fileobj` with the same transfer settings, no checksum, no checks."""
    session: Any = boto3.session.Session()
    s3 = session.client(
        "s3",
        endpoint_url=errand.endpoint_url,
        region_name="us-east-1",
        aws_access_key_id=errand.access_key_id,
        aws_secret_access_key=errand.secret_access_key,
        config=Config(request_checksum_calculation="when_required"),
    )
    settings = TransferConfig(
        multipart_threshold=PART, multipart_chunksize=PART, use_threads=False, preferred_transfer_client="classic"
    )
    with httpx.stream("GET", errand.link) as response:
        response.raise_for_status()
        body = io.BufferedReader(_Body(response.iter_raw()), PART)
        s3.upload_fileobj(body, errand.bucket, f"{errand.name}.mp4", Config=settings)
        return response.num_bytes_downloaded


def by_life(errand: Errand) -> int:
    """Everything that is done for one video: paid, waited for, transferred, probed, given a poster, recorded."""
    credentials = SoraCompatibleCredentials(api_key=SecretStr(errand.key), base_url=errand.base_url, poll_seconds=0.1)
    account, records = credentials.account(), Records(errand.store().open())

    async def live() -> int:
        record = await submit(VideoRequest(prompt=errand.name), account, records, errand.name, LOG)
        job = await wait(record, account, 600, LOG)
        return (await deliver(record, job, account, records, LOG)).files[0].size

    return asyncio.run(live())


class _Body(io.RawIOBase):
    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces, self._rest = pieces, b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:
        piece = self._rest or next(self._pieces, b"")
        taken = min(len(buffer), len(piece))
        buffer[:taken], self._rest = piece[:taken], piece[taken:]
        return taken


WAYS = {"transfer": by_transfer, "bare": by_bare_script, "life": by_life}


def main() -> None:
    """Read an errand from standard input, carry it out, and print its cost."""
    errand = Errand(**json.loads(sys.stdin.read()))
    gc.collect()
    before, started = resource.getrusage(resource.RUSAGE_SELF), time.monotonic()
    size = WAYS[errand.how](errand)
    wall, after = time.monotonic() - started, resource.getrusage(resource.RUSAGE_SELF)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    print(json.dumps(asdict(Spent(size, wall, cpu, peak_rss()))), flush=True)


if __name__ == "__main__":
    main()
