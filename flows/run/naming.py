"""Where a flow run comes from, and names of batches within it."""

from datetime import UTC, datetime
from typing import NamedTuple

from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import FlowRun, TaskRun
from prefect.context import FlowRunContext, TaskRunContext
from prefect.logging import get_logger
from prefect.runtime import flow_run

from prefect_omnivideo.core.records.batch import BatchName, batch_name

SHARD_TAG = "omnivideo-shard"
"""Tag of a flow run that is a shard; its parent says what is about to be spent, asks for approval, and reports."""
WITHOUT_A_RUN = "without-a-run"
"""The batch of a flow function that is called outside of any run, and without a name for its batch."""


class Origin(NamedTuple):
    """Where a run comes from: the outermost run around it, and its scheduled start, in UTC.

    A retried parent starts new runs of its subflows; the batch name must not change then.
    """

    name: str
    moment: datetime


async def origin_of_run() -> Origin:
    """The origin of the run that this is called in."""
    if (run := FlowRunContext.get()) and run.flow_run:
        return await origin_of(run.flow_run)
    if task := TaskRunContext.get():
        return await _origin_of_task(task.task_run)
    get_logger("omnivideo").warning(
        "called outside of a run: without a name for the batch, all such calls share the batch %r", WITHOUT_A_RUN
    )
    return Origin(WITHOUT_A_RUN, datetime.now(UTC))


async def origin_of(run: FlowRun) -> Origin:
    """The origin of a flow run."""
    if run.parent_task_run_id is None:
        return Origin(str(run.id), run.expected_start_time or datetime.now(UTC))
    async with get_client() as client:
        return await _origin_of_task(await client.read_task_run(run.parent_task_run_id))


async def _origin_of_task(task: TaskRun) -> Origin:
    if task.flow_run_id is None:  # a background task
        return Origin(str(task.id), task.expected_start_time or datetime.now(UTC))
    async with get_client() as client:
        return await origin_of(await client.read_flow_run(task.flow_run_id))


def batch_from(origin: Origin, template: str | None) -> BatchName:
    """The batch that a run works on: the template filled in by the scheduled start in UTC, or the id of the run.

    The scheduled start, not the clock: a run that starts late, or again, still belongs to its day.

    Raises:
        RequestError: the template is not acceptable.
    """
    return batch_name(template or None, default=origin.name, moment=origin.moment)


def moment_of_run() -> datetime:
    """When this flow run was to start, in UTC; for its own name."""
    return flow_run.scheduled_start_time or datetime.now(UTC)
