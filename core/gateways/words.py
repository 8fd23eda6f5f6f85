"""The status words of gateways and of the vendors behind them.

One table for all: a gateway passes on its vendor's words. Sources: docs/gateways.md, Status words.
"""

from __future__ import annotations

import re
from enum import StrEnum


class JobStatus(StrEnum):
    """A job's status, in neutral words."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_final(self) -> bool:
        """Whether the job has ended, successfully or not."""
        return self in (JobStatus.SUCCEEDED, JobStatus.FAILED, JobStatus.CANCELLED)


def words(text: str) -> frozenset[str]:
    """The words of a text, as a table."""
    return frozenset(text.split())


_QUEUED = words(
    """
    queued queue queueing in_queue pending submitted submit created waiting wait preparing prepare starting
    booting not_start not_started unknown throttled scheduled accepted received init initialized
    """
)
_RUNNING = words(
    """
    processing in_progress running generating progress working rendering dreaming executing started dispatching
    uploading transcoding
    """
)
_SUCCEEDED = words(
    """
    completed complete success succeeded succeed done finished finish ready successful
    """
)
_FAILED = words(
    """
    failed failure fail error errored rejected expired timeout timed_out moderated content_moderated banned
    blocked
    """
)
_CANCELLED = words(
    """
    cancelled canceled cancel aborted revoked terminated
    """
)
STATUSES: dict[str, JobStatus] = {
    "": JobStatus.QUEUED,  # right after the submission (docs/gateways.md, 12AI, Status)
    **dict.fromkeys(_QUEUED, JobStatus.QUEUED),  # unknown is how new-api reports NOT_START
    **dict.fromkeys(_RUNNING, JobStatus.RUNNING),
    **dict.fromkeys(_SUCCEEDED, JobStatus.SUCCEEDED),
    **dict.fromkeys(_FAILED, JobStatus.FAILED),
    **dict.fromkeys(_CANCELLED, JobStatus.CANCELLED),
}

_PREFIX = re.compile(r"^(?:[a-z]+_)*?(?:status|state)_")


def normalise(word: str) -> str:
    """A status word in lower case, with underscores, without its enum's prefix: TASK_STATUS_SUCCEED is succeed."""
    return _PREFIX.sub("", re.sub(r"[\s-]+", "_", word.strip().lower()))
