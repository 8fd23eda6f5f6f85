"""One video, from a prompt to the store."""

from collections.abc import Sequence

from prefect import flow
from prefect.runtime import flow_run

from prefect_omnivideo.blocks.credentials import GatewayCredentials
from prefect_omnivideo.blocks.stores import VideoStore
from prefect_omnivideo.flows.naming import batch_of_run
from prefect_omnivideo.flows.parameters import AnyCredentials, AnyStore
from prefect_omnivideo.providers.errors import JobError, JobFailedError, SubmissionUnknownError
from prefect_omnivideo.providers.request import VideoRequest, as_request
from prefect_omnivideo.store.record import VideoRecord, VideoState
from prefect_omnivideo.tasks.nodes import nodes, store_video


def _run_name() -> str:
    return f"video: {' '.join(as_request(flow_run.parameters['prompt']).prompt.split())[:60]}"


@flow(name="Generate video", flow_run_name=_run_name)
async def generate_video(
    prompt: str | VideoRequest,
    credentials: AnyCredentials,
    store: AnyStore,
    batch: str | None = None,
    deadline: float = 3600,
) -> VideoRecord:
    """Make one video and keep it in the store.

    Args:
        prompt: What the video shows, or a full request.
        credentials: The account that makes and bills the video.
        store: Where the video and its record are kept.
        batch: Name of the batch, or a template such as daily-{date}. Empty: the id of this run. The same request in
            the same batch is made and paid once.
        deadline: Seconds to wait for the video. One that takes longer is picked up by the next run of the batch.

    Returns:
        The record of the stored video.

    Raises:
        OmniVideoError: why there is no video; see `prefect_omnivideo.providers.errors`.
    """
    return await make_video(as_request(prompt), credentials, [credentials], store, batch_of_run(batch), deadline)


async def make_video(
    request: VideoRequest,
    credentials: GatewayCredentials,
    accounts: Sequence[GatewayCredentials],
    store: VideoStore,
    batch: str,
    deadline: float,
) -> VideoRecord:
    """Submit, wait, store: whichever of these is still to be done.

    Args:
        credentials: the account that submits, if nobody did yet.
        accounts: all accounts of the run; the one that submitted waits and downloads.

    Returns:
        The record of the stored video.
    """
    record = await nodes(type(credentials)).submit(request, credentials, store, batch)
    if record.state is VideoState.SUBMITTED:
        owner = _owner(record, accounts)
        job = await nodes(type(owner)).poll(record, owner, store, deadline)
        record = await store_video(record, job, owner, store)
    if record.state is VideoState.UNKNOWN:
        raise SubmissionUnknownError(
            f"An earlier submission of {record.stem} has an unknown outcome; it is not sent again. "
            f"Settle it with `omnivideo resolve {record.key}`."
        )
    if record.failure is not None and record.state is VideoState.FAILED:
        raise JobFailedError(record.failure.message, category=record.failure.category)
    return record


def _owner(record: VideoRecord, accounts: Sequence[GatewayCredentials]) -> GatewayCredentials:
    """The account that submitted the video: its key and address alone lead to the job."""
    attempt = record.attempt
    for credentials in accounts:
        if credentials.account().is_same(attempt.provider, attempt.account, attempt.base_url):
            return credentials
    raise JobError(
        f"{record.stem} was submitted through the account {attempt.account!r} of {attempt.provider} at "
        f"{attempt.base_url}, which is not among the credentials of this run. Run again with that one."
    )
