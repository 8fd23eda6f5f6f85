"""What a record keeps and forgets, and which records a search may find: rules whose breach costs money, as tables."""

from collections.abc import Iterator

import pytest
from pydantic import ValidationError
from typing_extensions import override

from prefect_omnivideo.core.errors import StoreError
from prefect_omnivideo.core.exchange import Exchange
from prefect_omnivideo.core.money.amount import Amount
from prefect_omnivideo.core.records.model import Place, VideoState, new_record
from prefect_omnivideo.core.records.repository import Records, record_name
from prefect_omnivideo.core.storage.folder import Folder
from tests.core.records.samples import MOMENT, attempt, record, stored


def answers(*numbers: int) -> tuple[Exchange, ...]:
    return tuple(Exchange(at=MOMENT, asked=f"GET {number}", status=200, body="") for number in numbers)


def test_a_task_id_for_an_older_attempt_leaves_the_newer_one_alone() -> None:
    """The older job is paid for and must be kept; what the record waits for is the newer one."""
    released = record(claim="old").unknown("lost").released()
    for newer in (
        released.again(attempt(claim_id="new")),
        released.again(attempt(claim_id="new")).submitted("task_2"),
        stored(released.again(attempt(claim_id="new"))),
        released.again(attempt(claim_id="new")).failed("expired", "gone"),
    ):
        late = newer.accepted("old", "task_1", answers(1))
        assert late is not None
        assert (late.state, late.attempt) == (newer.state, newer.attempt)
        assert (late.attempts[0].task_id, late.attempts[0].answers) == ("task_1", answers(1))
        assert late.attempts[0].failure == newer.attempts[0].failure, "why it was sent again"


def test_a_task_id_for_the_latest_attempt_is_what_to_wait_for() -> None:
    late = record(claim="old").unknown("lost").released().accepted("old", "task_1")
    assert late is not None
    assert (late.state, late.failure, late.attempt.finished_at) == (VideoState.SUBMITTED, None, None)
    assert late.accepted("old", "task_2") is None, "it has one"
    assert record(claim="old").accepted("another", "task_1") is None


@pytest.mark.parametrize(
    ("number", "kept"),
    [
        (1, [0]),
        (3, [0, 1, 2]),
        (4, [0, 1, 2, 3]),
        (5, [0, 2, 3, 4]),
        (9, [0, 6, 7, 8]),
    ],
)
def test_four_answers_are_kept_the_first_and_the_last(number: int, kept: list[int]) -> None:
    at_once = record().unknown("lost", answers(*range(number)))
    assert at_once.attempt.answers == answers(*kept)
    assert at_once.failed("expired", "gone").attempt.answers == answers(*kept), "news without any loses none"
    one_by_one = record()
    for each in range(number):
        one_by_one = one_by_one.troubled("no", answers(each))
    assert one_by_one.attempt.answers == answers(*kept)


@pytest.mark.parametrize("oddity", [{}, {"doubt": "doubtful: no frames"}, {"found_at": "data.extra"}], ids=str)
def test_a_stored_video_keeps_evidence_where_it_is_odd(oddity: dict[str, str]) -> None:
    plain = stored(record()).files[0]
    odd = plain.model_copy(update=oddity)
    before = record().submitted("task_1").troubled("the link was forbidden", answers(1))
    after = before.stored((plain, odd))
    assert (after.attempt.trouble, after.failure) == ("", None)
    assert after.attempt.answers == (answers(1) if oddity else ())


class Listed(Folder):
    """Notes what was listed: a bucket is paid by the page."""

    asked: str | None = None

    @override
    def names(self, prefix: str = "") -> Iterator[str]:
        self.asked = prefix
        return super().names(prefix)


def test_a_batch_is_no_other_whose_name_begins_alike(folder: Folder) -> None:
    store = Listed(folder.path)
    records = Records(store)
    for batch in ("daily", "daily2", "daily/2", "dail"):
        records.claim(record(f"of {batch}", batch=batch))
    assert [video.batch for video in records.batch("daily")] == ["daily"]
    assert store.asked == "daily/"
    with pytest.raises(StoreError, match="no video in batch 'daily'"):
        records.find(record("of daily2").key, "daily")
    assert store.asked == "daily/"


def test_what_is_known_already_is_not_read_again(records: Records) -> None:
    videos = [records.claim(record(take=take))[0].record for take in (1, 2, 3)]
    left_out = {record_name(videos[0]), record_name(videos[2])}
    assert list(records.batch("daily", besides=left_out)) == [videos[1]]


def test_a_key_is_found_by_its_beginning_alone(records: Records) -> None:
    """A part from its middle or its end, or digits of the prompt before it, would touch another video."""
    prompt = "deadbeef cafe"
    video = record(prompt)
    records.claim(video)
    assert "deadbeef" in record_name(video)
    assert records.find(video.key[:8]).record == video
    for part in (video.key[1:9], video.key[-8:], "deadbeef", "cafe"):
        assert not video.key.startswith(part)
        with pytest.raises(StoreError, match="no video in any batch"):
            records.find(part)


def test_a_cost_that_is_known_is_not_forgotten_by_an_answer_without_one() -> None:
    cost = Amount.parse("0.50 USD")
    assert record().submitted("a").finished(cost).finished(None).attempt.cost == cost
    assert record().submitted("a").finished(cost).finished(Amount.parse("1 USD")).cost == (Amount.parse("1 USD"),)
    assert record().submitted("a").finished(cost).failed("gateway error", "no").attempt.cost == cost


def test_a_charge_belongs_to_its_claim_alone() -> None:
    cost = Amount.parse("0.50 USD")
    twice = record(claim="old").unknown("lost").released().again(attempt(claim_id="new"))
    charged = twice.charged("old", cost)
    assert charged is not None
    assert [each.cost for each in charged.attempts] == [cost, None]
    assert charged.state is twice.state
    assert charged.charged("old", cost) is None, "it is known"
    assert twice.charged("another", cost) is None


def test_the_id_of_the_request_is_kept_as_the_log_of_the_key_names_it() -> None:
    answer = Exchange(at=MOMENT, asked="POST", status=200, body="", request_id="X-Oneapi-Request-Id: 2026ab: c")
    late = record(claim="old").accepted("old", "task_1", (answer,))
    assert late is not None
    assert late.attempt.request_id == "2026ab: c"
    without = record(claim="old").accepted("old", "task_1")
    assert without is not None
    assert without.attempt.request_id == ""


def test_a_place_is_counted_from_one_and_kept() -> None:
    place = Place(asked_at=MOMENT, position=1)
    video = record()
    kept = new_record(video.request, "daily", attempt(), place)
    assert (kept.place, kept.order[:2]) == (place, (MOMENT, 1))
    with pytest.raises(ValidationError):
        Place(asked_at=MOMENT, position=0)
