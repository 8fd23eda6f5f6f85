"""Deciding from a console's listing: one reading or a person; no job for two videos, no paid job released."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from prefect_omnivideo.core.client.console import Console, ConsoleTask, tasks_between
from prefect_omnivideo.core.jobs.evidence import (
    SETTLING,
    TOLERANCE,
    Adopt,
    Candidates,
    NotAccepted,
    TooEarly,
    Verdict,
    decide,
    listing_span,
    open_attempts,
    owners,
)
from prefect_omnivideo.core.records.model import Attempt, VideoRecord, new_record
from prefect_omnivideo.core.request import VideoRequest
from prefect_omnivideo.sandbox import Settings, running
from tests.accounts import credentials
from tests.core.records.samples import MOMENT, attempt

CLAIM = timedelta(minutes=5)
LATER = MOMENT + timedelta(hours=1)
MODEL = "sora-2"


def at(seconds: float) -> datetime:
    return MOMENT + timedelta(seconds=seconds)


def sent(prompt: str = "a pear", seconds: float = 0, model: str | None = MODEL, **settings: Any) -> VideoRecord:
    """A record whose submission began so many seconds after MOMENT, and whose outcome is unknown."""
    known: dict[str, Any] = {
        "gateway": "sora",
        "base_url": "https://gateway.example",
        "submit_path": "/v1/videos",
        "claim_id": f"{prompt} {seconds}",
        "started_at": at(seconds),
        "claim_ends_at": at(seconds) + CLAIM,
    }
    return new_record(VideoRequest(prompt=prompt, model=model), "daily", attempt(**known | settings)).unknown()


def made(record: VideoRecord, task_id: str) -> VideoRecord:
    """The same with the job's id, told two seconds after the submission began."""
    told = {"task_id": task_id, "submitted_at": record.attempt.started_at + timedelta(seconds=2)}
    return record.model_copy(update={"attempts": (*record.attempts[:-1], record.attempt.model_copy(update=told))})


def task(task_id: str = "task_1", seconds: float = 2, model: str = MODEL, **told: Any) -> ConsoleTask:
    return ConsoleTask(task_id, at(seconds), "IN_PROGRESS", model, **told)


OWN = made(sent("made before", -100), "task_0")
PROOF = task("task_0", -98)
"""A job that the account is known to have made, as the console lists it."""


def verdict(
    unknown: VideoRecord,
    tasks: Sequence[ConsoleTask],
    *others: VideoRecord,
    now: datetime = LATER,
    owned: dict[str, Attempt] | None = None,
) -> Verdict:
    records = [unknown, *others, OWN]
    unknowns = [record for record in records if open_attempts(record)]
    return decide(unknown, unknowns, tasks, owners(records) if owned is None else owned, now)


def test_one_job_and_one_unknown_belong_together() -> None:
    assert verdict(sent(), [task(), PROOF]) == Adopt("task_1")


def test_nothing_was_accepted_where_an_honest_listing_shows_nothing() -> None:
    assert verdict(sent(), [PROOF]) == NotAccepted()


@pytest.mark.parametrize("seconds", [-61, 300 + 61])
def test_a_job_outside_the_claims_window_is_not_adopted(seconds: float) -> None:
    assert not isinstance(verdict(sent(), [task(seconds=seconds), PROOF]), Adopt)


@pytest.mark.parametrize("seconds", [-60, 0, 300, 360])
def test_the_window_ends_with_the_claim_give_or_take_the_clocks(seconds: float) -> None:
    assert verdict(sent(), [task(seconds=seconds), PROOF]) == Adopt("task_1")


def test_a_job_that_came_late_forbids_the_release() -> None:
    late = task(seconds=300 + 14 * 60)
    assert verdict(sent(), [late, PROOF]) == Candidates((late,))


@pytest.mark.parametrize(
    "other",
    [task(model="veo3"), task(prompt="an apple"), task(own_id="feedfeedfeedfeed")],
    ids=["model", "prompt", "id"],
)
def test_a_job_that_says_otherwise_is_not_adopted_and_forbids_the_release(other: ConsoleTask) -> None:
    assert verdict(sent(), [other, PROOF]) == Candidates((other,))


def test_two_jobs_or_two_unknowns_are_for_a_person() -> None:
    first, second = task("task_1"), task("task_2", 9)
    assert verdict(sent(), [first, second, PROOF]) == Candidates((first, second))
    assert verdict(sent("a pear"), [first, PROOF], sent("an apple", 10)) == Candidates((first,))


def test_an_unknown_of_another_time_or_model_or_gateway_is_no_rival() -> None:
    earlier, veo = sent("an apple", -1000), sent("an apple", model="veo3")
    elsewhere = sent("an apple", gateway="12ai", base_url="https://cdn.12ai.org", model=MODEL)
    assert verdict(sent(), [task(), PROOF], earlier, veo, elsewhere) == Adopt("task_1")


def test_another_key_of_the_same_user_is_a_rival() -> None:
    assert isinstance(verdict(sent(), [task(), PROOF], sent("an apple", account="second")), Candidates)


def test_an_earlier_attempt_that_was_released_is_a_rival() -> None:
    apple = sent("an apple")
    again = made(apple.released().again(attempt(gateway="sora", started_at=at(4000), claim_ends_at=at(4300))), "task_9")
    assert len(open_attempts(again)) == 1
    assert isinstance(verdict(sent(), [task(), PROOF], again), Candidates)


def test_an_attempt_that_was_surely_refused_is_no_rival() -> None:
    refused = sent("an apple").failed("no balance", "no money", accepted=False)
    assert open_attempts(refused) == []
    assert decide(sent(), [refused], [task()], {}, LATER) == Adopt("task_1")


def test_what_a_record_owns_is_not_adopted_by_another() -> None:
    owner = made(sent("an apple", 1), "task_1")
    assert verdict(sent(), [task(), PROOF], owner) == NotAccepted()


def test_prompts_tell_several_apart() -> None:
    pear, apple = sent("a  pear\n"), sent("an apple", 5)
    listed = [task("task_1", 2, prompt="a pear"), task("task_2", 7, prompt="an apple"), PROOF]
    assert verdict(pear, listed, apple) == Adopt("task_1")
    assert verdict(apple, listed, pear) == Adopt("task_2")


def test_a_prompt_that_was_cut_may_be_either() -> None:
    listed = [task("task_1", 2, prompt="a"), PROOF]
    assert isinstance(verdict(sent("a pear"), listed, sent("a plum", 5)), Candidates)


def test_the_records_own_key_settles_it_among_many() -> None:
    pear, plum = sent("a pear"), sent("a plum", 5)
    listed = [task("task_1", own_id=pear.key), task("task_2", own_id=plum.key), task("task_3"), PROOF]
    assert verdict(pear, listed, plum) == Adopt("task_1")
    assert verdict(plum, listed, pear) == Adopt("task_2")


def test_one_key_in_two_batches_is_for_a_person() -> None:
    pear = sent("a pear")
    twin = pear.model_copy(update={"batch": "weekly"})
    assert isinstance(verdict(pear, [task(own_id=pear.key), PROOF], twin), Candidates)


def test_the_default_model_counts_where_the_request_names_none() -> None:
    assert verdict(sent(model=None), [task(model="gemini-omni"), PROOF]) == Adopt("task_1")
    assert isinstance(verdict(sent(model=None), [task(), PROOF]), Candidates)
    assert verdict(sent(model=None), [task(model=""), PROOF]) == Adopt("task_1")


def test_nothing_is_said_while_the_claim_lives_or_may_still_be_listed() -> None:
    over = at(0) + CLAIM + 2 * TOLERANCE
    assert verdict(sent(), [task(), PROOF], now=over) == TooEarly(over)
    assert verdict(sent(), [task(), PROOF], now=over + timedelta(seconds=1)) == Adopt("task_1")
    settled = at(0) + CLAIM + SETTLING
    assert verdict(sent(), [PROOF], now=over + timedelta(seconds=1)) == TooEarly(settled)
    assert verdict(sent(), [PROOF], now=settled) == NotAccepted()


@pytest.mark.parametrize(
    "listed",
    [[], [task("task_0", -98 + 3600)], [task("task_0", -98 - 3600)]],
    ids=["another user's console", "a clock ahead", "a clock behind"],
)
def test_a_listing_that_shows_no_job_of_this_account_at_its_time_releases_nothing(listed: list[ConsoleTask]) -> None:
    found = verdict(sent(), listed)
    assert isinstance(found, Candidates)


def test_a_job_of_another_account_proves_nothing() -> None:
    theirs = made(sent("made before", -100, account="second"), "task_0")
    assert verdict(sent(), [PROOF], owned=owners([theirs])) == Candidates(())


def test_a_record_with_an_outcome_is_not_decided_about() -> None:
    for record in (made(sent(), "task_5"), sent().failed("no balance", "no money", accepted=False)):
        assert verdict(record, [task(), PROOF]) == Candidates(())


def test_a_listing_reaches_from_the_window_to_the_nearest_job_of_the_account() -> None:
    pear = sent()
    assert listing_span([pear], {}) == (at(-60), at(300 + 60 + 15 * 60))
    near, far = made(sent("b", 5000), "task_b"), made(sent("c", -90_000), "task_c")
    theirs = made(sent("d", 1500, account="second"), "task_d")
    start, end = listing_span([pear], owners([near, far, theirs]))
    assert (start, end) == (at(-60), at(5000 + 300 + 60))
    assert listing_span([pear], owners([OWN]))[0] == at(-160)


# Seconds and words from small sets, so that windows overlap and jobs are contested.
TIMES = st.integers(-400, 1600)
PROMPTS = ("a pear", "a plum", "an apple")
MODELS = st.sampled_from((MODEL, "veo3"))
UNKNOWNS = st.lists(st.builds(sent, st.sampled_from(PROMPTS), TIMES, MODELS), max_size=4, unique_by=lambda r: r.key)
TASKS = st.lists(
    st.builds(
        task,
        st.sampled_from([f"task_{number}" for number in range(6)]),
        TIMES,
        st.sampled_from((MODEL, "veo3", "")),
        prompt=st.sampled_from(("", "a", *PROMPTS)),
        own_id=st.sampled_from(("", sent().key, "feed")),
    ),
    max_size=6,
)


@given(UNKNOWNS, TASKS, st.integers(0, 5000), st.booleans())
def test_whatever_is_listed(unknowns: list[VideoRecord], tasks: list[ConsoleTask], now: int, proof: bool) -> None:
    records = [*unknowns, made(sent("owned", 100), "task_5"), OWN]
    listed = [*tasks, PROOF] if proof else tasks
    owned, free = owners(records), {row.task_id for row in tasks} - {"task_5", "task_0"}
    adopted: list[str] = []
    for unknown in unknowns:
        found = decide(unknown, unknowns, listed, owned, at(now))
        start, end = unknown.attempt.started_at - TOLERANCE, unknown.attempt.claim_ends_at + TOLERANCE
        rows = {row.task_id: row for row in listed}.values()
        near = [row for row in rows if row.task_id in free and start <= row.submitted_at <= end]
        if isinstance(found, Adopt):
            adopted.append(found.task_id)
            assert found.task_id in {row.task_id for row in near if row.model in (unknown.request.model, "")}
            assert at(now) > unknown.attempt.claim_ends_at
        elif isinstance(found, NotAccepted):
            assert near == []
            assert at(now) >= unknown.attempt.claim_ends_at + SETTLING
            assert any(row.task_id in owned for row in listed)
        elif isinstance(found, Candidates):
            assert all(row.task_id in free for row in found.tasks)
    assert len(adopted) == len(set(adopted))


@pytest.mark.parametrize(
    ("gateway", "model"), [("12ai", "omni_flash-10s"), ("omnirouters", "Veo-3.1"), ("sora", MODEL)]
)
async def test_a_lost_job_is_found_in_the_consoles_of_the_sandbox(gateway: str, model: str) -> None:
    clock = [at(0).timestamp()]
    with running(Settings(latency=3600), clock=lambda: clock[0]) as sandbox:
        account = credentials(sandbox, gateway).account()
        of_it = {"gateway": gateway, "account": account.name, "base_url": account.base_url, "model": model}
        with httpx.Client(base_url=account.base_url, headers={"Authorization": f"Bearer {sandbox.key}"}) as http:
            for seconds, prompt in (
                (0, "kept"),
                (1000, "lost [fault:drop-after]"),
                (2000, "never [fault:drop-before]"),
            ):
                clock[0] = at(seconds + 1).timestamp()
                with suppress(httpx.HTTPError):
                    http.post("/v1/videos", json={"model": model, "prompt": prompt})
        kept, job = sandbox.jobs()
        records = [
            made(sent("kept", 0, **of_it), kept["id"]),
            lost := sent("lost [fault:drop-after]", 1000, **of_it),
            never := sent("never [fault:drop-before]", 2000, **of_it),
        ]
        unknowns, owned = [lost, never], owners(records)
        console = Console(SecretStr("sandbox-access-token"), "1")
        tasks = await tasks_between(account, console, *listing_span(unknowns, owned))
    assert tasks is not None
    assert decide(lost, unknowns, tasks, owned, LATER) == Adopt(job["id"])
    assert decide(never, unknowns, tasks, owned, LATER) == NotAccepted()
