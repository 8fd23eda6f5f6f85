"""The words that gateways, and the vendors behind them, use for where a job stands.

One table for all: a gateway passes on its vendor's words. Sources: docs/gateways.md, Status words.
"""

from __future__ import annotations

import re
from enum import StrEnum


class JobStatus(StrEnum):
    """Where a job stands, in neutral words."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_final(self) -> bool:
        """Whether the job has come to an end, good or bad."""
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
    **dict.fromkeys(_QUEUED, JobStatus.QUEUED),  # unknown is what NOT_START looks like behind new-api
    **dict.fromkeys(_RUNNING, JobStatus.RUNNING),
    **dict.fromkeys(_SUCCEEDED, JobStatus.SUCCEEDED),
    **dict.fromkeys(_FAILED, JobStatus.FAILED),
    **dict.fromkeys(_CANCELLED, JobStatus.CANCELLED),
}

_PREFIX = re.compile(r"^(?:[a-z]+_)*?(?:status|state)_")


def normalise(word: str) -> str:
    """A status word in lower case, with underscores, without the name of its list: TASK_STATUS_SUCCEED is succeed."""
    return _PREFIX.sub("", re.sub(r"[\s-]+", "_", word.strip().lower()))
