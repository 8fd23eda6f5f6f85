"""A submission's rejection as the error raised to a flow."""

from __future__ import annotations

from prefect_omnivideo.core.errors import (
    BlockedError,
    ModeratedError,
    NoBalanceError,
    NotAcceptedError,
    RateLimitedError,
    RefusedError,
    UnauthorizedError,
    UnavailableError,
    UnreachableError,
)
from prefect_omnivideo.core.gateways.specification import Reason, Rejected

_ERRORS: dict[Reason, type[NotAcceptedError]] = {
    Reason.UNREACHABLE: UnreachableError,
    Reason.BLOCKED: BlockedError,
    Reason.UNAUTHORIZED: UnauthorizedError,
    Reason.NO_MODEL: UnauthorizedError,
    Reason.NO_BALANCE: NoBalanceError,
    Reason.MODERATED: ModeratedError,
    Reason.REFUSED: RefusedError,
}


def rejection_error(rejected: Rejected) -> NotAcceptedError:
    """The error for a submission that was rejected before acceptance."""
    if rejected.reason in (Reason.RATE_LIMITED, Reason.UNAVAILABLE):
        kind = RateLimitedError if rejected.reason is Reason.RATE_LIMITED else UnavailableError
        return kind(rejected.message, http_status=rejected.http_status, retry_after=rejected.retry_after)
    return _ERRORS[rejected.reason](rejected.message, http_status=rejected.http_status)
