"""The Prefect tasks of one gateway, and the store task of all of them.

For use in any flow: `submit` and `poll` per gateway (`nodes`), `store_video` for all. Each task reads and writes the
record in the store, so that running it again never pays again. Task results are not cached: the record holds them.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Coroutine
from functools import cache
from typing import Any, Generic, NamedTuple, TypeVar

from prefect import Task, task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State, TaskRun
from prefect.logging import get_run_logger
from prefect.runtime import flow_run

from prefect_omnivideo.blocks.credentials import GatewayCredentials
from prefect_omnivideo.blocks.stores import VideoStore
from prefect_omnivideo.core.budget.ticket import Ticket
from prefect_omnivideo.core.errors import JobError, JobFailedError, OmniVideoError, StillRunningError
from prefect_omnivideo.core.gateways.continuing import Continuation
from prefect_omnivideo.core.gateways.registry import get_gateway
from prefect_omnivideo.core.gateways.specification import Job
from prefect_omnivideo.core.gateways.words import JobStatus
from prefect_omnivideo.core.jobs.deliver import deliver
from prefect_omnivideo.core.jobs.ownership import check_hopeful, check_owner
from prefect_omnivideo.core.jobs.persist import Log
from prefect_omnivideo.core.jobs.submit import submit as submit_once
from prefect_omnivideo.core.jobs.wait import fail, note, wait
from prefect_omnivideo.core.prices.estimate import Estimate
from prefect_omnivideo.core.records.model import Place, VideoRecord, VideoState
from prefect_omnivideo.core.request import VideoRequest, as_request
from prefect_omnivideo.tasks.events import open_records
from prefect_omnivideo.tasks.plain import without_traceback

logging.getLogger("prefect.task_runs").addFilter(without_traceback)

C = TypeVar("C", bound=GatewayCredentials)
RETRIES = 2
RETRY_DELAYS: list[float] = [5, 30]
"""Seconds before Prefect's retries; they come on top of the client's own."""
NAME_LENGTH = 60

SubmitTask = Task[..., Coroutine[Any, Any, VideoRecord]]
"""See `submit` within `nodes`; a type cannot name its parameters, as the last one is optional."""
PollTask = Task[[VideoRecord, C, VideoStore, float], Coroutine[Any, Any, Job]]


class Nodes(NamedTuple, Generic[C]):
    """The two tasks of a gateway."""

    submit: SubmitTask
    poll: PollTask[C]


@cache
def nodes(credentials_type: type[C]) -> Nodes[C]:
    """The submit and poll tasks for one kind of credentials."""
    gateway = get_gateway(credentials_type._gateway_name)  # pyright: ignore[reportPrivateUsage]  # a block's own
    name = gateway.name if gateway.name.isidentifier() else credentials_type.__module__.rpartition(".")[2]

    async def submit(
        request: VideoRequest | str,
        credentials: GatewayCredentials,
        store: VideoStore,
        batch: str,
        place: Place | None = None,
        expected: Estimate | None = None,
        ticket: Ticket | None = None,
        continues: Continuation | None = None,
    ) -> VideoRecord:
        """Submit one video, at most once within its batch.

        Args:
            request: what to make; a bare prompt leaves the rest to the gateway.
            credentials: the account that pays.
            store: where the record is kept, and later the video.
            batch: the batch the video belongs to; the same request in the same batch is the same video.
            place: where the video is asked for, which orders the report of the batch.
            expected: what it will cost, for its record.
            ticket: what a flow reserves in its budgets for this submission, if it has any.
            continues: the video that a shot of a storyboard continues.

        Returns:
            The record: `submitted`, or the state that an earlier submission has reached.

        Raises:
            RequestError: the gateway does not support the request; nothing was sent.
            NotAcceptedError: the gateway did not accept the job; nothing was spent.
            SubmissionUnknownError: the outcome is unknown; it is not sent again.
            BudgetReachedError: a budget has no room for it; nothing was sent.
            StoreError: the record could not be written, so nothing was sent.
        """
        return await submit_once(
            as_request(request),
            credentials.account(),
            open_records(store),
            batch,
            _logger(),
            flow_run.id,
            place,
            expected=expected,
            ticket=ticket,
            continues=continues,
        )

    async def poll(
        record: VideoRecord, credentials: GatewayCredentials, store: VideoStore, deadline: float = 3600
    ) -> Job:
        """Wait for a submitted video until the gateway has finished it.

        Args:
            record: the record of the submission.
            credentials: the account that submitted it.
            store: where the record is kept; a failure is written there.
            deadline: seconds to wait.

        Returns:
            The finished job with its links; without any when the video is stored already.

        Raises:
            JobFailedError: the gateway made no video, now or in an earlier run.
            JobError: these credentials are not those that submitted it.
            StatusDeniedError: the key may not read the job.
            StillRunningError: the deadline passed; the job still runs and a later run collects it.
        """
        check_hopeful(record, store.open())
        if record.state is VideoState.STORED:
            return Job(record.attempt.task_id or "", JobStatus.SUCCEEDED)
        check_owner(record, credentials.account())
        try:
            return await wait(record, credentials.account(), deadline, _logger())
        except JobFailedError as error:
            await fail(record, open_records(store), error, _logger())
            raise
        except JobError as error:
            # The problem is kept in the record: a later run, or a person, reads it.
            if error.evidence or not isinstance(error, StillRunningError):
                await note(record, open_records(store), error, _logger())
            raise

    return Nodes(
        submit=_node(submit, f"submit_{name}_video", f"Submit {gateway.title} video", _submit_name, _never),
        poll=_node(poll, f"poll_{name}_video", f"Poll {gateway.title} video", _record_name("poll"), _waiting_helps),
    )


async def _store_video(
    record: VideoRecord, job: Job, credentials: GatewayCredentials, store: VideoStore
) -> VideoRecord:
    """Download a finished video into the store, verify it, and update its record.

    Args:
        record: the record of the submission.
        job: the finished job.
        credentials: the account that submitted it; a link that expired is refreshed with it.
        store: where the video goes.

    Returns:
        The record: `stored`.

    Raises:
        TransferError: the video could not be downloaded; it still exists at the gateway.
        StoreError: the store refused it.
    """
    if record.state is VideoState.STORED:
        return record
    check_owner(record, credentials.account())
    account, records = credentials.account(), open_records(store)
    return await deliver(record, job, account, records, _logger(), store.max_video_bytes)


def _waiting_helps(task: Task[Any, Any], run: TaskRun, state: State[Any]) -> bool:
    """Waiting and storing cost nothing: retry, unless the error is permanent or the deadline has passed."""
    error = state.data
    return not isinstance(error, OmniVideoError) or (error.waiting_helps and not isinstance(error, StillRunningError))


def _never(task: Task[Any, Any], run: TaskRun, state: State[Any]) -> bool:
    """Only the client retries a submission, if it was certainly not accepted: two retry layers would multiply."""
    return False


def _submit_name(parameters: dict[str, Any]) -> str:
    credentials: GatewayCredentials = parameters["credentials"]
    return f"{credentials.gateway.title} submit: {_quote(as_request(parameters['request']))}"


def _record_name(verb: str) -> Callable[..., str]:
    def name(parameters: dict[str, Any]) -> str:
        record: VideoRecord = parameters["record"]
        return f"{get_gateway(record.attempt.gateway).title} {verb}: {_quote(record.request)}"

    return name


def _quote(request: VideoRequest) -> str:
    prompt = " ".join(request.prompt.split()) or "a video without a prompt"
    return prompt if len(prompt) <= NAME_LENGTH else prompt[: NAME_LENGTH - 1] + "…"


def _logger() -> Log:
    return get_run_logger()


def _node(
    work: Callable[..., Coroutine[Any, Any, Any]],
    name: str,
    title: str,
    run_name: Callable[..., str],
    retry_condition: Callable[[Task[Any, Any], TaskRun, State[Any]], bool],
) -> Task[Any, Any]:
    work.__name__ = work.__qualname__ = name
    return task(
        name=title,
        task_run_name=run_name,
        retries=RETRIES,
        retry_delay_seconds=RETRY_DELAYS,
        retry_condition_fn=retry_condition,
        cache_policy=NO_CACHE,
        persist_result=False,  # a job holds links that may be signed
    )(work)


store_video: Task[[VideoRecord, Job, GatewayCredentials, VideoStore], Coroutine[Any, Any, VideoRecord]] = _node(
    _store_video, "store_video", "Store video", _record_name("store"), _waiting_helps
)
