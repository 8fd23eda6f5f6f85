"""What videos did cost: exact, by every group, with what is unknown said to be unknown."""

import json
import tracemalloc
from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prefect_omnivideo.core.errors import RequestError
from prefect_omnivideo.core.money.amount import PLACES, Amount
from prefect_omnivideo.core.records.model import Attempt, VideoRecord, VideoState
from prefect_omnivideo.core.records.repository import parse
from prefect_omnivideo.core.reports.spending import By, Line, Spending, first_day, totals
from prefect_omnivideo.core.reports.spending_page import cells, notes, spending_page
from tests.core.records.samples import MOMENT, attempt, record, stored

BYS: tuple[By | None, ...] = (None, "day", "account", "model", "batch")
VERSIONS = Path(__file__).parents[1] / "records" / "versions"


def lines_of(*records: VideoRecord, by: By | None = None, since: date | None = None) -> list[Line]:
    spending = Spending(by, since)
    for each in records:
        spending.add(each)
    return spending.lines


def made(*attempts: Attempt, state: VideoState = VideoState.STORED, seconds: Any = 8.0, **more: Any) -> VideoRecord:
    """A video with these attempts."""
    video = stored(record(**more))
    file = video.files[0].model_copy(update={"media": {} if seconds is None else {"duration": seconds}})
    is_stored = state is VideoState.STORED
    return video.model_copy(update={"attempts": attempts, "state": state, "files": (file,) if is_stored else ()})


def failed(*, accepted: bool = True, released: bool = False, **settings: Any) -> Attempt:
    failure = {"category": "gateway error", "message": "", "accepted": accepted, "released": released}
    return attempt(failure=failure, **settings)


def test_a_video_that_was_stored() -> None:
    (line,) = lines_of(made(attempt(task_id="t", cost="2 USD", estimate="1.50 USD")))
    assert (line.jobs, line.videos, line.seconds, line.cost, line.cost_without_video) == (1, 1, 8, 2, 0)
    assert (line.estimate, line.difference, line.cost_per_second) == (Decimal("1.5"), Decimal("0.5"), Decimal("0.25"))
    assert (line.without_cost, line.without_estimate, line.without_length, line.uncertain) == (0, 0, 0, 0)
    assert notes([line]) == []


def test_a_failed_job_that_was_refunded_and_one_that_was_not() -> None:
    refunded = failed(task_id="a", cost="0 USD", estimate="1 USD")
    kept = failed(task_id="b", cost="0.30 USD", estimate="1 USD")
    good = made(attempt(task_id="c", cost="1 USD", estimate="1 USD"))
    lost = [made(each, state=VideoState.FAILED) for each in (refunded, kept)]
    (line,) = lines_of(*lost, good)
    assert (line.jobs, line.videos, line.cost) == (3, 1, Decimal("1.3"))
    assert line.cost_without_video == Decimal("0.3")
    assert line.difference == Decimal("-1.7")
    assert line.cost_per_second == Decimal("1.3") / 8


def test_a_rejection_costs_nothing_and_the_second_account_is_billed() -> None:
    rejected = failed(accepted=False, account="poor", estimate="9 USD")
    twice = made(
        rejected,
        failed(task_id="a", account="one", cost="1 USD"),
        attempt(task_id="b", account="two", cost="3 credits"),
    )
    one, two = lines_of(twice, by="account")
    assert (one.group, one.unit, one.videos, one.cost, one.cost_without_video) == ("one", "USD", 0, 1, 1)
    assert (two.group, two.unit, two.videos, two.cost, two.cost_without_video) == ("two", "credits", 1, 3, 0)
    assert [line.unit for line in lines_of(twice)] == ["USD", "credits"], "units do not add up"


def test_an_unknown_cost_is_in_no_sum_and_counted() -> None:
    quiet = made(attempt(task_id="a", estimate="2 USD"), seconds=4)
    told = made(attempt(task_id="b", estimate="2 USD", cost="3 USD"), seconds=4)
    (line,) = lines_of(quiet, told)
    assert (line.videos, line.cost, line.without_cost) == (2, 3, 1)
    assert (line.estimate, line.estimate_without_cost, line.difference, line.compared) == (4, 2, 1, 1)
    assert line.cost_per_second == Decimal("0.75"), "seconds of unknown cost are not cheap"
    assert notes([line]) == ["USD: the cost of 1 job is unknown and in no sum; their estimates come to 2.00."]


def test_nothing_known_is_unknown_and_not_zero() -> None:
    (line,) = lines_of(made(attempt(task_id="a"), seconds=None))
    assert (line.unit, line.cost, line.cost_without_video, line.difference, line.cost_per_second) == ("", *[None] * 4)
    assert cells(line) == ["unknown", "1", "0.0", "unknown", "unknown", "unknown", "1", "1", "unknown", "unknown"]
    assert notes([line]) == [
        "the cost of 1 job is unknown and in no sum.",
        "the length of 1 video is unknown and in no sum.",
    ]


@pytest.mark.parametrize(
    ("sent", "state", "counts"),
    [
        (attempt(), VideoState.SUBMITTING, True),
        (attempt(), VideoState.UNKNOWN, True),
        (failed(), VideoState.FAILED, True),  # abandoned by a person: it may have been paid all the same
        (failed(released=True), VideoState.FAILED, False),
        (failed(accepted=False), VideoState.FAILED, False),
    ],
)
def test_a_submission_of_unknown_outcome_may_have_been_paid(sent: Attempt, state: VideoState, counts: bool) -> None:
    lines = lines_of(made(sent, state=state))
    assert [(line.jobs, line.uncertain, line.without_cost) for line in lines] == [(0, 1, 1)] * counts


def test_a_released_job_that_had_been_accepted_is_still_billed() -> None:
    (line,) = lines_of(made(failed(released=True, task_id="a", cost="1 USD"), attempt(task_id="b", cost="1 USD")))
    assert (line.jobs, line.cost, line.cost_without_video) == (2, 2, 1)


def test_a_cost_whose_currency_is_not_known_stays_apart() -> None:
    lines = lines_of(made(attempt(task_id="a", cost="1 XXX")), made(attempt(task_id="b", cost="1 USD")))
    assert [(line.unit, line.cost, cells(line)[0]) for line in lines] == [("USD", 1, "USD"), ("XXX", 1, "unnamed")]


def test_an_estimate_in_another_unit_is_not_compared() -> None:
    (line,) = lines_of(made(attempt(task_id="a", cost="1 USD", estimate="10 credits")))
    assert (line.unit, line.without_estimate, line.estimate, line.difference) == ("USD", 1, None, None)


def test_a_length_that_is_not_known_does_not_make_seconds_cheaper_or_dearer() -> None:
    untimed = made(attempt(task_id="a", cost="5 USD"), seconds=None)
    (line,) = lines_of(untimed, made(attempt(task_id="b", cost="2 USD"), seconds=4))
    assert (line.cost, line.seconds, line.without_length, line.cost_per_second) == (7, 4, 1, Decimal("0.5"))


@pytest.mark.parametrize("length", [-1, "8", True, float("inf"), float("nan"), 10**12])
def test_a_length_that_cannot_be_is_unknown(length: Any) -> None:
    (line,) = lines_of(made(attempt(task_id="a", cost="1 USD"), seconds=length))
    assert (line.seconds, line.without_length) == (0, 1)


def test_days_are_in_utc_and_a_submission_counts_when_it_was_made() -> None:
    night = datetime(2026, 8, 2, 1, 30, tzinfo=timezone(timedelta(hours=2)))
    early = made(attempt(task_id="a", cost="1 USD", started_at=night))
    late = made(attempt(task_id="b", cost="2 USD", started_at=night + timedelta(hours=1)))
    by_day = lines_of(early, late, by="day")
    assert [(line.group, line.cost) for line in by_day] == [("2026-08-01", 1), ("2026-08-02", 2)]
    assert [line.cost for line in lines_of(early, late, since=date(2026, 8, 2))] == [2]


def test_a_submission_counts_when_it_was_sent_although_its_task_id_became_known_days_later() -> None:
    resolved = made(attempt(task_id="a", cost="1 USD", started_at=MOMENT, submitted_at=MOMENT + timedelta(days=9)))
    assert [line.group for line in lines_of(resolved, by="day")] == [f"{MOMENT:%F}"]


def test_only_the_submissions_since_then_count() -> None:
    old = failed(task_id="a", cost="1 USD", started_at=MOMENT - timedelta(days=9))
    (line,) = lines_of(made(old, attempt(task_id="b", cost="2 USD")), since=MOMENT.date())
    assert (line.jobs, line.cost, line.cost_without_video) == (1, 2, 0)


def test_a_model_is_called_as_the_gateway_calls_it() -> None:
    paid = attempt(task_id="a", cost="1 USD")
    named = made(paid, model="Veo-3.1", seconds=8)
    other = made(paid.model_copy(update={"gateway": "gone"}), model="veo", seconds=8)
    silent = made(paid.model_copy(update={"gateway": "gone"}))
    assert {line.group for line in lines_of(named, other, silent, by="model")} >= {"veo", "default"}
    (line,) = lines_of(made(paid), by="model")
    assert line.group not in ("", "default")


@pytest.mark.parametrize("version", ["1", "2"])
def test_records_of_older_versions_count(version: str) -> None:
    data = (VERSIONS / f"{version}.json").read_bytes()
    value = json.loads(data)
    name = f"{value['batch']}/a-red-apple-on-a-wooden-table-{value['key']}.json"
    (line,) = lines_of(parse(name, data))
    assert (line.jobs, line.videos) == (1, 1)
    if version == "1":
        assert (line.unit, line.cost) == ("USD", Decimal("0.25"))


# Exactness

VALUES = st.decimals(min_value=0, max_value=Decimal(10**12) - 1, places=PLACES) | st.decimals(0, 2, places=2)
AMOUNTS = st.builds(
    lambda value, unit: Amount(value=value, unit=unit), VALUES, st.sampled_from(("USD", "EUR", "credits", "XXX"))
)
MOMENTS = st.datetimes(datetime(2026, 7, 1), datetime(2026, 8, 2), timezones=st.just(UTC))
FAILURES = st.none() | st.builds(
    lambda accepted, released: {"category": "expired", "message": "", "accepted": accepted, "released": released},
    st.booleans(),
    st.booleans(),
)
ATTEMPTS = st.builds(
    attempt,
    account=st.sampled_from(("one", "two")),
    gateway=st.sampled_from(("apimart", "sora", "gone")),
    task_id=st.none() | st.just("t"),
    cost=st.none() | AMOUNTS,
    estimate=st.none() | AMOUNTS,
    started_at=MOMENTS,
    failure=FAILURES,
)
VIDEOS = st.builds(
    made,
    ATTEMPTS,
    ATTEMPTS,
    state=st.sampled_from(VideoState),
    seconds=st.none() | st.integers(1, 60) | st.floats(0, 1e6),
    batch=st.sampled_from(("a", "b")),
    model=st.sampled_from((None, "sora-2")),
)


@settings(max_examples=20)
@given(st.lists(VIDEOS, max_size=12))
def test_every_sum_is_exact_and_the_same_by_every_group(videos: list[VideoRecord]) -> None:
    exact: defaultdict[str, Fraction] = defaultdict(Fraction)
    for video in videos:
        for each in video.attempts:
            if each.cost:
                exact[each.cost.unit] += Fraction(each.cost.value)
    whole = totals(lines_of(*videos))
    assert {line.unit: Fraction(line.cost) for line in whole if line.cost is not None} == exact
    assert sum(line.videos for line in whole) == sum(video.state is VideoState.STORED for video in videos)
    for by in BYS:
        lines = lines_of(*videos, by=by)
        assert totals(lines) == whole
        assert len({(line.group, line.unit) for line in lines}) == len(lines)
    for line in whole:
        assert line.without_cost <= line.submissions
        assert (line.cost_without_video or 0) <= (line.cost or 0)
        assert cells(line)


@settings(max_examples=20)
@given(st.lists(VIDEOS, max_size=12), st.randoms())
def test_the_order_of_the_records_does_not_matter(videos: list[VideoRecord], random: Any) -> None:
    mixed = videos.copy()
    random.shuffle(mixed)
    assert lines_of(*videos, by="day") == lines_of(*mixed, by="day")


def test_ten_thousand_records_are_counted_in_little_memory() -> None:
    one, paid = made(), attempt(task_id="t", cost="0.01 USD")

    def videos() -> Iterator[VideoRecord]:
        for number in range(10_000):
            mine = paid.model_copy(update={"account": f"account {number % 7}"})
            yield one.model_copy(update={"key": str(number), "attempts": (mine,)})

    spending = Spending("account")
    tracemalloc.start()
    for video in videos():
        spending.add(video)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert totals(spending.lines)[0].cost == Decimal("100.00")
    assert len(spending.lines) == 7
    assert most < 2_000_000


# Since

TODAY = date(2026, 8, 20)


@pytest.mark.parametrize(
    ("since", "day"),
    [("2026-08-01", date(2026, 8, 1)), ("7d", date(2026, 8, 14)), ("1d", TODAY), ("2026-08-20", TODAY)],
)
def test_the_first_day(since: str, day: date) -> None:
    assert first_day(since, TODAY) == day


@pytest.mark.parametrize(
    "since", ["", "d", "0d", "-1d", "7", "7w", "9999999999d", "٣d", "yesterday", "2026-13-01", "2026-08-21"]
)
def test_a_first_day_that_is_none_is_refused(since: str) -> None:
    with pytest.raises(RequestError, match=r"spend not acceptable: since: .* \(accepted: a date such as 2026-08-01"):
        first_day(since, TODAY)


# The page


def day(ago: int, cost: str, **more: Any) -> VideoRecord:
    moment = datetime(TODAY.year, TODAY.month, TODAY.day, tzinfo=UTC) - timedelta(days=ago)
    return made(attempt(task_id="t", cost=cost, started_at=moment), **more)


def page(videos: Sequence[VideoRecord]) -> str:
    return spending_page(lines_of(*videos, by="day"), TODAY)


def test_the_page_has_sums_of_the_last_days_and_a_bar_for_each_day() -> None:
    shown = page([day(0, "1 USD"), day(3, "2 USD"), day(3, "4 credits"), day(29, "0.50 USD"), day(400, "8 USD")])
    rows = [row.split(" | ")[:4] for row in shown.splitlines() if row.startswith("| ")]
    assert [row for row in rows if "USD" in row] == [
        ["| today", "USD", "1", "1.00"],
        ["| 7 days", "USD", "2", "3.00"],
        ["| 30 days", "USD", "3", "3.50"],
        ["| in all", "USD", "4", "11.50"],
    ]
    plots = shown.split("```text\n")[1:]
    assert [plot.count("\n2026") + plot.startswith("2026") for plot in plots] == [30, 4]
    assert "2026-08-17 2.00 " + "█" * 32 in plots[0]
    assert "2026-08-20 1.00 " + "█" * 16 + "\n" in plots[0]
    assert "2026-08-18    -\n" in plots[0]
    assert "2026-08-17 4 " + "█" * 32 in plots[1]


def test_a_small_day_still_has_a_bar() -> None:
    assert "0.0001 ▏" in page([day(1, "100 USD"), day(0, "0.0001 USD")])


def test_a_page_where_nothing_is_known() -> None:
    shown = page([made(attempt(task_id="t"), state=VideoState.SUBMITTED)])
    assert "by day" not in shown
    assert "- the cost of 1 job is unknown and in no sum." in shown
