"""The right to submit, while the store comes and goes and other processes decide: who may send, and until when.

A scripted store and clock in place of servers: each test is one order of events that is rare and costs money.
"""

import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from pydantic import SecretStr
from typing_extensions import override

from prefect_omnivideo.core.client.account import Account
from prefect_omnivideo.core.errors import ModeratedError, StoreError, StoreUnavailableError
from prefect_omnivideo.core.gateways.registry import get_gateway
from prefect_omnivideo.core.gateways.specification import Reason, Rejected
from prefect_omnivideo.core.jobs import submit as submission
from prefect_omnivideo.core.records.model import Attempt, VideoRecord, VideoState, now
from prefect_omnivideo.core.records.repository import Records, Versioned, record_name
from prefect_omnivideo.core.storage.folder import Folder
from tests.core.records.samples import MOMENT, attempt, record

GATEWAY = get_gateway("apimart")
ACCOUNT = Account(GATEWAY, "prod", "https://api.apimart.ai", SecretStr("sk-x"), GATEWAY.routes[0])
OURS, THEIRS = "a" * 32, "b" * 32
Step = Callable[[VideoRecord], VideoRecord | None]


def live(claim: str, **settings: Any) -> Attempt:
    moment = now()
    return attempt(claim_id=claim, started_at=moment, claim_ends_at=moment + timedelta(minutes=5), **settings)


def intent(claim: str = OURS) -> VideoRecord:
    return record().model_copy(update={"attempts": (live(claim),)})


class Eventful(Folder):
    """A store in which others act, and which is away, at set moments."""

    def __init__(self, path: Path) -> None:
        Folder(path).prove()
        super().__init__(path)
        self.away_before, self.creates = 0, 0
        self.after_create: list[Step] = []
        self.before_replace: list[Step] = []
        self.error: type[StoreError] = StoreUnavailableError

    def others(self, name: str, step: Step) -> None:
        records = Records(Folder(self.path))
        current = records.get(name)
        assert current is not None
        records.update(current, step)

    @override
    def create(self, name: str, data: bytes, **kwargs: Any) -> str:
        self.creates += 1
        if self.creates <= self.away_before:
            raise self.error("the store is away")
        etag = super().create(name, data, **kwargs)
        if self.after_create:
            self.others(name, self.after_create.pop(0))
            raise StoreUnavailableError("the answer was lost")
        return etag

    @override
    def replace(self, name: str, data: bytes, version: str, **kwargs: Any) -> str:
        if self.before_replace:
            self.others(name, self.before_replace.pop(0))
        return super().replace(name, data, version, **kwargs)


@pytest.fixture
def store(tmp_path: Path) -> Eventful:
    return Eventful(tmp_path)


def in_store(store: Eventful) -> VideoRecord:
    found = Records(Folder(store.path)).get(record_name(record()))
    assert found is not None
    return found.record


async def claimed(store: Eventful) -> tuple[VideoRecord, bool]:
    current, may_send = await submission._claimed(Records(store), intent, ACCOUNT)
    assert in_store(store) == current.record, "what is told is what stands"
    return current.record, may_send


async def test_a_claim_that_was_called_unknown_before_its_answer_came_sent_nothing(store: Eventful) -> None:
    """Nobody but its holder knows that; the next run may send."""
    store.after_create = [lambda latest: latest.unknown("its process ended")]
    found, may_send = await claimed(store)
    assert not may_send
    assert (found.state, len(found.attempts)) == (VideoState.FAILED, 1)
    assert found.failure is not None
    assert (found.failure.accepted, found.failure.may_resubmit) == (False, True)


@pytest.mark.parametrize("state", [VideoState.UNKNOWN, VideoState.SUBMITTING, VideoState.SUBMITTED])
async def test_another_claim_stays_as_it_is(state: VideoState, store: Eventful) -> None:
    """An unknown one may be paid for: to call it unsent would be to pay twice."""
    theirs = intent(THEIRS)
    steps = {VideoState.UNKNOWN: theirs.unknown("lost"), VideoState.SUBMITTED: theirs.submitted("task_1")}
    Records(Folder(store.path)).claim(theirs := steps.get(state, theirs))
    assert await claimed(store) == (theirs, False)


async def test_a_decision_that_comes_before_the_news_that_nothing_was_sent_is_kept(store: Eventful) -> None:
    """A person released the unknown claim just before: the record is looked at anew, and is ours to send."""
    store.after_create = [lambda latest: latest.unknown("its process ended")]
    store.before_replace = [lambda latest: latest.released()]
    found, may_send = await claimed(store)
    assert may_send
    assert (found.state, len(found.attempts)) == (VideoState.SUBMITTING, 2)
    assert found.attempts[0].failure is not None
    assert found.attempts[0].failure.released


async def test_of_two_who_send_again_one_does(store: Eventful) -> None:
    refused = intent(THEIRS).failed("no balance", "empty", accepted=False)
    Records(Folder(store.path)).claim(refused)
    store.before_replace = [lambda latest: latest.again(live("c" * 32))]
    found, may_send = await claimed(store)
    assert not may_send
    assert [each.claim_id for each in found.attempts] == [THEIRS, "c" * 32]


async def test_a_claim_is_tried_again_while_the_store_is_away_and_its_time_begins_anew(store: Eventful) -> None:
    store.away_before = 3
    begun: list[VideoRecord] = []

    def counted() -> VideoRecord:
        begun.append(intent())
        return begun[-1]

    current, may_send = await submission._claimed(Records(store), counted, ACCOUNT)
    assert may_send
    assert (store.creates, len(begun)) == (4, 4)
    assert current.record == begun[-1] == in_store(store)


async def test_a_store_that_refuses_is_not_tried_again(store: Eventful) -> None:
    store.away_before, store.error = 1, StoreError
    with pytest.raises(StoreError):
        await claimed(store)
    assert store.creates == 1


MOVED_ON: dict[str, Step] = {
    "accepted": lambda latest: latest.accepted(OURS, "task_1"),
    "failed": lambda latest: latest.failed("no balance", "empty", accepted=False),
    "sent again": lambda latest: latest.unknown("lost").released().again(live(THEIRS)),
}


@pytest.mark.parametrize("news", MOVED_ON)
def test_a_claim_that_came_to_an_end_is_not_called_unknown(news: str, store: Eventful) -> None:
    """Whoever saw it stand for too long writes only if it still stands, and if it is still the same."""
    records = Records(store)
    seen, _ = records.claim(intent())
    store.before_replace = [MOVED_ON[news]]
    found = submission._mark_unknown(records, seen, OURS)
    assert found.record == in_store(store)
    assert found.record.state is not VideoState.UNKNOWN
    assert submission._mark_unknown(records, found, OURS) == found


class Watched:
    """A claim as another process sees it, one look a second by a clock that nobody waits for."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, records: Records, current: Versioned) -> None:
        self.records, self.current = records, current
        self.passed, self.looks = 0.0, 0
        self.events: dict[int, Step] = {}
        monkeypatch.setattr(submission, "CLAIM_PAUSE", 0)
        monkeypatch.setattr(submission, "monotonic", lambda: self.passed)
        monkeypatch.setattr(submission, "now", self.now)
        monkeypatch.setattr(submission, "latest", self.look)

    def now(self) -> datetime:
        return MOMENT + timedelta(seconds=self.passed)

    async def look(self, records: Records, seen: VideoRecord) -> Versioned:
        self.looks += 1
        self.passed += 1
        if event := self.events.get(self.looks):
            self.current = self.records.update(self.current, event)
        return self.current


@pytest.mark.parametrize(
    ("ends_in", "lasts", "looks"),
    [
        (300, 300, 300),
        (86_400, 300, 300),  # by a clock that is a day ahead
        (-60, 300, 300),  # by a clock that is behind
        (-599, 300, 2),  # seen to be over for longer than clocks are apart
        (-601, 300, 0),
        (-600, 300, 1),
    ],
)
async def test_a_claim_is_over_when_it_stood_long_enough_or_ended_long_ago(
    ends_in: float, lasts: float, looks: int, records: Records, monkeypatch: pytest.MonkeyPatch
) -> None:
    ends = MOMENT + timedelta(seconds=ends_in)
    theirs = attempt(claim_id=THEIRS, started_at=ends - timedelta(seconds=lasts), claim_ends_at=ends)
    current, _ = records.claim(record().model_copy(update={"attempts": (theirs,)}))
    watched = Watched(monkeypatch, records, current)
    found = await submission.await_outcome(records, current)
    assert (found.state, watched.looks) == (VideoState.UNKNOWN, looks)
    assert "ended before it recorded" in found.attempt.trouble


async def test_another_claim_is_given_its_own_time(records: Records, monkeypatch: pytest.MonkeyPatch) -> None:
    current, _ = records.claim(record(claim=THEIRS))
    watched = Watched(monkeypatch, records, current)
    later = attempt(claim_id="c" * 32, started_at=MOMENT, claim_ends_at=MOMENT + timedelta(minutes=5))
    watched.events = {200: lambda latest: latest.unknown("lost").released().again(later)}
    found = await submission.await_outcome(records, current)
    assert (found.state, found.attempt.claim_id) == (VideoState.UNKNOWN, "c" * 32)
    assert watched.looks == 500


async def test_an_outcome_ends_the_waiting(records: Records, monkeypatch: pytest.MonkeyPatch) -> None:
    current, _ = records.claim(record(claim=THEIRS))
    watched = Watched(monkeypatch, records, current)
    watched.events = {7: lambda latest: latest.accepted(THEIRS, "task_1")}
    found = await submission.await_outcome(records, current)
    assert (found.state, found.attempt.task_id, watched.looks) == (VideoState.SUBMITTED, "task_1", 7)


@pytest.mark.parametrize("store_took", [0, 3, 200])
async def test_what_the_store_took_is_gone_from_the_time_to_send(
    store_took: float, records: Records, log: logging.Logger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Connecting and answering must be over, too, when the claim ends."""
    gateway = get_gateway("sora")
    mine = Account(gateway, "a", "https://gateway.test", SecretStr("sk-x"), gateway.routes[0], request_seconds=20)
    ends = MOMENT + timedelta(seconds=mine.claim_seconds)
    begun = record().model_copy(update={"attempts": (attempt(claim_id=OURS, claim_ends_at=ends),)})
    claim, _ = records.claim(begun)
    given: list[float] = []

    async def take(body: object, *, within: float) -> Rejected:
        given.append(within)
        return Rejected(Reason.MODERATED, "no")

    monkeypatch.setattr(submission, "now", lambda: MOMENT + timedelta(seconds=store_took))
    client: Any = SimpleNamespace(account=mine, submit=take)
    body: Any = None
    with pytest.raises(ModeratedError):
        await submission._send(client, body, records, claim, log)
    assert given == [mine.claim_seconds - store_took - 10 - 20]
    assert (mine.connect_seconds, mine.request_seconds, mine.claim_seconds) == (10, 20, 75)
