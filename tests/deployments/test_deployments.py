"""Every deployment, deployed by the documented command, runs to its end on a worker, against the sandbox."""

import asyncio
import json
from collections import Counter
from collections.abc import Generator
from pathlib import Path

import pytest
import yaml
from prefect import Flow
from prefect.client.schemas.filters import LogFilter, LogFilterFlowRunId
from prefect.client.schemas.objects import FlowRun
from prefect.events.schemas.automations import AutomationCore
from prefect.settings import PREFECT_API_URL, temporary_settings

from prefect_omnivideo import APIMartCredentials, flows
from prefect_omnivideo.core.records.model import VideoRecord, VideoState
from prefect_omnivideo.core.records.repository import Records
from prefect_omnivideo.core.storage.s3 import Bucket
from prefect_omnivideo.sandbox import Sandbox
from prefect_omnivideo.sandbox.s3server import S3Server
from tests.deployments.stage import ROOT, START, Server, Stage, machine, until
from tests.saving import save_unchecked

DEPLOYMENTS = ROOT / "deployments"
AUTOMATIONS = ("crash-zombies", "crash-stranded", "notify-on-failure", "start-with-batch", "publish-chosen")
ENDLESS = "endless [fault:never]"
SHEET_FLOW = "Generate videos from a sheet"


@pytest.fixture(scope="module")
def worker_log(stage: Stage) -> Generator[Path]:
    """Of a worker that runs what these tests start."""
    with machine(stage.server, "worker", limit=10):
        yield stage.server.home / "worker.log"


def test_every_deployment_runs_to_its_end_on_a_worker(stage: Stage, worker_log: Path) -> None:
    server, sandbox, s3 = stage
    billed, stored = _billed(sandbox), _stored(s3)  # by other tests
    with server.client() as client:
        schedules = client.read_deployment_by_name(f"{SHEET_FLOW}/products").schedules
    parameters = {schedule.slug: schedule.parameters for schedule in schedules}
    runs = [
        server.start("Generate videos/ad-hoc", {"prompts": ["ad hoc", {"prompt": "tall", "aspect_ratio": "9:16"}]}),
        server.start(f"{SHEET_FLOW}/daily", {}),
        server.start(f"{SHEET_FLOW}/hourly", {}),
        server.start(f"{SHEET_FLOW}/products", parameters["weekdays"]),
        server.start(f"{SHEET_FLOW}/products", parameters["weekend"]),
        server.start("Generate sharded/long", {}),
        server.start("Collect videos/collect", {"deadline": 5}),
    ]
    ended = [server.ended(run) for run in runs]
    # The sweep takes in what other tests left at the gateways: a job that never ends, where theirs came first.
    swept = "Incomplete" if ENDLESS in {job["prompt"] for job in sandbox.jobs()} else "Completed"
    states = ["Completed"] * 6 + [swept]
    problems = [f"{run.name}: {run.state}" for run, state in zip(ended, states, strict=True) if run.state_name != state]
    assert not problems, worker_log.read_text()
    today, week, month = (f"{runs[1].expected_start_time:{form}}" for form in ("%Y-%m-%d", "%G-W%V", "%Y-%m"))
    assert sorted(run.name for run in ended) == sorted(
        [
            "2 prompts: ad hoc",
            f"sheet {today}.csv for daily/{today}",
            "sheet inbox.csv for inbox",
            f"sheet products-tall.yaml for tall/{week}",
            f"sheet products-wide.yaml for wide/{week}",
            ended[5].name,
            "collect all batches",
        ]
    )
    products = Counter(f"{product} in {style}" for product in ("mug", "cup") for style in ("noir", "clay"))
    bill = _billed(sandbox) - billed
    assert bill == products + products + Counter(["ad hoc", "tall", "daily one", "daily two", "inbox one", "long one"])
    folders = Counter(key.rpartition("/")[0] for key in _stored(s3) - stored if key.endswith(".mp4"))
    assert folders == {
        str(runs[0].id): 2,
        f"daily/{today}": 2,
        "inbox": 1,
        f"tall/{week}": 4,
        f"wide/{week}": 4,
        f"long/{month}": 1,
    }
    with server.client() as client:
        runs_as_json = [run.model_dump_json() for run in client.read_flow_runs()]
    assert not any(sandbox.key in text for text in runs_as_json)


def test_deployments_hold_references_and_schedules_of_their_own(stage: Stage) -> None:
    server, sandbox, s3 = stage
    with server.client() as client:
        found = {d.name: d for d in client.read_deployments() if d.name != "laptop"}
    text = json.dumps([deployment.model_dump(mode="json") for deployment in found.values()])
    assert not any(secret in text for secret in (sandbox.key, s3.secret_access_key))
    assert all(
        deployment.parameters["store"] == {"$ref": {"block_document_slug": "s3-video-store/prod"}}
        for deployment in found.values()
    )
    assert not any(deployment.pull_steps for deployment in found.values())
    assert all(deployment.work_pool_name == "videos" for deployment in found.values())
    schedules = {name: {s.slug: s.active for s in deployment.schedules} for name, deployment in found.items()}
    assert schedules == {
        "ad-hoc": {},
        "daily": {"morning": True},
        "hourly": {"every-hour": True},
        "products": {"weekdays": True, "weekend": True},
        "long": {},
        "collect": {"every-hour": True},
        "choose": {},
        "resolve": {},
        "shard": {},
    }
    strategies = {name: d.concurrency_options and d.concurrency_options.collision_strategy for name, d in found.items()}
    queued = dict.fromkeys(("ad-hoc", "daily", "products", "long"), "ENQUEUE")
    assert strategies == {
        **queued,
        "hourly": "CANCEL_NEW",
        "collect": "CANCEL_NEW",
        "resolve": None,
        "choose": None,
        "shard": None,
    }


def test_schedules_make_runs(stage: Stage) -> None:
    """With a SQLAlchemy that Prefect does not know, the server says nothing and schedules nothing."""
    with stage.server.client() as client:
        daily = client.read_deployment_by_name(f"{SHEET_FLOW}/daily")

        def scheduled() -> bool:
            return any(run.deployment_id == daily.id and run.auto_scheduled for run in client.read_flow_runs(limit=200))

        client.resume_deployment(daily.id)
        try:
            until(scheduled, START)
        finally:
            client.pause_deployment(daily.id)


def test_automations_are_created_by_the_documented_command(stage: Stage) -> None:
    zombies, *others = (DEPLOYMENTS / "automations" / f"{name}.yaml" for name in AUTOMATIONS)
    stage.server.prefect("automation", "create", "--from-file", str(zombies.relative_to(ROOT)))
    with stage.server.client() as client:
        for path in others:  # as the command does; each start of it costs seconds
            client.request(
                "POST",
                "/automations/",
                json=AutomationCore.model_validate(yaml.safe_load(path.read_text())).model_dump(mode="json"),
            )
        there = {automation["name"] for automation in client.request("POST", "/automations/filter", json={}).json()}
    assert there >= {yaml.safe_load(path.read_text())["name"] for path in (zombies, *others)}


def test_the_automations_name_the_flows_there_are() -> None:
    for file in ("crash-zombies.yaml", "crash-stranded.yaml", "notify-on-failure.yaml"):
        named = yaml.safe_load((DEPLOYMENTS / "automations" / file).read_text())["trigger"]["match_related"]
        there = {flow.name for name in flows.__all__ if isinstance(flow := getattr(flows, name), Flow)}
        assert set(named["prefect.resource.name"]) == there


def test_a_cancelled_run_says_what_goes_on_and_leaves_it_to_be_collected(stage: Stage, worker_log: Path) -> None:
    """The process is stopped while a job runs; the worker then tells what the gateway still bills."""
    server, sandbox, s3 = stage
    run = server.start("Generate videos/ad-hoc", {"prompts": [ENDLESS], "batch": "cancelled"})
    until(lambda: ENDLESS in [job["prompt"] for job in sandbox.jobs()], START)
    until(lambda: _records(s3, "cancelled")[0].state == VideoState.SUBMITTED, START)
    server.cancel(run)
    ended = server.ended(run)
    until(lambda: "continues and is billed" in worker_log.read_text(), START)
    assert ended.state_name == "Cancelled"
    (record,) = _records(s3, "cancelled")
    assert record.state == VideoState.SUBMITTED
    assert str(record.attempt.task_id) in worker_log.read_text()
    assert [job["prompt"] for job in sandbox.jobs()].count(ENDLESS) == 1


def test_log_and_state_of_a_run_on_a_worker_name_block_and_reason(stage: Stage, worker_log: Path) -> None:
    server = stage.server
    with temporary_settings({PREFECT_API_URL: server.api}):
        identity = asyncio.run(save_unchecked(APIMartCredentials, "broken", {"api_key": "sk very secret"}))
    broken = {"$ref": {"block_document_id": str(identity)}}
    missing = {"$ref": {"block_document_slug": "s3-video-store/nobody"}}
    given = {"prompts": ["x"], "credentials": broken, "store": missing}
    run = server.ended(server.start("Generate videos/ad-hoc", given))
    assert run.state
    assert run.state_name == "Failed"
    for reason in (
        "block apimart-credentials/broken cannot be used: API key: ",
        "block s3-video-store/nobody does not exist: save it under Blocks in the Prefect UI, or choose ",
    ):
        assert reason in str(run.state.message)
        until(lambda reason=reason: reason in _log(server, run), START)
    assert "very secret" not in _log(server, run) + str(run.state) + worker_log.read_text()


def _log(server: Server, run: FlowRun) -> str:
    """What the page of a run shows so far; the server gets the last of it after the state."""
    with server.client() as client:
        found = client.read_logs(LogFilter(flow_run_id=LogFilterFlowRunId(any_=[run.id])))
    return "\n".join(entry.message for entry in found)


def _records(s3: S3Server, batch: str) -> list[VideoRecord]:
    return list(Records(Bucket(s3.client(), "videos")).batch(batch))


def _billed(sandbox: Sandbox) -> Counter[str]:
    return Counter(str(job["prompt"]) for job in sandbox.jobs())


def _stored(s3: S3Server) -> set[str]:
    return {str(item.get("Key")) for item in s3.client().list_objects_v2(Bucket="videos").get("Contents", [])}
