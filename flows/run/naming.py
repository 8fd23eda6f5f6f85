"""Names of batches within a flow run."""

from datetime import UTC, datetime

from prefect.runtime import flow_run

from prefect_omnivideo.core.records.batch import batch_name


def batch_of_run(template: str | None) -> str:
    """The batch this flow run works on: the template filled in by the run's scheduled start in UTC, or the run's id.

    The scheduled start, not the clock: a run that starts late, or again, still belongs to its day.

    Raises:
        RequestError: the template is not acceptable.
    """
    return batch_name(template or None, default=str(flow_run.id), moment=moment_of_run())


def moment_of_run() -> datetime:
    """When this flow run was to start, in UTC."""
    return flow_run.scheduled_start_time or datetime.now(UTC)
