"""A run that is cancelled right after the gateway accepted its job: the task id is in the record all the same."""

import subprocess
import sys
from pathlib import Path

from prefect_omnivideo.core.records.model import VideoState
from prefect_omnivideo.core.records.repository import Records
from prefect_omnivideo.core.request import VideoRequest
from prefect_omnivideo.core.storage.folder import Folder
from prefect_omnivideo.sandbox import Sandbox

RUN = """
import asyncio, logging, sys, time

from prefect_omnivideo import APIMartCredentials, VideoRequest
from prefect_omnivideo.core import threads
from prefect_omnivideo.core.client.client import GatewayClient
from prefect_omnivideo.core.jobs.submit import submit
from prefect_omnivideo.core.records.repository import Records
from prefect_omnivideo.core.storage.folder import Folder

base_url, key, folder = sys.argv[1:]
logging.basicConfig(level=logging.INFO)


class Slow(Folder):
    def replace(self, *args, **kwargs):
        time.sleep(1)
        return super().replace(*args, **kwargs)


async def main():
    account = APIMartCredentials(api_key=key, base_url=base_url).account()
    accepted = asyncio.Event()
    post = GatewayClient.submit

    async def told(*args, **kwargs):
        job = await post(*args, **kwargs)
        for _ in range(64):  # the record threads are busy
            threads._records.submit(time.sleep, 0.2)
        accepted.set()
        return job

    GatewayClient.submit = told
    run = asyncio.create_task(
        submit(VideoRequest(prompt="a red apple"), account, Records(Slow(folder)), "batch", logging.getLogger())
    )
    await accepted.wait()
    run.cancel()


asyncio.run(main())
"""


def test_the_task_id_outlives_the_event_loop(sandbox: Sandbox, tmp_path: Path) -> None:
    sandbox.reset()
    ran = subprocess.run(
        [sys.executable, "-c", RUN, sandbox.base_url("apimart"), sandbox.key, str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    [job] = sandbox.jobs()
    found = Records(Folder(tmp_path)).load("batch", VideoRequest(prompt="a red apple"))
    assert found is not None
    assert (found.record.state, found.record.attempt.task_id) == (VideoState.SUBMITTED, job["id"])
    assert f"has the task id {job['id']}" in ran.stderr
    assert "Traceback" not in ran.stderr
