"""Several processes and a person work on one video, in any order, and may die before or after every single step.

Whatever happens, one click is one bill, and what was paid stays known.
"""

from __future__ import annotations

import asyncio
import uuid
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from unittest import mock

import httpx
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from pydantic import SecretStr

from prefect_omnivideo.core.client.account import Account
from prefect_omnivideo.core.client.client import GatewayClient
from prefect_omnivideo.core.errors import JobFailedError, StoreError
from prefect_omnivideo.core.gateways.registry import get_gateway
from prefect_omnivideo.core.gateways.specification import Answer, HttpCall, Job, JobStatus
from prefect_omnivideo.core.jobs import deliver as delivery
from prefect_omnivideo.core.jobs import submit as submission
from prefect_omnivideo.core.jobs import wait as waiting
from prefect_omnivideo.core.jobs.fetching import Fetching
from prefect_omnivideo.core.records import model as record_module
from prefect_omnivideo.core.records import resolve as settle
from prefect_omnivideo.core.records.model import CLOCKS_APART, StoredFile, VideoRecord, VideoState
from prefect_omnivideo.core.records.repository import Records, parse
from prefect_omnivideo.core.request import VideoRequest
from tests.core.records.acting import Actor, Memory, Stage, acting, is_expected, log

BATCH = "batch"
REQUEST = VideoRequest(prompt="a red apple")
MOST_ACTORS = 3
PROVIDER = get_gateway("apimart")
ACCOUNT = Account(PROVIDER, "apimart", "https://gateway.example", SecretStr("key"), PROVIDER.routes[0])

SUBMITTING, SUBMITTED, FINISHED, STORED, FAILED, UNKNOWN = VideoState
EDGES = {
    (SUBMITTING, SUBMITTED),
    (SUBMITTING, FAILED),
    (SUBMITTING, UNKNOWN),
    (SUBMITTED, FINISHED),  # its end was seen
    (FINISHED, FINISHED),
    (FINISHED, STORED),
    (FINISHED, FAILED),
    (SUBMITTED, STORED),
    (SUBMITTED, FAILED),
    (UNKNOWN, SUBMITTED),  # whoever held the claim was slow, not dead
    (UNKNOWN, FAILED),
    (FAILED, SUBMITTING),  # surely unpaid, or released by a person
    (FAILED, SUBMITTED),  # the same after a person's decision
}
BY_A_PERSON = {
    *((state, FAILED) for state in (SUBMITTING, SUBMITTED, FINISHED, UNKNOWN, FAILED)),
    *((state, SUBMITTED) for state in (SUBMITTING, SUBMITTED, FINISHED, UNKNOWN, FAILED)),
}
ANSWERS = {
    "no balance": Answer(402, {}, {"error": {"code": 402, "message": "insufficient balance"}}),
    "refused": Answer(400, {}, {"error": {"code": 400, "message": "no such model"}}),
    "error": Answer(500, {}, {"error": {"code": 500, "message": "internal error"}}),
}


class RecordMachine(RuleBasedStateMachine):
    """The world: a store, a gateway that bills, a clock, processes, and a person."""

    @initialize()
    def open(self) -> None:
        self.store = Memory(self.changed)
        self.records = Records(self.store)
        self.actors: list[Actor] = []
        self.decisions = 0
        self.moment = datetime(2026, 8, 1, tzinfo=UTC)
        self.stage = Stage()
        self.patches = [
            *(mock.patch.object(module, "now", self.now) for module in (record_module, submission, settle)),
            mock.patch.object(submission, "CLAIM_PAUSE", 0),
            mock.patch.object(GatewayClient, "_send", self.post),
            mock.patch.object(delivery.Fetching, "all", fetch_all),
        ]
        for patch in self.patches:
            patch.start()

    @precondition(lambda self: len(self.living) < MOST_ACTORS)
    @rule(succeeds=st.booleans())
    def begin(self, succeeds: bool) -> None:
        """A process sets out to make the video."""
        actor = Actor()
        self.actors.append(actor)
        self.stage.begin(actor, lambda: self.live(succeeds))

    @precondition(lambda self: self.at("store"))
    @rule(
        which=st.integers(0, MOST_ACTORS - 1),
        fate=st.sampled_from(["done"] * 6 + ["refused", "answer lost", "killed before", "killed after"]),
    )
    def step_in_the_store(self, which: int, fate: str) -> None:
        """One read or one write."""
        actors = self.at("store")
        actors[which % len(actors)].go(fate)

    @precondition(lambda self: self.at("store"))
    @rule(which=st.integers(0, MOST_ACTORS - 1), steps=st.integers(2, 8))
    def some_steps_in_the_store(self, which: int, steps: int) -> None:
        """Undisturbed for a while: the later steps of a life would be rare otherwise."""
        actors = self.at("store")
        actor = actors[which % len(actors)]
        while steps and actor.place == "store":
            steps -= 1
            actor.go("done")

    @precondition(lambda self: self.at("gateway"))
    @rule(
        which=st.integers(0, MOST_ACTORS - 1),
        accepted=st.booleans(),
        fate=st.sampled_from(["done"] * 3 + [*ANSWERS, "cut", "cancelled", "killed before", "killed after"]),
    )
    def step_at_the_gateway(self, which: int, accepted: bool, fate: str) -> None:
        """One POST: accepted or not where the answer leaves that open."""
        actors = self.at("gateway")
        actor = actors[which % len(actors)]
        if fate == "done" or (accepted and fate in ("error", "cut", "cancelled", "killed after")):
            actor.jobs.append(uuid.uuid4().hex)
        actor.go(fate)

    @rule()
    def time_passes(self) -> None:
        """Long enough for every claim to end."""
        self.moment += timedelta(seconds=ACCOUNT.claim_seconds + 1) + CLOCKS_APART

    @rule(decision=st.sampled_from(["accept", "resubmit", "abandon"]))
    def person(self, decision: str) -> None:
        """A person settles what no program can."""
        found = self.records.load(BATCH, REQUEST)
        if found is None:
            return
        claim = found.record.attempt.claim_id
        at_the_gateway = [job for actor in self.actors if actor.claim == claim for job in actor.jobs]
        with suppress(StoreError):  # a decision that nobody asked for
            if decision == "accept" and at_the_gateway:
                settle.accept(self.records, REQUEST.key, BATCH, at_the_gateway[0])
            elif decision == "resubmit":
                settle.resubmit(self.records, REQUEST.key, BATCH)
                self.decisions += 1
            elif decision == "abandon":
                settle.abandon(self.records, REQUEST.key, BATCH)

    @invariant()
    def one_click_one_bill(self) -> None:
        if not hasattr(self, "actors"):
            return
        assert all(len(actor.jobs) <= 1 for actor in self.actors), "one claim, one submission"
        assert sum(len(actor.jobs) for actor in self.actors) <= 1 + self.decisions

    def teardown(self) -> None:
        """Everybody who lives comes to an end, and what was paid is known."""
        if not hasattr(self, "actors"):
            return
        try:
            for turn in range(10_000):
                if not (living := self.living):
                    break
                if turn % 50 == 49:
                    self.time_passes()
                actor = living[turn % len(living)]
                if actor.place == "gateway":
                    self.step_at_the_gateway(self.at("gateway").index(actor), accepted=True, fate="done")
                else:
                    actor.go("done")
            self.one_click_one_bill()
            for actor in self.actors:
                assert is_expected(actor.error), repr(actor.error)
                self.nothing_is_lost(actor)
        finally:
            for patch in self.patches:
                patch.stop()
            self.stage.close()

    def nothing_is_lost(self, actor: Actor) -> None:
        """What an actor paid for is on record by its id, or parked for a person."""
        if not actor.jobs:
            return
        found = self.records.load(BATCH, REQUEST)
        assert found is not None
        attempt = next(a for a in found.record.attempts if a.claim_id == actor.claim)
        if actor.answered and not actor.is_dead:
            assert actor.jobs[0] in task_ids(found.record)
        elif attempt.task_id is None and attempt is found.record.attempt and found.record.state is FAILED:
            assert was_decided_by_person(found.record), "only a person gives up what may have been paid"

    async def live(self, succeeds: bool) -> None:
        """What a flow does for one video; the gateway's answers and the bytes are made up."""
        record = await submission.submit(REQUEST, ACCOUNT, self.records, BATCH, log)
        if record.state is not SUBMITTED:
            return
        acting.get().awaits = record.attempt.task_id
        if succeeds:
            job = Job(task_id=str(record.attempt.task_id), status=JobStatus.SUCCEEDED, status_word="completed")
            await delivery.deliver(record, job, ACCOUNT, self.records, log)
        else:
            await waiting.fail(record, self.records, JobFailedError("no", category="gateway error"), log)

    async def post(self, http: httpx.AsyncClient, call: HttpCall) -> Answer:
        """The gateway. It has billed the job already, if it was to accept it."""
        actor = acting.get()
        fate = await asyncio.to_thread(actor.ask, "gateway")
        actor.killed_after(fate)
        if fate == "cut":
            raise httpx.ReadError("cut")
        if fate == "cancelled":
            task = asyncio.current_task()
            assert task is not None
            task.cancel()
            await asyncio.sleep(0)
        if fate in ANSWERS:
            return ANSWERS[fate]
        actor.answered = True
        return Answer(200, {}, {"code": 200, "data": [{"status": "submitted", "task_id": actor.jobs[-1]}]})

    def changed(self, name: str, before: bytes | None, after: bytes) -> None:
        """Every write: only allowed steps, and nothing that was known is forgotten."""
        old, new = before and parse(name, before), parse(name, after)
        actor = acting.get(None)
        if actor and (not old or len(new.attempts) > len(old.attempts)):
            actor.claim = new.attempt.claim_id
        if actor is None:
            assert old is not None
            assert (old.state, new.state) in BY_A_PERSON
        elif old is None:
            assert new.state is SUBMITTING
        elif not only_late_news(old, new):
            assert (old.state, new.state) in EDGES
            if old.state is UNKNOWN or new.state is UNKNOWN:
                self.is_its_business(actor, old)
            if old.state in (SUBMITTED, FINISHED):
                assert old.attempt.task_id == actor.awaits, "the end of one job is not that of another"
            if new.state is STORED:
                assert new.files[0].sha256 == new.attempt.task_id, "the video of another job"
            if (old.state, new.state) == (FAILED, SUBMITTING):
                assert old.failure is not None
                assert old.failure.released or not old.failure.accepted, "what may have been paid is not sent again"
            if (old.state, new.state) == (FAILED, SUBMITTED):
                assert was_decided_by_person(old), "only a person's decision gives way to better news"
                self.is_its_business(actor, old)
        if old:
            assert task_ids(old) <= task_ids(new), "a task id is never forgotten"
            assert [a.claim_id for a in new.attempts][: len(old.attempts)] == [a.claim_id for a in old.attempts]

    def is_its_business(self, actor: Actor, old: VideoRecord) -> None:
        over = old.state is SUBMITTING and self.moment > old.attempt.claim_ends_at
        assert over or old.attempt.claim_id == actor.claim, "nobody settles another's claim before it is over"

    def now(self) -> datetime:
        self.moment += timedelta(milliseconds=1)
        return self.moment

    @property
    def living(self) -> list[Actor]:
        return [actor for actor in self.actors if actor.place != "end"]

    def at(self, place: str) -> list[Actor]:
        return [actor for actor in self.living if actor.place == place]


def only_late_news(old: VideoRecord, new: VideoRecord) -> bool:
    """Whether all that changed is the task id of an attempt after which a person had the request sent again."""
    return old.state is new.state and old.attempt == new.attempt and old.files == new.files


def was_decided_by_person(record: VideoRecord) -> bool:
    """Whether it failed by a person's decision alone."""
    return record.failure is not None and record.failure.category == "abandoned"


def task_ids(record: VideoRecord) -> set[str]:
    return {attempt.task_id for attempt in record.attempts if attempt.task_id}


async def fetch_all(fetching: Fetching, job: Job) -> list[StoredFile]:
    name = f"{BATCH}/{REQUEST.slug}-{REQUEST.key}.mp4"
    return [
        StoredFile(
            name=name,
            uri=f"memory:{name}",
            size=1,
            sha256=job.task_id,
            content_type="video/mp4",
            source_host="cdn.example",
            transfer_seconds=0,
        )
    ]


TestRecords = RecordMachine.TestCase
TestRecords.settings = settings(stateful_step_count=60)
