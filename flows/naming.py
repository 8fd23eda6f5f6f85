"""Names of batches within a flow run."""

from datetime import UTC, datetime

from prefect.runtime import flow_run

from prefect_omnivideo.store.batch import batch_name


def batch_of_run(template: str | None) -> str:
    """The batch this flow run works on: the template filled in by the run's scheduled start in UTC, or the run's id.

    The scheduled start, not the clock: a run that starts late, or again, still belongs to its day.

    Raises:
        RequestError: the template is not acceptable.
    """
    moment = flow_run.scheduled_start_time or datetime.now(UTC)
    return batch_name(template or None, default=str(flow_run.id), moment=moment)
