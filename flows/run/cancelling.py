"""Hooks for the cancellation of a flow run: its jobs and its shards."""

from collections.abc import Sequence
from typing import Any

from prefect import Flow
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterParentFlowRunId,
    FlowRunFilterState,
    FlowRunFilterStateType,
)
from prefect.client.schemas.objects import FlowRun, State, StateType
from prefect.logging import get_logger
from prefect.logging.loggers import flow_run_logger
from prefect.states import Cancelling

from prefect_omnivideo.blocks import TwelveAICredentials
from prefect_omnivideo.blocks.credentials import GatewayCredentials
from prefect_omnivideo.core.client.pool import connect
from prefect_omnivideo.core.errors import OmniVideoError
from prefect_omnivideo.core.jobs.ownership import is_owner
from prefect_omnivideo.core.jobs.persist import Log, keep, latest
from prefect_omnivideo.core.records.model import VideoRecord, VideoState
from prefect_omnivideo.core.records.repository import Records
from prefect_omnivideo.core.threads import on_records
from prefect_omnivideo.flows.run.accounts import as_accounts
from prefect_omnivideo.flows.run.naming import batch_from, origin_of
from prefect_omnivideo.tasks.events import open_records


async def report_cancellation(flow: Flow[Any, Any], flow_run: FlowRun, state: State[Any]) -> None:
    """Log the jobs that the gateways still process and bill, and cancel them where the credentials say so.

    Runs after the flow run has stopped, so nothing is submitted any more. A job that continues at a gateway stays
    `submitted`: the next run of the batch, or `collect_videos`, downloads its video.
    """
    log = flow_run_logger(flow_run) if flow_run.id else get_logger("omnivideo")
    parameters = flow.validate_parameters(flow_run.parameters)
    accounts, _ = await as_accounts(parameters["credentials"])
    records = open_records(parameters["store"])
    batch = batch_from(await origin_of(flow_run), parameters.get("batch"))
    await report_jobs(flow_run, accounts, records, batch, log)


async def report_jobs(
    flow_run: FlowRun, accounts: Sequence[GatewayCredentials], records: Records, batch: str, log: Log
) -> None:
    """The same for one batch."""
    mine = [
        record
        for record in await on_records(lambda: list(records.batch(batch)))
        if record.attempt.flow_run == str(flow_run.id)
    ]
    for record in mine:
        if record.state is VideoState.SUBMITTING:
            log.warning("%s was being submitted; whether it was accepted is not known yet", record.stem)
        elif record.is_collectable:
            owner = next((account for account in accounts if is_owner(record, account.account())), None)
            log.warning("%s", await _cancel(record, owner, records, log))


async def cancel_shards(flow: Flow[Any, Any], flow_run: FlowRun, state: State[Any]) -> None:
    """Cancel the shards too, wherever they run, so that nothing more is spent.

    Each of them logs the jobs that continue at the gateways.
    """
    alive = [StateType.SCHEDULED, StateType.PENDING, StateType.RUNNING, StateType.PAUSED]
    mine = FlowRunFilter(
        parent_flow_run_id=FlowRunFilterParentFlowRunId(any_=[flow_run.id]),
        state=FlowRunFilterState(type=FlowRunFilterStateType(any_=alive)),
    )
    async with get_client() as client:
        for shard in await client.read_flow_runs(flow_run_filter=mine):
            await client.set_flow_run_state(shard.id, Cancelling())
            flow_run_logger(flow_run).warning(
                "cancelled %s; its log lists the jobs that continue at the gateways", shard.name
            )


async def _cancel(record: VideoRecord, owner: GatewayCredentials | None, records: Records, log: Log) -> str:
    """Cancel one job where its credentials say so. Returns one sentence about the result."""
    attempt = record.attempt
    job = f"{record.stem} (task {attempt.task_id} of account {attempt.account})"
    goes_on = f"{job} continues and is billed; the next run of batch {record.batch} collects it"
    if not (isinstance(owner, TwelveAICredentials) and owner.cancel_remote_jobs):
        return goes_on
    try:
        async with connect(owner.account()) as client:
            job_now = await client.status(str(attempt.task_id), attempt.submit_path)
            if job_now.status.is_final:
                return f"{job} had ended as {job_now.status}; the next run of batch {record.batch} collects it"
            confirmed = await client.cancel(str(attempt.task_id), attempt.submit_path)
    except OmniVideoError as error:
        return f"{goes_on} ({error})"
    if not confirmed:
        return f"{goes_on}; {owner.gateway.title} did not confirm that it is cancelled"
    said = f"cancelled at {owner.gateway.title}, which does not say whether it refunds"

    def step(latest: VideoRecord) -> VideoRecord | None:
        return latest.failed("cancelled", said) if latest.awaits(attempt.task_id) else None

    await keep(records, await latest(records, record), step, log)
    return f"{job}: {said}"
