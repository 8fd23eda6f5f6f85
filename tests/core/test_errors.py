"""The error tree: what a caller may conclude from a class, and that errors survive a process boundary."""

from __future__ import annotations

import pickle

import pytest

from prefect_omnivideo.core import errors
from prefect_omnivideo.core.errors import JobFailedError, OmniVideoError, Problem, RequestError

_CLASSES = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, OmniVideoError)]


def _sample(kind: type[OmniVideoError]) -> OmniVideoError:
    if issubclass(kind, RequestError):
        return kind([Problem("size", "wrong", "1280x720")], subject="line 3")
    if issubclass(kind, errors.RateLimitedError):
        return kind("slow down", http_status=503, retry_after=2.5)
    if issubclass(kind, errors.NotAcceptedError):
        return kind("no", http_status=401)
    if issubclass(kind, errors.StatusUnavailableError):
        return kind("later", retry_after=3.0, not_found=True)
    if issubclass(kind, JobFailedError):
        return kind("gone", category="expired")
    return kind("boom")


@pytest.mark.parametrize("kind", _CLASSES, ids=lambda kind: kind.__name__)
def test_every_class_survives_pickling(kind: type[OmniVideoError]) -> None:
    error = _sample(kind)
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is kind
    assert str(again) == str(error)
    assert again.__dict__ == error.__dict__


def test_what_may_be_sent_again() -> None:
    """Only what surely cost nothing, and only where sending again may help."""
    assert {kind.__name__ for kind in _CLASSES if kind.safe_to_resend} == {
        "RequestError",
        "BudgetReachedError",
        "AccountRestsError",
        "UnreachableError",
        "RateLimitedError",
        "UnavailableError",
    }


def test_what_may_have_cost() -> None:
    assert {kind.__name__ for kind in _CLASSES if kind.may_have_cost} == {
        "SubmissionUnknownError",
        "JobError",
        "StatusUnavailableError",
        "StatusDeniedError",
        "StillRunningError",
        "OutOfSightError",
        "JobFailedError",
        "TransferError",
        "LinkExpiredError",
        "NotAVideoError",
    }


def test_nothing_is_both_resendable_and_possibly_paid() -> None:
    assert not [kind for kind in _CLASSES if kind.safe_to_resend and kind.may_have_cost]


def test_a_request_error_names_every_problem() -> None:
    error = RequestError([Problem("size", "wrong", "1280x720"), Problem("prompt", "missing")], subject="line 3")
    assert str(error) == "line 3 not acceptable: size: wrong (accepted: 1280x720); prompt: missing"
    assert isinstance(error, ValueError)
