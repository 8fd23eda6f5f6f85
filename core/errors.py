"""Everything that can go wrong with a video, in one tree.

    OmniVideoError
    ├── RequestError              the request breaks a documented rule; nothing was sent
    ├── BudgetReachedError        a budget has no room for the video; nothing was sent
    ├── AccountRestsError         the account kept failing and rests; nothing was sent  (waiting helps)
    ├── NotAcceptedError          the gateway certainly did not accept the job: nothing was spent
    │   ├── UnreachableError        no connection was made               (safe to send again)
    │   ├── RateLimitedError        429: too fast                       (safe to send again)
    │   ├── UnavailableError        503: no capacity                    (safe to send again)
    │   ├── BlockedError            something in front of the gateway answered
    │   ├── UnauthorizedError       the key is wrong or not allowed
    │   ├── NoBalanceError          no money, quota or credit left
    │   ├── ModeratedError          the content filter refused the request
    │   └── RefusedError            any other clean refusal
    ├── SubmissionUnknownError    the request was sent and it cannot be known whether the job exists
    ├── JobError                  the job was accepted
    │   ├── StatusUnavailableError  its status could not be read for now   (waiting helps)
    │   ├── StatusDeniedError       the key may not read the job, which still runs
    │   ├── StillRunningError       the deadline passed, the job still runs (waiting helps)
    │   ├── OutOfSightError         the gateway says it does not know the job
    │   └── JobFailedError          the gateway says it failed or was cancelled
    ├── TransferError             a finished video could not be downloaded (waiting helps)
    │   ├── LinkExpiredError        its link is no longer valid: poll again for a new one
    │   └── NotAVideoError          the bytes are not a video
    └── StoreError                the store refused, or holds something unreadable
        ├── StoreUnavailableError   it cannot be reached or has no capacity for now (waiting helps)
        └── RecordConflictError     another writer changed the record first

Three class attributes answer a caller's three questions:

- `safe_to_resend`: sending the same request again cannot pay twice.
- `may_have_cost`: money may have been spent on the job.
- `waiting_helps`: the same step may succeed later without any change.

Messages say what happened, to which job, and what to do next. None ever holds a key.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Literal, NamedTuple

from prefect_omnivideo.core.exchange import Exchange
from prefect_omnivideo.core.money.amount import Amount

FailureCategory = Literal[
    "refused", "moderated", "no balance", "unauthorized", "gateway error", "cancelled", "expired", "abandoned"
]


PROBLEMS_SHOWN = 30
"""Broken rules, or bad rows and prompts, that a message lists; `RequestError.problems` has them all."""


class Problem(NamedTuple):
    """One broken rule of a request."""

    field: str
    """The field as the caller wrote it, dotted for nested ones; empty if the rule is about the whole."""
    rule: str
    """What is wrong, with the given value."""
    accepted: str = ""
    """What would be accepted instead; empty if the rule is enough."""
    item: str = ""
    """Which of many requests it is, such as `row 7`; empty if there is one."""

    def __str__(self) -> str:
        return (
            (f"{self.field}: " if self.field else "")
            + self.rule
            + (f" (accepted: {self.accepted})" if self.accepted else "")
        )


class OmniVideoError(Exception):
    """Base of every error this package raises on purpose."""

    safe_to_resend: ClassVar[bool] = False
    may_have_cost: ClassVar[bool] = False
    waiting_helps: ClassVar[bool] = False

    def __reduce__(self) -> tuple[object, ...]:
        """Pickle through the instance's state: keyword arguments would be lost otherwise."""
        return _rebuild, (type(self), self.args, self.__dict__)


def _rebuild(kind: type[OmniVideoError], args: tuple[object, ...], state: dict[str, object]) -> OmniVideoError:
    error = kind.__new__(kind)
    error.args = args
    error.__dict__.update(state)
    return error


class RequestError(OmniVideoError, ValueError):
    """The request breaks a documented rule of the gateway. Raised before anything is sent.

    Attributes:
        problems: every broken rule, each with field, rule and what would be accepted.
    """

    safe_to_resend = True

    def __init__(self, problems: Sequence[Problem], *, subject: str = "request") -> None:
        self.problems = tuple(problems)
        self.subject = subject
        super().__init__(f"{subject} not acceptable:{_listed(self.problems)}")


def _listed(problems: Sequence[Problem]) -> str:
    """The problems in one line, or one line for each of many requests."""
    items: dict[str, list[str]] = {}
    for problem in problems:
        items.setdefault(problem.item, []).append(str(problem))
    if list(items) == [""]:
        return f" {'; '.join(_first(items[''], 'problems'))}"
    lines = [f"{item}: {'; '.join(said)}" for item, said in items.items()]
    return "".join(f"\n{line}" for line in _first(lines, "with problems"))


def _first(shown: list[str], what: str) -> list[str]:
    more = [f"and {len(shown) - PROBLEMS_SHOWN} more {what}"] if len(shown) > PROBLEMS_SHOWN else []
    return shown[:PROBLEMS_SHOWN] + more


def refuse(field: str, rule: str, accepted: str = "", *, subject: str = "request") -> RequestError:
    """The error for one broken rule; see `Problem` and `RequestError`."""
    return RequestError([Problem(field, rule, accepted)], subject=subject)


class BudgetReachedError(OmniVideoError):
    """A budget has no room for the video; nothing was sent. One with a higher limit, or of a later period, may have."""

    safe_to_resend = True


class AccountRestsError(OmniVideoError):
    """Every account that could make the video kept failing, and rests for a while; nothing was sent."""

    safe_to_resend = True
    waiting_helps = True


class NotAcceptedError(OmniVideoError):
    """The gateway certainly did not accept the job: nothing was spent.

    Attributes:
        category: how the record classifies it.
        http_status: the status of the answer, or None if there was none.
    """

    category: ClassVar[FailureCategory] = "refused"

    def __init__(self, message: str, *, http_status: int | None = None) -> None:
        super().__init__(message)
        self.http_status = http_status


class UnreachableError(NotAcceptedError):
    """No connection to the gateway was made: DNS, refused, TLS, or connect timeout."""

    category = "gateway error"
    safe_to_resend = True
    waiting_helps = True


class RateLimitedError(NotAcceptedError):
    """The gateway answered 429.

    Attributes:
        retry_after: seconds the gateway asks to wait, or None if it does not say.
    """

    category = "gateway error"
    safe_to_resend = True
    waiting_helps = True

    def __init__(self, message: str, *, http_status: int | None = 429, retry_after: float | None = None) -> None:
        super().__init__(message, http_status=http_status)
        self.retry_after = retry_after


class UnavailableError(RateLimitedError):
    """The gateway answered 503: it has no capacity or no channel for the model now."""


class BlockedError(NotAcceptedError):
    """A firewall, or another site at a wrong base URL, answered in place of the gateway."""

    category = "gateway error"


class UnauthorizedError(NotAcceptedError):
    """The gateway does not accept the key, or the key may not use this model."""

    category = "unauthorized"


class NoBalanceError(NotAcceptedError):
    """The account has no balance, quota or credit left."""

    category = "no balance"


class ModeratedError(NotAcceptedError):
    """The gateway's content filter refused the request. Sending it again does not help."""

    category = "moderated"


class RefusedError(NotAcceptedError):
    """The gateway refused the request for a reason it names."""


class SubmissionUnknownError(OmniVideoError):
    """The request was sent and its outcome cannot be known: it may have been accepted and billed.

    Never retried automatically. Check the gateway's own task list, then decide with `omnivideo resolve`.
    """

    may_have_cost = True


class JobError(OmniVideoError):
    """A problem with a job that was accepted.

    Attributes:
        evidence: the last answers about it, redacted; empty if they are as documented.
    """

    may_have_cost = True

    def __init__(self, message: str, *, evidence: tuple[Exchange, ...] = ()) -> None:
        super().__init__(message)
        self.evidence = evidence


class StatusUnavailableError(JobError):
    """The job's status could not be read for now. The job itself still runs.

    Attributes:
        retry_after: seconds the gateway asks to wait, or None if it does not say.
        not_found: the gateway says in documented words that it does not know the task.
    """

    waiting_helps = True

    def __init__(
        self,
        message: str,
        *,
        retry_after: float | None = None,
        not_found: bool = False,
        evidence: tuple[Exchange, ...] = (),
    ) -> None:
        super().__init__(message, evidence=evidence)
        self.retry_after = retry_after
        self.not_found = not_found


class StatusDeniedError(JobError):
    """The gateway does not let this key read the job's status. The job itself still runs."""


class StillRunningError(JobError):
    """The deadline passed and the job still runs: not a failure. A later run collects it."""

    waiting_helps = True


class OutOfSightError(JobError):
    """The gateway says repeatedly that it does not know the job. The record is kept: a later run checks again."""


class JobFailedError(JobError):
    """The gateway says in words it documents that there will be no video.

    Attributes:
        category: how the record classifies it.
        cost: what the gateway says it charged anyway.
    """

    def __init__(
        self,
        message: str,
        *,
        category: FailureCategory,
        cost: Amount | None = None,
        evidence: tuple[Exchange, ...] = (),
    ) -> None:
        super().__init__(message, evidence=evidence)
        self.category: FailureCategory = category
        self.cost = cost


class TransferError(OmniVideoError):
    """A finished video could not be downloaded. The video still exists at the gateway."""

    may_have_cost = True
    waiting_helps = True


class LinkExpiredError(TransferError):
    """The link was answered with 403, 404 or 410, or has expired: a status query gives a new one."""


class NotAVideoError(TransferError):
    """The link's content is not a video: an error page, an empty file, a wrong container."""


class StoreError(OmniVideoError):
    """The store refused, cannot be reached, or holds something that is not a readable record."""


class StoreUnavailableError(StoreError):
    """The store cannot be reached, or has no capacity, for now."""

    waiting_helps = True


class RecordConflictError(StoreError):
    """Another writer changed the record first. Read it again."""

    waiting_helps = True
