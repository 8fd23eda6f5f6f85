"""Collect what a batch has paid for, without its prompts."""

from prefect import flow
from prefect.logging import get_run_logger
from prefect.runtime import flow_run

from prefect_omnivideo.blocks.credentials import GatewayCredentials
from prefect_omnivideo.core.jobs.ownership import is_owner
from prefect_omnivideo.core.jobs.persist import latest
from prefect_omnivideo.core.jobs.submit import settled
from prefect_omnivideo.core.records.model import VideoRecord, VideoState
from prefect_omnivideo.core.records.repository import Records
from prefect_omnivideo.core.reports.report import BatchReport
from prefect_omnivideo.core.threads import on_records
from prefect_omnivideo.flows.batch import as_accounts
from prefect_omnivideo.flows.run.cancelling import report_cancellation
from prefect_omnivideo.flows.run.fan_out import Accounts, fan_out
from prefect_omnivideo.flows.run.naming import batch_from, origin_of_run
from prefect_omnivideo.flows.run.parameters import AnyCredentials, AnyStore, Seconds
from prefect_omnivideo.flows.run.verdict import Outcome
from prefect_omnivideo.flows.video import finish_video
from prefect_omnivideo.tasks.events import announce_video


def _run_name() -> str:
    return f"collect {flow_run.parameters['batch']}"


@flow(name="Collect videos", flow_run_name=_run_name, on_cancellation=[report_cancellation])
async def collect_videos(
    batch: str,
    credentials: AnyCredentials | list[AnyCredentials],
    store: AnyStore,
    deadline: Seconds = 3600,
) -> BatchReport:
    """Bring home every video of a batch that was submitted and is not stored yet. Submits nothing.

    Args:
        batch: Name of the batch, or the template it was made with.
        credentials: The account that submitted the videos, or all accounts that did.
        store: Where the videos and their records are kept.
        deadline: Seconds to wait for each video.

    Returns:
        What became of every video of the batch.

    Raises:
        BatchFailedError: a video failed or has an unknown outcome; the report is in `.report`.
    """
    accounts = as_accounts(credentials)
    name = batch_from(await origin_of_run(), batch)
    records = Records(store.open(), announce_video)
    found = await on_records(lambda: list(records.batch(name)))
    outcome = Outcome(name, records, [record.request for record in found], get_run_logger())

    async def collect(record: VideoRecord, account: GatewayCredentials) -> None:
        async with outcome.of(record.request):
            outcome.add(
                await finish_video(await settled(records, await latest(records, record)), account, store, deadline)
            )

    def owners(record: VideoRecord) -> Accounts:
        """The account that submitted it; the first one tells what is missing when none did."""
        if record.state is VideoState.STORED:
            return frozenset(range(len(accounts)))
        mine = frozenset(i for i, account in enumerate(accounts) if is_owner(record, account.account()))
        return mine or frozenset((0,))

    def give_up(record: VideoRecord, error: Exception) -> None:
        outcome.give_up(record.request, error)

    await fan_out(((record, owners(record)) for record in found), accounts, collect, give_up=give_up)
    return await outcome.conclude()
