"""Whether a video may be submitted once more, and to which account: read from its record alone.

What a run remembers is not asked: a run that died and is started again decides the same.
"""

from __future__ import annotations

from prefect_omnivideo.core.client.account import Account, Fallback
from prefect_omnivideo.core.records.model import Attempt, Failure, VideoRecord, VideoState


def may_submit(record: VideoRecord, account: Account | None = None) -> bool:
    """Whether the video may be submitted once more, to this account; None: to any that is of no route.

    Every attempt since a person last released the video must have ended for certain: as one that cost nothing and may
    work later, or, on another account of the same route, in a way in which the route goes on. An account gets no second
    job of a video.
    """
    return record.state is VideoState.FAILED and all(
        attempt.failure is not None
        and (
            attempt.failure.may_resubmit
            or (account is not None and not _is_of(attempt, account) and _goes_on(attempt.failure, account))
        )
        for attempt in _since_release(record)
    )


def may_go_on(record: VideoRecord, account: Account) -> bool:
    """Whether another account of the route may make the video, or somebody has seen to that already."""
    return account.fallback is not None and (
        record.state is not VideoState.FAILED
        or all(
            attempt.failure is not None and (attempt.failure.may_resubmit or _goes_on(attempt.failure, account))
            for attempt in _since_release(record)
        )
    )


def allows(rule: Fallback, failure: Failure) -> bool:
    """Whether a route goes on after an attempt that ended like this.

    A person's decision is none of its ends: neither to abandon a video nor to cancel its job.
    """
    if failure.category in ("abandoned", "cancelled"):
        return False
    return rule.after_moderation or failure.category != "moderated"


def _goes_on(failure: Failure, account: Account) -> bool:
    return account.fallback is not None and allows(account.fallback, failure)


def _is_of(attempt: Attempt, account: Account) -> bool:
    return account.is_same(attempt.gateway, attempt.account, attempt.base_url)


def _since_release(record: VideoRecord) -> tuple[Attempt, ...]:
    """The attempts after the last one that a person released to be sent again."""
    found = [
        number for number, attempt in enumerate(record.attempts, 1) if attempt.failure and attempt.failure.released
    ]
    return record.attempts[max(found, default=0) :]
