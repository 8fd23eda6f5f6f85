"""One POST, one bill: what is sent again and what never is, counted by the gateway."""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from prefect_omnivideo.core.client.client import GatewayClient
from prefect_omnivideo.core.errors import (
    ModeratedError,
    NoBalanceError,
    NotAcceptedError,
    RateLimitedError,
    RefusedError,
    RequestError,
    StoreError,
    StoreUnavailableError,
    SubmissionUnknownError,
    UnauthorizedError,
    UnavailableError,
    UnreachableError,
)
from prefect_omnivideo.core.gateways.specification import Reason, Rejected, Unknown
from prefect_omnivideo.core.jobs import submit as submission
from prefect_omnivideo.core.jobs.submit import submit
from prefect_omnivideo.core.records.model import VideoState, now
from prefect_omnivideo.core.records.repository import Records
from prefect_omnivideo.core.request import VideoRequest
from prefect_omnivideo.core.storage.folder import Folder
from prefect_omnivideo.sandbox import Sandbox
from tests.accounts import GATEWAYS, credentials

BATCH = "batch"


def received(sandbox: Sandbox, gateway: str) -> int:
    return sandbox.stats()["gateways"][gateway].get("submissions", 0)


@pytest.mark.parametrize("gateway", GATEWAYS)
async def test_the_record_knows_the_task_id(
    gateway: str, sandbox: Sandbox, records: Records, log: logging.Logger
) -> None:
    request = VideoRequest(prompt="a red apple")
    record = await submit(request, credentials(sandbox, gateway).account(), records, BATCH, log)
    stored = records.load(BATCH, request)
    assert stored is not None
    assert stored.record == record
    assert record.state is VideoState.SUBMITTED
    assert record.attempt.task_id in {job["id"] for job in sandbox.jobs() if job["gateway"] == gateway}
    assert sandbox.key not in stored.record.model_dump_json()


SENT_AGAIN = [("429*2", 3), ("retry-after=0.1", 2), ("429-empty", 2)]


@pytest.mark.parametrize(("fault", "posts"), SENT_AGAIN, ids=[fault for fault, _ in SENT_AGAIN])
async def test_sent_again_after_a_refusal_before_acceptance(
    fault: str, posts: int, sandbox: Sandbox, records: Records, log: logging.Logger
) -> None:
    before, bill = received(sandbox, "omnirouters"), len(sandbox.jobs())
    request = VideoRequest(prompt=f"again [fault:{fault}]")
    record = await submit(request, credentials(sandbox, "omnirouters").account(), records, BATCH, log)
    assert record.state is VideoState.SUBMITTED
    assert received(sandbox, "omnirouters") - before == posts
    assert len(sandbox.jobs()) - bill == 1


NEVER_AGAIN: list[tuple[str, int, type[Exception], VideoState]] = [
    ("500", 0, SubmissionUnknownError, VideoState.UNKNOWN),
    ("502", 0, SubmissionUnknownError, VideoState.UNKNOWN),
    ("503", 0, SubmissionUnknownError, VideoState.UNKNOWN),
    ("504", 0, SubmissionUnknownError, VideoState.UNKNOWN),
    ("524", 0, SubmissionUnknownError, VideoState.UNKNOWN),
    ("drop-before", 0, SubmissionUnknownError, VideoState.UNKNOWN),
    ("drop-after", 1, SubmissionUnknownError, VideoState.UNKNOWN),
    ("500-after", 1, SubmissionUnknownError, VideoState.UNKNOWN),
    ("garbage", 1, SubmissionUnknownError, VideoState.UNKNOWN),
    ("400", 0, RefusedError, VideoState.FAILED),
    ("no-balance", 0, NoBalanceError, VideoState.FAILED),
]


@pytest.mark.parametrize("gateway", GATEWAYS)
@pytest.mark.parametrize(("fault", "billed", "error", "state"), NEVER_AGAIN, ids=[row[0] for row in NEVER_AGAIN])
async def test_never_sent_again(
    gateway: str,
    fault: str,
    billed: int,
    error: type[Exception],
    state: VideoState,
    sandbox: Sandbox,
    records: Records,
    log: logging.Logger,
) -> None:
    before, bill = received(sandbox, gateway), len(sandbox.jobs())
    request = VideoRequest(prompt=f"never again [fault:{fault}]")
    if (fault, gateway) == ("no-balance", "jimmyai"):
        error = RefusedError  # it has no code of its own for that, and words decide nothing
    with pytest.raises(error):
        await submit(request, credentials(sandbox, gateway).account(), records, BATCH, log)
    stored = records.load(BATCH, request)
    assert stored is not None
    assert stored.record.state is state
    assert sum(map(len, (answer.body for answer in stored.record.attempt.answers))) <= 8192
    assert received(sandbox, gateway) - before == 1
    assert len(sandbox.jobs()) - bill == billed


async def test_an_answer_that_never_comes_leaves_the_outcome_unknown(
    sandbox: Sandbox, records: Records, log: logging.Logger
) -> None:
    before = received(sandbox, "apimart")
    request = VideoRequest(prompt="slow [fault:slow=30]")
    account = replace(credentials(sandbox, "apimart").account(), request_seconds=0.3)
    with pytest.raises(SubmissionUnknownError, match="not sent again"):
        await submit(request, account, records, BATCH, log)
    assert received(sandbox, "apimart") - before == 1


async def test_a_wrong_key_is_said_and_tried_again_by_a_later_run(
    sandbox: Sandbox, records: Records, log: logging.Logger
) -> None:
    request = VideoRequest(prompt="a key that is wrong")
    with pytest.raises(UnauthorizedError) as caught:
        await submit(request, credentials(sandbox, "sora", api_key="sk-wrong-one").account(), records, BATCH, log)
    assert "sk-wrong-one" not in str(caught.value)
    record = await submit(request, credentials(sandbox, "sora").account(), records, BATCH, log)
    assert record.state is VideoState.SUBMITTED
    assert [attempt.failure is None for attempt in record.attempts] == [False, True]


async def test_nobody_at_the_address(records: Records, sandbox: Sandbox, log: logging.Logger) -> None:
    account = credentials(sandbox, "apimart", base_url="http://127.0.0.1:9").account()
    with pytest.raises(UnreachableError, match="Nothing was sent"):
        await submit(VideoRequest(prompt="x"), account, records, BATCH, log)


async def test_an_unacceptable_request_writes_and_sends_nothing(
    sandbox: Sandbox, records: Records, log: logging.Logger
) -> None:
    before = received(sandbox, "apimart")
    with pytest.raises(RequestError, match="duration"):
        await submit(
            VideoRequest(prompt="x", duration=5), credentials(sandbox, "apimart").account(), records, BATCH, log
        )
    assert list(records.all()) == []
    assert received(sandbox, "apimart") == before


@pytest.mark.parametrize("state", [VideoState.SUBMITTED, VideoState.UNKNOWN])
async def test_submitting_twice_sends_once(
    state: VideoState, sandbox: Sandbox, records: Records, log: logging.Logger
) -> None:
    fault = {VideoState.SUBMITTED: "", VideoState.UNKNOWN: "[fault:drop-after]"}[state]
    request = VideoRequest(prompt=f"twice {fault}")
    account = credentials(sandbox, "jimmyai").account()
    if state is VideoState.UNKNOWN:
        with pytest.raises(SubmissionUnknownError):
            await submit(request, account, records, BATCH, log)
    else:
        await submit(request, account, records, BATCH, log)
    bill = len(sandbox.jobs())
    again = await submit(request, account, records, BATCH, log)
    assert again.state is state
    assert len(sandbox.jobs()) == bill


async def test_many_at_the_same_moment_send_once(sandbox: Sandbox, records: Records, log: logging.Logger) -> None:
    bill = len(sandbox.jobs())
    request = VideoRequest(prompt="all at once")
    account = credentials(sandbox, "12ai").account()
    found = await asyncio.gather(*(submit(request, account, records, BATCH, log) for _ in range(8)))
    assert {record.attempt.task_id for record in found} == {sandbox.jobs()[-1]["id"]}
    assert len(sandbox.jobs()) - bill == 1


async def test_a_clock_that_is_ahead_ends_nobodys_claim(
    sandbox: Sandbox, records: Records, log: logging.Logger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another machine is submitting, by whose clock its claim is not over yet."""
    monkeypatch.setattr(submission, "CLAIM_PAUSE", 0.01)
    request = VideoRequest(prompt="submitted by a machine whose clock is behind")
    account = credentials(sandbox, "apimart").account()
    await submit(request, account, records, BATCH, log)
    current = records.load(BATCH, request)
    assert current is not None
    attempt, ago = current.record.attempt, timedelta(seconds=account.claim_seconds + 60)
    theirs = attempt.model_copy(
        update={"task_id": None, "started_at": now() - ago, "claim_ends_at": now() - timedelta(seconds=60)}
    )
    alive = current.record.model_copy(update={"state": VideoState.SUBMITTING, "attempts": (theirs,)})
    current = records.save(alive, current.etag)
    waiting = asyncio.create_task(submit(request, account, records, BATCH, log))
    await asyncio.sleep(0.05)
    records.update(current, lambda record: record.accepted(theirs.claim_id, "task_theirs"))
    found = await waiting
    assert (found.state, found.attempt.task_id) == (VideoState.SUBMITTED, "task_theirs")


async def test_a_claim_whose_process_died_is_unknown(sandbox: Sandbox, records: Records, log: logging.Logger) -> None:
    """A record that still says `submitting` after its claim ended may have been paid: it is never sent again."""
    request = VideoRequest(prompt="killed inside the POST")
    account = credentials(sandbox, "apimart").account()
    await submit(request, account, records, BATCH, log)
    current = records.load(BATCH, request)
    assert current is not None
    attempt = current.record.attempt
    dead = attempt.model_copy(update={"task_id": None, "claim_ends_at": now() - timedelta(seconds=1)})
    dead_record = current.record.model_copy(update={"state": VideoState.SUBMITTING, "attempts": (dead,)})
    records.save(dead_record, current.etag)
    bill = len(sandbox.jobs())
    assert (await submit(request, account, records, BATCH, log)).state is VideoState.UNKNOWN
    assert len(sandbox.jobs()) == bill


class LosesAnswers(Folder):
    """A store that writes the claim and then fails to say so."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.creates = 0

    def create(self, name: str, data: bytes, **kwargs: Any) -> str:
        self.creates += 1
        version = super().create(name, data, **kwargs)
        if self.creates == 1:
            raise StoreUnavailableError("the answer was lost")
        return version


async def test_a_claim_whose_answer_was_lost_is_still_ours(
    sandbox: Sandbox, tmp_path: Path, log: logging.Logger
) -> None:
    records = Records(LosesAnswers(tmp_path))
    record = await submit(VideoRequest(prompt="x"), credentials(sandbox, "apimart").account(), records, BATCH, log)
    assert record.state is VideoState.SUBMITTED


class ForgetsOnce(Folder):
    """A store that is away for a while after the claim."""

    refusals = 3

    def replace(self, name: str, data: bytes, version: str, **kwargs: Any) -> str:
        if self.refusals:
            self.refusals -= 1
            raise StoreError("the store is away")
        return super().replace(name, data, version, **kwargs)


async def test_a_task_id_is_kept_although_the_store_is_away(
    sandbox: Sandbox, tmp_path: Path, log: logging.Logger, caplog: pytest.LogCaptureFixture
) -> None:
    Folder(tmp_path).prove()
    records = Records(ForgetsOnce(tmp_path))
    request = VideoRequest(prompt="the store goes away")
    record = await submit(request, credentials(sandbox, "apimart").account(), records, BATCH, log)
    stored = records.load(BATCH, request)
    assert stored is not None
    assert stored.record.attempt.task_id == record.attempt.task_id == sandbox.jobs()[-1]["id"]
    assert str(record.attempt.task_id) in caplog.text, "a person could save it by hand"


async def test_a_cancelled_submission_is_unknown_not_lost(
    sandbox: Sandbox, records: Records, log: logging.Logger
) -> None:
    request = VideoRequest(prompt="cancelled [fault:slow=30]")
    bill = len(sandbox.jobs())
    running = asyncio.create_task(submit(request, credentials(sandbox, "apimart").account(), records, BATCH, log))
    while len(sandbox.jobs()) == bill:  # the sandbox has no event to wait for
        await asyncio.sleep(0.01)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    stored = records.load(BATCH, request)
    assert stored is not None
    assert stored.record.state is VideoState.UNKNOWN


@pytest.mark.parametrize(
    ("error", "safe", "cost"),
    [
        (UnreachableError, True, False),
        (RateLimitedError, True, False),
        (UnavailableError, True, False),
        (UnauthorizedError, False, False),
        (NoBalanceError, False, False),
        (ModeratedError, False, False),
        (RefusedError, False, False),
        (SubmissionUnknownError, False, True),
    ],
)
def test_the_class_alone_says_whether_to_send_again(error: Callable[[str], Exception], safe: bool, cost: bool) -> None:
    raised: Any = error("x")
    assert (raised.safe_to_resend, raised.may_have_cost) == (safe, cost)
    assert isinstance(raised, NotAcceptedError) is not cost


async def test_the_answer_must_come_before_the_claim_ends(
    sandbox: Sandbox, records: Records, log: logging.Logger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise somebody else would call the outcome unknown, or send again, with the request on its way."""
    given: list[float] = []

    async def take(self: GatewayClient, body: Any, *, within: float) -> Rejected:
        given.append(within)
        return Rejected(Reason.MODERATED, "no")

    monkeypatch.setattr(GatewayClient, "submit", take)
    account = credentials(sandbox, "sora").account()
    with pytest.raises(ModeratedError):
        await submit(VideoRequest(prompt="in time"), account, records, BATCH, log)
    (within,) = given
    longest = account.claim_seconds - account.connect_seconds - account.request_seconds
    assert longest - 5 < within <= longest


async def test_the_end_of_a_claim_does_not_undo_what_was_decided_meanwhile(
    sandbox: Sandbox, records: Records, log: logging.Logger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A person released the claim and another run submitted again; the first one's late refusal is old news."""
    request = VideoRequest(prompt="overtaken")

    async def overtaken(self: GatewayClient, body: Any, *, within: float) -> Rejected | Unknown:
        current = records.load(BATCH, request)
        assert current is not None
        attempt = current.record.attempt.model_copy(update={"claim_id": "another"})
        records.save(current.record.released().again(attempt), current.etag)
        return outcome

    monkeypatch.setattr(GatewayClient, "submit", overtaken)
    outcomes: list[Rejected | Unknown] = [Rejected(Reason.MODERATED, "no"), Unknown("lost")]
    for outcome in outcomes:
        request = VideoRequest(prompt=f"overtaken {type(outcome).__name__}")
        with pytest.raises((ModeratedError, SubmissionUnknownError)):
            await submit(request, credentials(sandbox, "sora").account(), records, BATCH, log)
        stored = records.load(BATCH, request)
        assert stored is not None
        assert stored.record.state is VideoState.SUBMITTING
        assert stored.record.attempt.claim_id == "another"


async def test_a_refusal_for_good_is_not_sent_by_a_later_run(
    sandbox: Sandbox, records: Records, log: logging.Logger
) -> None:
    before = received(sandbox, "sora")
    request = VideoRequest(prompt="refused [fault:400]")
    account = credentials(sandbox, "sora").account()
    with pytest.raises(RefusedError):
        await submit(request, account, records, BATCH, log)
    record = await submit(request, account, records, BATCH, log)
    assert record.state is VideoState.FAILED
    assert received(sandbox, "sora") - before == 1
