"""A machine dies in the middle of a sharded batch: another one collects what was paid for, and pays for nothing again.

`python -m bench.workers` plays the same with PostgreSQL, more of everything, and the automation.
"""

import time
from collections import Counter

from prefect.settings import PREFECT_API_URL, temporary_settings
from prefect.states import Crashed

from prefect_omnivideo.core.records.model import VideoState
from prefect_omnivideo.core.records.repository import Records
from prefect_omnivideo.core.storage.s3 import Bucket
from prefect_omnivideo.sandbox import Settings, running
from tests.accounts import credentials
from tests.deployments.stage import START, Stage, machine, until

PROMPTS = [f"shard prompt {number:02}" for number in range(6)]
SHARD_SIZE = 3
LATENCY = 1000.0
"""Seconds; they pass all at once, after the machine has died."""


def test_what_a_dead_machine_had_submitted_is_collected_by_another(stage: Stage) -> None:
    server, _, s3 = stage
    records, ahead = Records(Bucket(s3.client(), "videos")), 0.0
    s3.client().put_object(Bucket="videos", Key="sheets/shards.csv", Body="\n".join(["prompt", *PROMPTS]).encode())
    with (
        running(Settings(latency=LATENCY), clock=lambda: time.time() + ahead) as sandbox,
        machine(server, "first", limit=2) as first,
        machine(server, "second", limit=2) as second,
    ):
        with temporary_settings({PREFECT_API_URL: server.api}):
            credentials(sandbox, "sora").save("shards")
        account = {"$ref": {"block_document_slug": "sora-credentials/shards"}}
        parameters = {"sheet": "s3://videos/sheets/shards.csv", "batch": "shards", "credentials": account}
        parent = server.start("Generate sharded/long", {**parameters, "shard_size": SHARD_SIZE})
        until(lambda: [r.state for r in records.batch("shards")] == [VideoState.SUBMITTED] * len(PROMPTS), START)
        victim = second if first.has(server.read(parent)) else first
        lost = [run for run in server.children(parent) if victim.has(run)]
        victim.die()
        assert lost, "the other has room for one of the two shards alone"
        with server.client() as client:  # as the automation in crash-zombies.yaml does, after 90 seconds
            for run in lost:
                client.set_flow_run_state(run.id, Crashed(), force=True)
        ahead = LATENCY
        ended = server.ended(parent)
        runs = server.children(parent)
        log = (server.home / "first.log").read_text() + (server.home / "second.log").read_text()
        assert ended.state_name == "Completed", log
        assert Counter(run.state_name for run in runs) == {"Completed": 2, "Crashed": len(lost)}
        assert Counter(job["prompt"] for job in sandbox.jobs()) == Counter(PROMPTS)
        assert [r.state for r in records.batch("shards")] == [VideoState.STORED] * len(PROMPTS)
