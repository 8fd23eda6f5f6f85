"""The rules of a record that money hangs on, one table each."""

from datetime import timedelta
from typing import Any

import pytest

from prefect_omnivideo.core.errors import StoreError
from prefect_omnivideo.core.exchange import Exchange
from prefect_omnivideo.core.money.amount import Amount
from prefect_omnivideo.core.records import resolve
from prefect_omnivideo.core.records.model import Failure, VideoRecord, VideoState, now
from prefect_omnivideo.core.records.repository import Records
from tests.core.records.samples import MOMENT, attempt, record, stored

CLAIM = "0" * 32


@pytest.mark.parametrize(
    ("failure", "may"),
    [
        ({"category": "no balance", "accepted": False}, True),
        ({"category": "unauthorized", "accepted": False}, True),
        ({"category": "gateway error", "accepted": False}, True),
        ({"category": "moderated", "accepted": False}, False),
        ({"category": "refused", "accepted": False}, False),
        ({"category": "gateway error"}, False),
        ({"category": "no balance"}, False),
        ({"category": "expired"}, False),
        ({"category": "abandoned"}, False),
        ({"category": "expired", "released": True}, True),
        ({"category": "moderated", "accepted": False, "released": True}, True),
    ],
    ids=str,
)
def test_what_may_be_sent_again(failure: dict[str, Any], may: bool) -> None:
    assert Failure(message="no", **failure).may_resubmit is may


def in_state(state: VideoState) -> VideoRecord:
    video = record()
    job = video.submitted("task_1")
    return {
        VideoState.SUBMITTING: video,
        VideoState.SUBMITTED: job,
        VideoState.FINISHED: job.finished(None),
        VideoState.STORED: stored(job),
        VideoState.FAILED: job.failed("gateway error", "no"),
        VideoState.UNKNOWN: video.unknown("lost"),
    }[state]


@pytest.mark.parametrize("state", VideoState)
def test_what_each_state_waits_for(state: VideoState) -> None:
    video = in_state(state)
    assert video.state is state
    assert video.is_claimed_by(CLAIM) is (state in (VideoState.SUBMITTING, VideoState.UNKNOWN))
    assert not video.is_claimed_by("another")
    assert video.awaits("task_1") is (state in (VideoState.SUBMITTED, VideoState.FINISHED))
    assert not video.awaits("task_2")
    assert not video.awaits(None)


def test_a_second_look_at_a_finished_job_does_not_move_its_end() -> None:
    moment = MOMENT + timedelta(minutes=1)
    finished = record().submitted("task_1").finished(None, at=moment)
    again = finished.finished(None, at=moment + timedelta(hours=1))
    assert finished.attempt.finished_at == again.attempt.finished_at == moment


def test_what_a_person_takes_back_leaves_no_failure() -> None:
    video = record().submitted("task_1").failed("expired", "gone", cost=Amount.parse("0.5 USD")).submitted("task_2")
    assert (video.failure, video.attempt.finished_at, video.attempt.task_id) == (None, None, "task_2")
    assert stored(record().submitted("t").failed("expired", "gone")).failure is None


def test_the_cost_of_every_attempt_counts() -> None:
    video = record().submitted("task_1").finished(Amount.parse("0.5 USD")).failed("gateway error", "no")
    assert video.attempt.cost == Amount.parse("0.5 USD")
    again = video.released().again(attempt(claim_id="1")).submitted("task_2").finished(Amount.parse("0.25 USD"))
    assert again.cost == (Amount.parse("0.75 USD"),)
    assert [each.task_id for each in again.attempts] == ["task_1", "task_2"]


def test_the_answer_to_the_submission_outlives_the_later_ones() -> None:
    answers = [Exchange(at=MOMENT, asked=f"GET {number}", status=200, body="") for number in range(6)]
    video = record().unknown("lost", (answers[0],)).submitted("task_1")
    for each in answers[1:]:
        video = video.troubled("no", (each,))
    assert [each.asked for each in video.attempt.answers] == ["GET 0", "GET 3", "GET 4", "GET 5"]


@pytest.mark.parametrize("seconds", [-60, 60])
def test_nobody_decides_about_a_submission_on_its_way(seconds: int, records: Records) -> None:
    begun = record()
    ends = attempt(claim_ends_at=now() + timedelta(seconds=seconds))
    video = begun.model_copy(update={"attempts": (ends,)})
    records.claim(video)
    assert resolve.needs_decision(video) is (seconds < 0)
    if seconds > 0:
        with pytest.raises(StoreError, match="right now"):
            resolve.resubmit(records, video.key, None)
        assert records.find(video.key).record.state is VideoState.SUBMITTING
    else:
        assert resolve.resubmit(records, video.key, None).failure is not None


@pytest.mark.parametrize("state", VideoState)
def test_what_needs_a_decision(state: VideoState) -> None:
    long_ago = state is VideoState.SUBMITTING  # its claim ended in the year of the samples
    assert resolve.needs_decision(in_state(state)) is (state is VideoState.UNKNOWN or long_ago)


def test_a_decision_that_does_not_fit_changes_nothing(records: Records) -> None:
    video = record().unknown("lost")
    records.claim(video)
    with pytest.raises(StoreError, match="no task id"):
        resolve.ask_again(records, video.key, None)
    with pytest.raises(StoreError, match="not to jimmyai"):
        resolve.move(records, video.key, None, "other", "https://x.example", "jimmyai")
    assert records.find(video.key).record == video
