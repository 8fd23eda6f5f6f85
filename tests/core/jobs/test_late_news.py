"""News that comes late, to a record that has moved on: nothing goes back, and no job takes another's place."""

import logging
from pathlib import Path
from typing import Any

import pytest

from prefect_omnivideo.core.errors import JobFailedError, StoreUnavailableError
from prefect_omnivideo.core.jobs.deliver import deliver
from prefect_omnivideo.core.jobs.submit import submit
from prefect_omnivideo.core.jobs.wait import fail, wait
from prefect_omnivideo.core.records import resolve as settle
from prefect_omnivideo.core.records.model import VideoState, now
from prefect_omnivideo.core.records.repository import Records
from prefect_omnivideo.core.request import VideoRequest
from prefect_omnivideo.core.storage.folder import Folder
from prefect_omnivideo.sandbox import Sandbox
from tests.accounts import credentials

BATCH = "batch"
REQUEST = VideoRequest(prompt="a red apple")


class LosesAnAnswer(Folder):
    """Writes the task id, fails to say so, and by the next try somebody else has seen the job fail."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.answers_to_lose = 1

    def replace(self, name: str, data: bytes, version: str, **kwargs: Any) -> str:
        written = super().replace(name, data, version, **kwargs)
        if self.answers_to_lose:
            self.answers_to_lose -= 1
            others = Records(Folder(self.path))
            current = others.get(name)
            assert current is not None
            others.save(current.record.failed("moderated", "the filter refused it"), current.etag)
            raise StoreUnavailableError("the answer was lost")
        return written


async def test_a_write_whose_answer_was_lost_does_not_turn_back_time(
    sandbox: Sandbox, tmp_path: Path, log: logging.Logger
) -> None:
    Folder(tmp_path).prove()
    records = Records(LosesAnAnswer(tmp_path))
    record = await submit(REQUEST, credentials(sandbox, "apimart").account(), records, BATCH, log)
    assert record.state is VideoState.FAILED
    assert record.attempt.task_id == sandbox.jobs()[-1]["id"]
    assert len(record.attempts) == 1


async def test_the_end_of_an_old_job_is_not_that_of_the_new_one(
    sandbox: Sandbox, records: Records, log: logging.Logger
) -> None:
    """A slow worker still watches a job that was given up; its end must not touch the one that was paid after it."""
    account = credentials(sandbox, "apimart").account()
    old = await submit(REQUEST, account, records, BATCH, log)
    job = await wait(old, account, 10, log)
    settle.abandon(records, REQUEST.key, BATCH)
    settle.resubmit(records, REQUEST.key, BATCH)
    new = await submit(REQUEST, account, records, BATCH, log)
    assert new.attempt.task_id != old.attempt.task_id
    assert await fail(old, records, JobFailedError("gone", category="expired"), log) == new
    assert await deliver(old, job, account, records, log) == new
    delivered = await deliver(new, await wait(new, account, 10, log), account, records, log)
    assert delivered.state is VideoState.STORED
    with records.store.open(delivered.files[0].name) as file:
        assert str(new.attempt.task_id).encode() in file.read()


@pytest.mark.parametrize("again", [False, True])
async def test_a_task_id_that_comes_after_a_persons_decision_is_kept(
    again: bool, sandbox: Sandbox, records: Records, log: logging.Logger
) -> None:
    """While nobody has submitted again, the job that was accepted after all is the one to wait for."""
    account = credentials(sandbox, "apimart").account()
    first = await submit(REQUEST, account, records, BATCH, log)
    slow = first.model_copy(
        update={
            "state": VideoState.UNKNOWN,
            "attempts": (first.attempt.model_copy(update={"task_id": None, "submitted_at": None}),),
        }
    )
    current = records.load(BATCH, REQUEST)
    assert current is not None
    records.save(slow, current.etag)
    settle.resubmit(records, REQUEST.key, BATCH)
    if again:
        await submit(REQUEST, account, records, BATCH, log)
    current = records.load(BATCH, REQUEST)
    assert current is not None
    late = current.record.accepted(first.attempt.claim_id, "task_late")
    assert late is not None
    assert late.state is VideoState.SUBMITTED
    assert late.attempts[0].task_id == "task_late"
    assert len(late.attempts) == (2 if again else 1)
    assert late.attempt.task_id == ("task_late" if not again else current.record.attempt.task_id)
    assert late.attempt.failure is None
    assert late.accepted(first.attempt.claim_id, "task_late") is None, "once is enough"
    assert late.updated_at <= now()
