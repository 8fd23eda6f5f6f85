"""A run that waits for an approval has no process: it survives its worker, and ends by itself when nobody answers."""

import json
from datetime import timedelta
from typing import Any

from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.objects import FlowRun

from prefect_omnivideo.core.reports.approval import Answer
from prefect_omnivideo.flows.run.asking import TIMES_OUT, times_out
from tests.deployments.stage import FINISH, Server, Stage, machine, until

PROMPTS = ["approved one", "approved two", "approved three"]
DEPLOYMENT = "Generate videos/ad-hoc"


def suspended(server: Server, batch: str) -> FlowRun:
    """A run that waits for an answer, and whose process has ended."""
    parameters: dict[str, Any] = {"prompts": PROMPTS, "batch": batch, "ask_above": "2 videos"}
    run = server.start(DEPLOYMENT, parameters)
    until(lambda: server.read(run).state_name == "Suspended", FINISH)
    return run


def submitted(stage: Stage) -> list[str]:
    return sorted(prompt for job in stage.sandbox.jobs() if (prompt := str(job["prompt"])) in PROMPTS)


def expire_within(client: SyncPrefectClient, time: timedelta) -> None:
    """The automation as a person would have changed it."""
    for found in client.read_automations_by_name(TIMES_OUT):
        client.delete_automation(found.id)
    client.create_automation(times_out(time))


def test_another_worker_goes_on_with_the_answer(stage: Stage) -> None:
    server = stage.server
    with machine(server, "asking", limit=1) as first:
        run = suspended(server, "approval")
        first.die()
    with server.client() as client:
        assert [each.name for each in client.read_automations_by_name(TIMES_OUT)] == [TIMES_OUT]
        given = {"answer": str(Answer.TRIAL), "first": 2, "approved_by": "Ada"}
        client.resume_flow_run(run.id, given)
    assert submitted(stage) == []
    with machine(server, "answered", limit=1):
        ended = server.ended(run)
    assert ended.state_name == "Trial made", ended.state
    assert submitted(stage) == ["approved one", "approved two"]
    kept = json.loads(stage.s3.client().get_object(Bucket="videos", Key="approval/report.json")["Body"].read())
    assert (kept["approval"]["by"], kept["approval"]["first"], kept["held"]) == ("Ada", 2, 1)


def test_without_an_answer_it_ends_as_stopped_and_nothing_is_spent(stage: Stage) -> None:
    server, before = stage.server, submitted(stage)
    with server.client() as client:
        expire_within(client, timedelta(seconds=10))
    with machine(server, "patient", limit=1):
        run = suspended(server, "unanswered")
    ended = server.ended(run)
    assert ended.state_name == "Stopped"
    assert ended.state
    assert ended.state.is_failed()
    assert "Nobody answered within 10 seconds" in str(ended.state.message)
    assert "nothing was spent" in str(ended.state.message)
    assert submitted(stage) == before
