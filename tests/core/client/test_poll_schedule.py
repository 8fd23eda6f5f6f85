"""Finished jobs are noticed soon and asked about seldom: with durations drawn from a seed, on a simulated clock."""

from datetime import UTC, datetime, timedelta
from random import Random

import pytest

from prefect_omnivideo.core.client.poll_schedule import (
    ENOUGH,
    LONGEST_HINT,
    LONGEST_PAUSE,
    REMEMBERED,
    SCOUTS,
    SHORTEST_NAP,
    SPREAD,
    Durations,
    Watch,
    durations,
)
from prefect_omnivideo.core.gateways.specification import Job, JobStatus
from tests.simulation import DISTRIBUTIONS, simulate, summarise

RUNNING = Job("id", JobStatus.RUNNING)
DONE = Job("id", JobStatus.SUCCEEDED)


def learned(*seconds: float) -> Durations:
    known = Durations()
    for each in seconds:
        known.add(each)
    return known


@pytest.mark.parametrize("tells_times", [True, False], ids=["times told", "times observed"])
@pytest.mark.parametrize("in_flight", [100, 500])
@pytest.mark.parametrize("name", ["uniform", "log-normal", "bimodal"])
def test_soon_and_seldom(name: str, in_flight: int, tells_times: bool) -> None:
    """News of half of the jobs within 10 % of their duration, at a quarter of the queries of a 5-second loop."""
    outcomes = simulate(DISTRIBUTIONS[name], jobs=1000, in_flight=in_flight, tells_times=tells_times)
    summary = summarise(outcomes)
    assert len(outcomes) == 1000
    assert summary.lag_p50 <= 0.10
    assert summary.ratio <= 0.25


def test_the_first_query_waits_for_the_quickest_job_seen() -> None:
    known = learned(*range(100, 200))
    assert Watch(known, 5).pause(0) == 110
    assert Watch(known, 5).pause(30) == 80


@pytest.mark.parametrize(("slowest", "first"), [(105, 105), (106, 100)])
def test_jobs_that_take_nearly_the_same_time_are_asked_about_when_most_are_done(slowest: float, first: float) -> None:
    known = learned(*[100.0] * 5, *[slowest] * 5)
    assert Watch(known, 5).pause(0) == first


def test_a_handful_of_jobs_proves_nothing() -> None:
    known = learned(*[100] * (ENOUGH - 1))
    assert known.low is None
    known.add(100)
    assert known.low == 100


def test_afterwards_the_pauses_widen() -> None:
    watch = Watch(learned(*[60] * 10), 5, random=Random(1))
    for elapsed, pause in [(10, 5), (60, 10.8), (120, 21.6), (10_000, LONGEST_PAUSE)]:
        if elapsed >= 60:
            assert watch.pause(elapsed) == pytest.approx(pause, rel=SPREAD)
    assert len({watch.pause(120) for _ in range(5)}) == 5, "not all at the same moment"


def test_the_accounts_shortest_pause_holds() -> None:
    assert Watch(Durations(), 40, random=Random(1)).pause(1) == pytest.approx(40, rel=SPREAD)
    assert Watch(learned(*[60] * 10), 5).pause(59.5) == 5


@pytest.mark.parametrize(("hint", "wait"), [(30, 30), (0, 5), (3600, LONGEST_HINT)])
def test_what_the_gateway_asks_for_wins(hint: float, wait: float) -> None:
    watch = Watch(learned(*[300] * 10), 5)
    watch.heard(10, Job("id", JobStatus.RUNNING, poll_after=hint))
    assert wait <= watch.pause(10) <= wait * (1 + SPREAD)
    assert watch.is_due(10)
    watch.heard(20, RUNNING)
    assert watch.pause(20) == 280, "it held for one query"
    watch.missed(30, hint)
    assert wait <= watch.pause(30) <= wait * (1 + SPREAD)


def test_the_gateways_estimate_wins() -> None:
    watch = Watch(learned(*[300] * 10), 5)
    watch.heard(10, Job("id", JobStatus.RUNNING, estimated_seconds=90))
    assert watch.pause(10) == 80
    watch.heard(10, Job("id", JobStatus.RUNNING, estimated_seconds=3600))
    assert watch.pause(10) == LONGEST_HINT


def test_an_estimate_that_is_over_gives_way() -> None:
    watch = Watch(Durations(), 5, random=Random(1))
    watch.heard(100, Job("id", JobStatus.RUNNING, estimated_seconds=90))
    assert watch.pause(100) == pytest.approx(18, rel=SPREAD)


def test_scouts_find_out_for_all() -> None:
    """While no job has ended, a few are asked about at the usual pace and the others hardly ever."""
    known = Durations()
    watches = [Watch(known, 5) for _ in range(100)]
    assert sum(watch.is_due(14) for watch in watches) == SCOUTS
    assert all(watch.is_due(15) for watch in watches), "at 15, 45, 135 seconds everybody"
    for watch in watches:
        watch.heard(15, RUNNING)
    assert sum(watch.is_due(44) for watch in watches) == SCOUTS
    watches[0].heard(44, DONE)
    assert all(watch.is_due(44) for watch in watches), "one has ended: it may be over for all"


def test_whoever_leaves_it_to_the_scouts_sees_soon_that_one_has_ended() -> None:
    known = Durations()
    watches = [Watch(known, 5, random=Random(1)) for _ in range(SCOUTS + 1)]
    for elapsed, nap in [(6, SHORTEST_NAP), (300, 18)]:
        for watch in watches:
            watch.missed(elapsed, None)
        assert [watch.is_due(elapsed) for watch in watches] == [True] * SCOUTS + [False]
        assert watches[-1].pause(elapsed) == pytest.approx(nap, rel=SPREAD)
        assert watches[0].pause(elapsed) >= 5 * (1 - SPREAD), "a scout asks"
    known.add(60)
    assert watches[-1].is_due(300)
    assert watches[-1].pause(300) == pytest.approx(LONGEST_PAUSE, rel=SPREAD), "and it asks itself from now on"


def test_a_scout_that_is_gone_is_replaced() -> None:
    known = Durations()
    watches = [Watch(known, 5) for _ in range(SCOUTS + 1)]
    assert [watch.is_due(6) for watch in watches] == [True] * SCOUTS + [False]
    del watches[0]
    assert watches[-1].is_due(6)


CREATED = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("told", "taken"), [(70, 70), (1, 60), (500, 80), (-5, 73)], ids=["right", "too short", "too long", "nonsense"]
)
def test_told_durations_are_taken_as_far_as_they_can_be_true(told: float, taken: float) -> None:
    known = Durations()
    for _ in range(ENOUGH):
        watch = Watch(known, 5)
        watch.heard(60, RUNNING)
        times = {"created_at": CREATED, "completed_at": CREATED + timedelta(seconds=told)}
        watch.heard(80, Job("id", JobStatus.SUCCEEDED, **times))
    assert known.low == pytest.approx(taken, abs=1)


def test_a_gateway_that_gets_faster_is_followed() -> None:
    """Where no times are told, a job that is done at the first query must not confirm that the query was in time."""
    known = learned(*[100] * REMEMBERED)
    for _ in range(REMEMBERED):
        watch = Watch(known, 5)
        watch.heard(watch.pause(0), DONE)
    assert known.low is not None
    assert known.low < 60


def test_what_was_found_by_a_later_run_teaches_nothing() -> None:
    known = Durations()
    Watch(known, 5, since=7200).heard(7205, DONE)
    assert known.is_empty


@pytest.mark.parametrize("end", [JobStatus.FAILED, JobStatus.CANCELLED])
def test_failures_teach_nothing(end: JobStatus) -> None:
    known = Durations()
    Watch(known, 5).heard(6, Job("id", end))
    assert known.is_empty


def test_memory_is_bounded_and_the_latest_count() -> None:
    known = learned(*range(3 * REMEMBERED))
    assert known.low == pytest.approx(2 * REMEMBERED + REMEMBERED / 10)


def test_every_model_at_every_gateway_has_its_own() -> None:
    one = durations("sora", "https://a.example", "sora-2")
    assert durations("sora", "https://a.example", "sora-2") is one
    assert durations("sora", "https://b.example", "sora-2") is not one
    assert durations("sora", "https://a.example", "sora-2-pro") is not one
