"""What the page of a deployment's run shows when a block, or another parameter, cannot be used."""

import asyncio

from prefect.client.schemas.filters import LogFilter, LogFilterFlowRunId
from prefect.client.schemas.objects import FlowRun
from prefect.settings import PREFECT_API_URL, temporary_settings

from prefect_omnivideo import APIMartCredentials
from tests.deployments.stage import Server, Stage, machine
from tests.saving import save_unchecked


def log_of(server: Server, run: FlowRun) -> list[str]:
    with server.client() as client:
        found = client.read_logs(LogFilter(flow_run_id=LogFilterFlowRunId(any_=[run.id])))
    return [entry.message for entry in found]


def test_log_and_state_of_a_run_on_a_worker_name_block_and_reason(stage: Stage) -> None:
    server = stage.server
    with temporary_settings({PREFECT_API_URL: server.api}):
        identity = asyncio.run(save_unchecked(APIMartCredentials, "broken", {"api_key": "sk very secret"}))
    broken = {"$ref": {"block_document_id": str(identity)}}
    missing = {"$ref": {"block_document_slug": "apimart-credentials/nobody"}}
    runs = [
        server.start("Generate videos/ad-hoc", {"prompts": ["x"], "credentials": broken}),
        server.start("Collect videos/collect", {"credentials": [missing]}),
    ]
    with machine(server, "worker", limit=2):
        ended = [server.ended(run) for run in runs]
    reasons = [
        "block apimart-credentials/broken cannot be used: API key: ",
        "block apimart-credentials/nobody does not exist: save it under Blocks in the Prefect UI, or choose ",
    ]
    for run, reason in zip(ended, reasons, strict=True):
        assert run.state is not None
        assert run.state_name == "Failed"
        assert reason in str(run.state.message)
        log = log_of(server, run)
        assert any(message.startswith(reason) for message in log), log
        assert "very secret" not in str(log) + str(run.state)
