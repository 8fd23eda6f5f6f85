"""How a flow run ends that does not have every video in the store, or could not begin."""

from collections.abc import Callable, Coroutine
from functools import wraps
from typing import Any, ParamSpec, TypeVar, cast

from prefect.context import FlowRunContext
from prefect.logging import get_run_logger
from prefect.states import Completed, Failed

from prefect_omnivideo.core.errors import BudgetReachedError, OmniVideoError
from prefect_omnivideo.core.records.model import VideoRecord, VideoState
from prefect_omnivideo.core.reports.approval import Answer
from prefect_omnivideo.core.reports.report import BatchReport

P = ParamSpec("P")
T = TypeVar("T")

INCOMPLETE = "Incomplete"
"""Name of the state, of the type Failed, of a run with paid videos that are not stored yet."""

BUDGET_REACHED = "Budget reached"
"""Name of the state, of the type Failed, of a run that left videos out as a budget is reached."""
TRIAL_MADE = "Trial made"
"""Name of the state, of the type Failed, of a run that a person approved only the first videos of."""
STOPPED = "Stopped"
"""Name of the state, of the type Failed, of a run that nobody approved: it submitted nothing."""


class BatchFailedError(OmniVideoError):
    """Some videos of a batch failed or have an unknown outcome. The others are stored.

    Attributes:
        report: the outcome of every video.
    """

    def __init__(self, message: str, report: BatchReport) -> None:
        super().__init__(message)
        self.report = report


class BatchIncompleteError(BatchFailedError):
    """Some videos of a batch were paid for and are not in the store yet; others may have failed.

    The next run of the batch continues with them, and so does `collect_videos`.
    """

    waiting_helps = True


class BatchStoppedError(BatchFailedError):
    """Videos were left out as a budget is reached, or as nobody approved them. Nothing was sent for them."""


class VideoIncompleteError(OmniVideoError):
    """A video was paid for and is not in the store yet; the reason is the cause of this error."""

    waiting_helps = True


class VideoStoppedError(OmniVideoError):
    """Nobody approved a video. Nothing was sent for it."""


def is_open(record: VideoRecord) -> bool:
    """Whether the video may still be stored: not stored, not failed, and not waiting for a person's decision."""
    return record.state not in (VideoState.STORED, VideoState.FAILED, VideoState.UNKNOWN)


def ends_plainly(work: Callable[P, Coroutine[Any, Any, T]]) -> Callable[P, Coroutine[Any, Any, T]]:
    """Make the flow run's state tell how it ended: with what, where the report is, and whether work is left.

    Runs that are incomplete, and those that a budget or a person stopped, get a state of their own. An error is a
    message without a traceback, which would bury what to do. Python callers of the flow still get the report, or the
    error.
    """

    @wraps(work)
    async def run(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            result = await work(*args, **kwargs)
        except OmniVideoError as error:
            inner = error.__cause__ if isinstance(error, VideoIncompleteError) else None
            if not _is_last_try(error):
                if inner:
                    raise inner from None
                raise
            _log(error)
            return cast("T", Failed(name=_name_of(error), message=str(error), data=cast("Any", inner or error)))
        if isinstance(result, BatchReport) and result.records and FlowRunContext.get():
            return cast("T", Completed(message=f"{result.summary()}{whereabouts(result)}", data=cast("Any", result)))
        return result

    return run


def whereabouts(report: BatchReport) -> str:
    """The end of a message: where people find the gallery; empty if none was written."""
    return f" Report: {report.gallery}" if report.gallery else ""


def _log(error: OmniVideoError) -> None:
    log = get_run_logger()
    log.debug("where it was raised:", exc_info=error)
    if "\n" in str(error):  # Prefect logs the state too, but on one line
        log.error("%s", error)


def _name_of(error: OmniVideoError) -> str | None:
    """The name of the state; None: Failed."""
    if isinstance(error, BatchIncompleteError | VideoIncompleteError):
        return INCOMPLETE
    if isinstance(error, VideoStoppedError):
        return STOPPED
    if isinstance(error, BatchStoppedError) and error.report.approval and not error.report.left_out:
        return STOPPED if error.report.approval.answer is Answer.STOP else TRIAL_MADE
    return BUDGET_REACHED if isinstance(error, BatchStoppedError | BudgetReachedError) else None


def _is_last_try(error: OmniVideoError) -> bool:
    """Whether Prefect treats a returned state as final: it retries only after an error.

    Where a budget is reached, or approval is missing, it need not try again.
    """
    context = FlowRunContext.get()
    if context is None or context.flow_run is None:
        return False
    if _name_of(error) in (BUDGET_REACHED, TRIAL_MADE, STOPPED):
        return True
    return context.flow_run.run_count > (context.flow_run.empirical_policy.retries or 0)
