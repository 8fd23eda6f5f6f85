"""A run that waits for an approval has no process: it survives its worker."""

import json
from typing import Any

from prefect.client.schemas.objects import FlowRun

from prefect_omnivideo.core.reports.approval import Answer
from prefect_omnivideo.flows.run.asking import TIMES_OUT
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
