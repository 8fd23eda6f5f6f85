"""Which account a submitted video belongs to, and checks of a record that needs no submission."""

from __future__ import annotations

from prefect_omnivideo.core.client.account import Account
from prefect_omnivideo.core.errors import JobError, JobFailedError, SubmissionUnknownError
from prefect_omnivideo.core.records.model import VideoRecord, VideoState
from prefect_omnivideo.core.reports.wording import how_to_decide
from prefect_omnivideo.core.storage.address import address_of
from prefect_omnivideo.core.storage.base import ObjectStore


def is_owner(record: VideoRecord, account: Account) -> bool:
    """Whether the account is the one that submitted the video."""
    attempt = record.attempt
    return account.is_same(attempt.gateway, attempt.account, attempt.base_url)


def check_owner(record: VideoRecord, account: Account) -> None:
    """Refuse any other account than the one that submitted: it would not find the job, and report it missing.

    Raises:
        JobError: naming the account that is needed.
    """
    if not is_owner(record, account):
        attempt = record.attempt
        raise JobError(
            f"{record.stem} was submitted through the account {attempt.account!r} of {attempt.gateway} at "
            f"{attempt.base_url}, not through {account.name!r} at {account.base_url}. Run again with that account."
        )


def check_hopeful(record: VideoRecord, store: ObjectStore) -> None:
    """Accept a record whose video is in progress or stored.

    Args:
        store: where the record is, for the command that resolves it.

    Raises:
        JobFailedError: the record says that there will be no video.
        SubmissionUnknownError: the record says that the job may or may not exist.
    """
    if record.state is VideoState.UNKNOWN:
        raise SubmissionUnknownError(
            f"The submission of {record.stem} at {record.attempt.started_at:%Y-%m-%d %H:%M:%S %Z} has an unknown "
            f"outcome; it is not sent again. Look for it in the gateway's list of jobs, and decide. "
            f"{how_to_decide(record, *address_of(store))}"
        )
    if record.state is VideoState.FAILED and record.failure:
        raise JobFailedError(record.failure.message, category=record.failure.category)
