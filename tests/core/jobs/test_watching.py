"""When a job counts as out of sight, and what is written about a job whose record has moved on: without servers."""

import logging
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from pydantic import SecretStr

from prefect_omnivideo.core.answers.status import job_failure
from prefect_omnivideo.core.client.account import Account
from prefect_omnivideo.core.client.poll_schedule import Durations
from prefect_omnivideo.core.errors import JobFailedError, OutOfSightError, StatusUnavailableError, TransferError
from prefect_omnivideo.core.exchange import Exchange
from prefect_omnivideo.core.gateways.registry import get_gateway
from prefect_omnivideo.core.gateways.specification import Answer, Job
from prefect_omnivideo.core.gateways.words import JobStatus
from prefect_omnivideo.core.jobs import deliver as delivery
from prefect_omnivideo.core.jobs.deliver import deliver
from prefect_omnivideo.core.jobs.wait import _Watching, fail, note
from prefect_omnivideo.core.money.amount import Amount, told
from prefect_omnivideo.core.records.model import StoredFile, VideoRecord, VideoState
from prefect_omnivideo.core.records.repository import Records
from tests.core.records.samples import MOMENT, attempt, record, stored

GATEWAY = get_gateway("sora")
ACCOUNT = Account(GATEWAY, "a", "https://gateway.test", SecretStr("sk-x"), GATEWAY.routes[0])
EVIDENCE = (Exchange(at=MOMENT, asked="GET /v1/videos/task_1", status=200, body="{}"),)
SUBMITTED = record().submitted("task_1")
WORKS, WORKS_NOT = Answer(200, {}, {"data": []}), Answer(401, {}, {"error": {"message": "no"}})


class Client:
    """A client whose every query fails at a set moment, and whose key works or does not."""

    def __init__(self, news: list[tuple[float, bool | None]], key: list[Answer] | None = None) -> None:
        self.account, self.clock = ACCOUNT, self
        self.news, self.key = news, key
        self.checked: list[str] = []
        self.time = 0.0

    def now(self) -> float:
        return self.time

    async def sleep(self, seconds: float) -> None:
        """The time comes with the news."""

    async def status(self, *args: object) -> Job:
        moment, is_missing = self.news.pop(0)
        self.time = 1000 + moment
        if is_missing is None:
            return Job("task_1", JobStatus.RUNNING, "in_progress")
        raise StatusUnavailableError(f"at {moment}", not_found=is_missing, evidence=EVIDENCE)

    async def get(self, path: str) -> Answer:
        self.checked.append(path)
        return self.key.pop(0) if self.key else WORKS


MISSING, OTHER, SEEN = True, False, None


@pytest.mark.parametrize(
    ("news", "given_up_at"),
    [
        ([(0, MISSING), (200, MISSING), (400, MISSING), (599, MISSING)], None),
        ([(0, MISSING), (200, MISSING), (400, MISSING), (600, MISSING)], 600),
        ([(0, MISSING), (1, MISSING), (2, MISSING), (3, MISSING), (4, MISSING), (600, MISSING)], 600),
        ([(0, MISSING), (600, MISSING), (1200, MISSING)], None),
        ([(0, MISSING), (600, MISSING), (1200, MISSING), (1800, MISSING)], 1800),
        # Another error begins both counts anew.
        ([(0, MISSING), (200, MISSING), (400, OTHER), (600, MISSING), (700, MISSING), (800, MISSING)], None),
        ([(0, MISSING), (1, MISSING), (2, MISSING), (3, OTHER), (4, MISSING), (604, MISSING)], None),
        (
            [(0, OTHER), (100, MISSING), (300, OTHER), *((at, MISSING) for at in (400, 500, 600, 999, 1000))],
            1000,
        ),
        ([(0, OTHER), (300, OTHER), (600, OTHER), (900, OTHER), (1200, OTHER)], None),
        # What was seen once is waited for.
        ([(0, SEEN), (1, MISSING), (300, MISSING), (600, MISSING), (900, MISSING), (1200, MISSING)], None),
        ([(0, MISSING), (300, MISSING), (400, SEEN), (500, MISSING), (600, MISSING), (1200, MISSING)], None),
    ],
    ids=str,
)
async def test_out_of_sight_is_four_answers_in_a_row_over_ten_minutes(
    news: list[tuple[float, bool | None]], given_up_at: float | None, log: logging.Logger
) -> None:
    client: Any = Client([*news])
    watching = _Watching(client, SUBMITTED, log)
    if given_up_at is None:
        with pytest.raises(IndexError):  # it went on to ask
            await watching.until_final(Durations(), 1e9)
        assert client.checked == []
    else:
        with pytest.raises(OutOfSightError, match=r"has not known job task_1 for (600|1800) s") as caught:
            await watching.until_final(Durations(), 1e9)
        assert client.now() == 1000 + given_up_at
        assert client.checked == [GATEWAY.check_path]
        assert caught.value.evidence == EVIDENCE * min(len(news), 3)


async def test_a_job_is_out_of_sight_only_to_a_key_that_works(log: logging.Logger) -> None:
    news = [(300.0 * number, MISSING) for number in range(6)]
    client: Any = Client([*news], [WORKS_NOT, Answer(500, {}, None), WORKS])
    with pytest.raises(OutOfSightError):
        await _Watching(client, SUBMITTED, log).until_final(Durations(), 1e9)
    assert client.now() == 1000 + 1500
    assert len(client.checked) == 3


def failure(**told: Any) -> JobFailedError:
    return job_failure(GATEWAY, Job("task_1", JobStatus.FAILED, "failed", **told))


@pytest.mark.parametrize("cost", [Amount.parse("0.5 USD"), Amount.parse("20 credits"), Amount.parse("0 USD"), None])
async def test_what_a_failed_job_cost_is_kept(cost: Amount | None, records: Records, log: logging.Logger) -> None:
    records.claim(SUBMITTED)
    error = failure(cost=cost, answer=Answer(200, {}, {"status": "failed"}))
    filed = await fail(SUBMITTED, records, error, log)
    assert (filed.state, filed.attempt.cost) == (VideoState.FAILED, cost)
    assert filed.attempt.answers == error.evidence != ()
    assert filed == records.find(SUBMITTED.key).record


ODD = stored(SUBMITTED).files[0].model_copy(update={"found_at": "data.extra"})
JOB = Job("task_1", JobStatus.SUCCEEDED, "completed", cost=Amount.parse("0.25 USD"))

MOVED_ON: dict[str, VideoRecord] = {
    "stored": stored(SUBMITTED),
    "given up": SUBMITTED.failed("abandoned", "given up", cost=Amount.parse("1 USD")),
    "corrected": SUBMITTED.submitted("task_2"),
    "sent again": SUBMITTED.failed("expired", "gone").released().again(attempt(claim_id="b" * 32)),
    "sent again and accepted": SUBMITTED.released().again(attempt(claim_id="b" * 32)).submitted("task_2"),
}


async def fails(records: Records, log: logging.Logger) -> VideoRecord:
    return await fail(SUBMITTED, records, failure(cost=Amount.parse("9 USD")), log)


async def is_noted(records: Records, log: logging.Logger) -> VideoRecord:
    return await note(SUBMITTED, records, StatusUnavailableError("still away", evidence=EVIDENCE), log)


async def is_delivered(records: Records, log: logging.Logger) -> VideoRecord:
    return await deliver(SUBMITTED, JOB, ACCOUNT, records, log)


class Fetched:
    """A download that takes as long as `meanwhile`, and then brings a file or fails."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.evidence = EVIDENCE
        self.meanwhile: Callable[[], object] = lambda: None
        self.error: TransferError | None = None
        self.file = ODD
        self.times = 0
        monkeypatch.setattr(delivery, "Fetching", lambda *args: self)

    async def all(self, job: Job) -> list[StoredFile]:
        self.times += 1
        self.meanwhile()
        if self.error:
            raise self.error
        return [self.file]


@pytest.fixture
def fetched(monkeypatch: pytest.MonkeyPatch) -> Fetched:
    return Fetched(monkeypatch)


@pytest.mark.parametrize("late", [fails, is_noted, is_delivered])
@pytest.mark.parametrize("then", MOVED_ON)
async def test_late_news_changes_nothing(
    then: str,
    late: Callable[[Records, logging.Logger], Awaitable[VideoRecord]],
    records: Records,
    log: logging.Logger,
    fetched: Fetched,
) -> None:
    """The job was stored, given up, corrected or sent again by another process: nothing is downloaded or written."""
    current, _ = records.claim(MOVED_ON[then])
    assert await late(records, log) == MOVED_ON[then]
    assert records.find(SUBMITTED.key) == current
    assert fetched.times == 0


@pytest.mark.parametrize("error", [None, TransferError("no link works")], ids=["downloaded", "not downloaded"])
@pytest.mark.parametrize("then", MOVED_ON)
async def test_a_record_that_moved_on_during_the_download_stays_as_it_is(
    then: str, error: TransferError | None, records: Records, log: logging.Logger, fetched: Fetched
) -> None:
    current, _ = records.claim(SUBMITTED)
    fetched.meanwhile = lambda: records.save(MOVED_ON[then], current.etag)
    fetched.error = error
    if error:
        with pytest.raises(TransferError):
            await is_delivered(records, log)
    else:
        assert await is_delivered(records, log) == MOVED_ON[then]
    assert records.find(SUBMITTED.key).record == MOVED_ON[then]


async def test_news_about_a_job_that_is_waited_for_is_written(records: Records, log: logging.Logger) -> None:
    records.claim(SUBMITTED)
    noted = await is_noted(records, log)
    assert (noted.state, noted.attempt.trouble, noted.attempt.answers) == (
        VideoState.SUBMITTED,
        "still away",
        EVIDENCE,
    )
    assert (await fails(records, log)).state is VideoState.FAILED


async def test_a_job_whose_files_cannot_be_had_is_finished_with_the_evidence(
    records: Records, log: logging.Logger, fetched: Fetched
) -> None:
    records.claim(SUBMITTED)
    fetched.error = TransferError("no link works")
    with pytest.raises(TransferError):
        await is_delivered(records, log)
    found = records.find(SUBMITTED.key).record
    assert (found.state, found.attempt.trouble, told(found.cost)) == (VideoState.FINISHED, "no link works", "0.25 USD")
    assert found.attempt.answers == EVIDENCE
    assert found.attempt.finished_at is not None
    fetched.error = None
    assert (await is_delivered(records, log)).state is VideoState.STORED, "a later run tries again"


async def test_a_file_from_an_odd_place_is_stored_with_the_evidence(
    records: Records, log: logging.Logger, fetched: Fetched
) -> None:
    records.claim(SUBMITTED)
    found = await is_delivered(records, log)
    assert (found.state, told(found.cost), found.attempt.answers) == (VideoState.STORED, "0.25 USD", EVIDENCE)
    assert found.mismatches == ("its link was found at data.extra, which is not documented",)


async def test_a_file_as_documented_needs_none(records: Records, log: logging.Logger, fetched: Fetched) -> None:
    records.claim(SUBMITTED)
    fetched.file = ODD.model_copy(update={"found_at": ""})
    found = await is_delivered(records, log)
    assert (found.state, found.attempt.answers, found.mismatches) == (VideoState.STORED, (), ())
