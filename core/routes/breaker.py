"""A circuit breaker: an account that keeps failing rests, and comes back after one try that works.

What all workers share of it is one small object for each account that rests; there is none while all is well.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import Enum
from typing import Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from prefect_omnivideo.core.errors import (
    JobFailedError,
    ModeratedError,
    NotAcceptedError,
    RateLimitedError,
    RefusedError,
    SubmissionUnknownError,
    UnavailableError,
)

FAILURES = 5
"""Failures in a row after which an account rests."""
FIRST_REST = 300.0
"""Seconds of its first rest; each one that follows a try in vain is twice as long."""
LONGEST_REST = 3600.0
TRY_SECONDS = 900.0
"""Within this time a try must have ended, or others may try: the process may have died."""


class Phase(Enum):
    """What an account may be given."""

    FREE = "free"
    RESTING = "resting"
    DUE = "due"
    """One try, by whoever is first to claim it."""


class Rest(BaseModel):
    """The rest of an account.

    Attributes:
        until: when it may be tried.
        seconds: how long this rest is.
        why: the last failure.
        trial: the try that was claimed last.
        trial_until: until when that one is waited for.
    """

    model_config = ConfigDict(frozen=True)

    version: Literal[1] = 1
    until: AwareDatetime
    seconds: float = Field(gt=0)
    why: str
    trial: str = ""
    trial_until: AwareDatetime | None = None

    @property
    def ends_at(self) -> datetime:
        """When somebody may try."""
        return max(self.until, self.trial_until or self.until)


def phase(rest: Rest | None, moment: datetime) -> Phase:
    """What an account may be given at a moment."""
    if rest is None:
        return Phase.FREE
    left = (rest.ends_at - moment).total_seconds()
    # Longer than it can be: a clock was wrong. Nobody waits for that.
    return Phase.RESTING if 0 < left <= LONGEST_REST + TRY_SECONDS else Phase.DUE


def resting(before: Rest | None, moment: datetime, why: str) -> Rest:
    """A rest that begins now, after the one before if a try ended it in vain."""
    seconds = min(2 * before.seconds, LONGEST_REST) if before else FIRST_REST
    return Rest(until=moment + timedelta(seconds=seconds), seconds=seconds, why=why)


def tried(rest: Rest, moment: datetime, trial: str) -> Rest:
    """The rest while a try goes on."""
    return rest.model_copy(update={"trial": trial, "trial_until": moment + timedelta(seconds=TRY_SECONDS)})


def untried(rest: Rest) -> Rest:
    """The rest after a try that told nothing."""
    return rest.model_copy(update={"trial": "", "trial_until": None})


def is_about_the_account(error: Exception) -> bool:
    """Whether a failure speaks about the account or its gateway. A refused request and a rate limit do not."""
    if isinstance(error, JobFailedError):
        return error.category in ("gateway error", "no balance", "unauthorized")
    if isinstance(error, RateLimitedError):
        return isinstance(error, UnavailableError)
    if isinstance(error, NotAcceptedError):
        return not isinstance(error, RefusedError | ModeratedError)
    return isinstance(error, SubmissionUnknownError)
