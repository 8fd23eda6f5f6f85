"""The client of an account: shared, gated, and with a key that goes nowhere else."""

import asyncio
from dataclasses import replace
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from prefect_omnivideo.core.client import client as module
from prefect_omnivideo.core.client import pool as connections
from prefect_omnivideo.core.client.account import Account
from prefect_omnivideo.core.client.client import GatewayClient
from prefect_omnivideo.core.client.pool import connect
from prefect_omnivideo.core.errors import OmniVideoError, StatusUnavailableError
from prefect_omnivideo.core.gateways.registry import get_gateway
from prefect_omnivideo.core.gateways.specification import Job, Outcome, Reason, Rejected, Unknown
from prefect_omnivideo.core.gateways.validation import translate
from prefect_omnivideo.core.request import VideoRequest
from tests.clock import VirtualClock
from tests.core.client.server import Received, Server, answer, as_apimart, serving

KEY = "sk-very-secret"
GATEWAY = get_gateway("apimart")
PATH = GATEWAY.routes[0].submit
BODY = translate(GATEWAY, VideoRequest(prompt="a red apple"))


def account(server: Server, **limits: Any) -> Account:
    return Account(
        gateway=GATEWAY,
        name="test",
        base_url=server.url,
        api_key=SecretStr(KEY),
        route=GATEWAY.routes[0],
        **limits,
    )


async def submit(account: Account) -> Outcome:
    async with connect(account) as client, client.turn():
        return await client.submit(BODY)


async def status(account: Account) -> Job:
    async with connect(account) as client:
        return await client.status("task_1", PATH)


async def test_everybody_shares_one_client_until_the_last_lets_go() -> None:
    async with serving() as server:
        async with connect(account(server)) as first:
            async with connect(account(server)) as second:
                assert second is first
            await first.status("task_1", PATH)
        with pytest.raises(RuntimeError, match="closed"):
            await first.status("task_1", PATH)
        async with connect(account(server)) as third:
            assert third is not first
            await third.status("task_1", PATH)


async def test_another_account_and_another_loop_have_their_own() -> None:
    async def client_of(account: Account) -> GatewayClient:
        async with connect(account) as client:
            return client

    async with serving() as server, connect(account(server)) as client:
        assert await client_of(replace(account(server), name="other")) is not client
        assert await client_of(replace(account(server), api_key=SecretStr("sk-other"))) is not client
        elsewhere = await asyncio.to_thread(lambda: asyncio.run(client_of(account(server))))
        assert elsewhere is not client


async def test_so_many_requests_at_a_time_and_no_more() -> None:
    together = asyncio.Barrier(3)

    async def wait_for_the_others(request: Received, writer: asyncio.StreamWriter) -> None:
        await together.wait()
        await as_apimart(request, writer)

    async with serving(wait_for_the_others) as server, connect(account(server, requests_in_flight=3)) as client:
        await asyncio.gather(*(client.status(f"task_{number}", PATH) for number in range(21)))
        assert len(server.received) == 21
        assert server.most_in_flight == 3


async def test_submissions_and_queries_pass_the_same_gate() -> None:
    together = asyncio.Barrier(2)

    async def wait_for_the_other(request: Received, writer: asyncio.StreamWriter) -> None:
        await together.wait()
        await as_apimart(request, writer)

    async with serving(wait_for_the_other) as server:
        limited = account(server, requests_in_flight=2)
        await asyncio.gather(*(submit(limited) for _ in range(4)), *(status(limited) for _ in range(4)))
        assert server.most_in_flight == 2


async def test_submissions_have_connections_of_their_own() -> None:
    """A kept-alive connection that closes in the moment of sending would leave the outcome open."""
    async with serving() as server, connect(account(server, requests_in_flight=1)) as client:
        for _ in range(3):
            await client.submit(BODY)
            await client.status("task_1", PATH)
        posts = {request.connection for request in server.received if request.method == "POST"}
        gets = {request.connection for request in server.received if request.method == "GET"}
        assert len(posts) == 3
        assert len(gets) == 1
        assert not posts & gets


async def test_the_key_does_not_follow_a_redirect() -> None:
    async with serving() as elsewhere:

        async def redirect(request: Received, writer: asyncio.StreamWriter) -> None:
            await answer(writer, 307, {}, Location=f"{elsewhere.url}{request.path}")

        async with serving(redirect) as server:
            outcome = await submit(account(server))
            assert isinstance(outcome, Rejected)
            assert "redirects" in outcome.message
            with pytest.raises(OmniVideoError):
                await status(account(server))
            assert {request.headers["authorization"] for request in server.received} == {f"Bearer {KEY}"}
        assert elsewhere.received == []


async def test_a_key_quoted_by_the_gateway_is_not_passed_on() -> None:
    async def quote(request: Received, writer: asyncio.StreamWriter) -> None:
        text = f"no access for {request.headers['authorization']}"
        await answer(writer, 400, {"error": {"message": text, "code": KEY, "type": "x"}})

    async with serving(quote) as server:
        outcome = await submit(account(server))
        assert isinstance(outcome, Rejected)
        assert outcome.answer is not None
        assert "no access for" in outcome.message
        assert KEY not in f"{outcome!r} {outcome.message} {outcome.answer.body} {outcome.answer.evidence}"
        with pytest.raises(OmniVideoError, match="no access for") as caught:
            await status(account(server))
        assert KEY not in f"{caught.value!r} {caught.value} {caught.value.__context__!r}"
        assert KEY not in repr(account(server))


async def trickle(request: Received, writer: asyncio.StreamWriter) -> None:
    """Bytes for ever, each soon enough after the last."""
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
    while True:
        writer.write(b" ")
        await writer.drain()
        await asyncio.sleep(0.005)


async def test_a_trickling_answer_comes_to_an_end() -> None:
    async with serving(trickle) as server:
        hasty = account(server, request_seconds=0.1)
        outcome = await submit(hasty)
        assert isinstance(outcome, Unknown)
        assert "not sent again" in outcome.message
        assert len(server.received) == 1
        with pytest.raises(StatusUnavailableError):
            await status(hasty)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> VirtualClock:
    virtual = VirtualClock()
    monkeypatch.setattr(connections, "Clock", lambda: virtual)
    return virtual


class Moody:
    """Refuses the first requests with a 429, and notes when it was asked."""

    def __init__(self, clock: VirtualClock, refusals: int, **headers: str) -> None:
        self.clock, self.refusals, self.headers = clock, refusals, headers
        self.asked = list[float]()

    async def __call__(self, request: Received, writer: asyncio.StreamWriter) -> None:
        self.asked.append(self.clock.now() - 1000)
        if len(self.asked) <= self.refusals:
            await answer(writer, 429, {"error": {"message": "too many requests"}}, **self.headers)
        else:
            await as_apimart(request, writer)


async def pass_time(clock: VirtualClock, *work: asyncio.Task[Any]) -> None:
    """Let time pass while real connections are at work."""
    while not all(task.done() for task in work):
        for _ in range(50):
            await asyncio.sleep(0)
        clock.wake_next()


async def test_a_429_holds_up_the_whole_account(clock: VirtualClock) -> None:
    moody = Moody(clock, 1, Retry_After="7")
    async with serving(moody) as server:
        same = account(server, requests_in_flight=1)
        work = [asyncio.create_task(submit(same)) for _ in range(3)]
        await pass_time(clock, *work)
        first, *others = moody.asked
        assert first == 0
        assert len(others) == 3
        assert min(others) >= 7
        assert others == sorted(set(others)), "and then one after the other"


async def test_a_429_to_one_account_leaves_the_others_alone(clock: VirtualClock) -> None:
    moody = Moody(clock, 1, Retry_After="60")
    async with serving(moody) as strict, serving() as friendly:
        slow = asyncio.create_task(submit(account(strict)))
        while not moody.asked:
            await asyncio.sleep(0)
        await submit(account(friendly))
        assert clock.now() == 1000
        await pass_time(clock, slow)
        assert moody.asked[-1] >= 60


async def test_a_429_to_a_query_holds_up_all_queries(clock: VirtualClock) -> None:
    moody = Moody(clock, 1, Retry_After="7")
    async with serving(moody) as server:
        same = account(server, requests_in_flight=1)
        work = [asyncio.create_task(status(same)) for _ in range(3)]
        await pass_time(clock, *work)
        assert min(moody.asked[1:]) >= 7


async def test_submissions_are_spaced_over_connections_and_clients(clock: VirtualClock) -> None:
    moody = Moody(clock, 0)
    async with serving(moody) as server:
        for _ in range(3):
            await pass_time(clock, asyncio.create_task(submit(account(server, submissions_per_minute=6))))
    assert moody.asked == pytest.approx([0, 10, 20])


async def test_a_submission_that_cannot_leave_in_time_does_not_leave() -> None:
    moody = Moody(VirtualClock(), 1, Retry_After="60")
    async with serving(moody) as server:
        hasty = account(server, request_seconds=0.2)
        outcome = await submit(hasty)
        assert isinstance(outcome, Rejected)
        assert outcome.reason is Reason.UNREACHABLE
        assert "Nothing was sent" in outcome.message
    assert len(moody.asked) == 1


async def test_five_refusals_are_enough(clock: VirtualClock) -> None:
    moody = Moody(clock, 100)
    async with serving(moody) as server:
        work = asyncio.create_task(submit(account(server)))
        await pass_time(clock, work)
        outcome = await work
        assert isinstance(outcome, Rejected)
        assert outcome.reason is Reason.RATE_LIMITED
    assert len(moody.asked) == 5


async def test_no_capacity_for_one_model_does_not_slow_down_the_account() -> None:
    async def unavailable(request: Received, writer: asyncio.StreamWriter) -> None:
        await answer(writer, 503, {"error": {"message": "no channel for this model", "code": "model_not_found"}})

    async with serving(unavailable) as server, connect(account(server)) as client:
        outcome = await client.submit(BODY)
        assert isinstance(outcome, Rejected)
        assert outcome.reason is Reason.NO_MODEL
        assert len(server.received) == 1, "it concerns the account for good"
        assert not client.is_paced


@pytest.mark.parametrize(
    ("error", "is_clean"),
    [
        (httpx.ConnectError("x"), True),
        (httpx.ConnectTimeout("x"), True),
        (httpx.PoolTimeout("x"), True),
        (httpx.ProxyError("x"), True),
        (httpx.UnsupportedProtocol("x"), True),
        (httpx.ReadError("x"), False),
        (httpx.ReadTimeout("x"), False),
        (httpx.WriteError("x"), False),
        (httpx.WriteTimeout("x"), False),
        (httpx.CloseError("x"), False),
        (httpx.RemoteProtocolError("x"), False),
        (httpx.LocalProtocolError("x"), False),
        (httpx.DecodingError("x"), False),
        (TimeoutError(), False),
        (FileNotFoundError(2, "no such file", "first.png"), True),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
async def test_what_is_surely_unsent_is_a_list(
    error: Exception, is_clean: bool, clock: VirtualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = 0

    async def fail(self: GatewayClient, *args: object) -> object:
        nonlocal sent
        sent += 1
        raise error

    monkeypatch.setattr(GatewayClient, "_send", fail)
    async with serving() as server:
        outcome = await submit(account(server))
    assert isinstance(outcome, Rejected if is_clean else Unknown)
    assert sent == (module.SUBMIT_ATTEMPTS if is_clean else 1)


async def test_a_submission_whose_answer_has_no_end_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LARGEST_ANSWER", 10)
    async with serving() as server:
        assert isinstance(await submit(account(server)), Unknown)
        assert len(server.received) == 1


async def test_a_task_that_is_not_known_is_asked_about_once(clock: VirtualClock) -> None:
    async def reply(request: Received, writer: asyncio.StreamWriter) -> None:
        await answer(writer, 404, {"error": {"code": 404, "message": "task not found", "type": "not_found_error"}})

    async with serving(reply) as server:
        with pytest.raises(StatusUnavailableError) as caught:
            await status(account(server))
        assert caught.value.not_found
        assert len(server.received) == 1


def test_a_pause_asked_for_has_a_limit() -> None:
    def wait(seconds: float | None) -> bool | float:
        return module._send_again(module._PassingError(Rejected(Reason.RATE_LIMITED, "no", 429, seconds)))

    assert [wait(seconds) for seconds in (None, 3.0, 86_400.0)] == [True, 3.0, module.LONGEST_RETRY_AFTER]


async def test_a_job_is_asked_for_on_the_route_it_was_submitted_by() -> None:
    gateway = get_gateway("omnirouters")
    first, second = gateway.routes[:2]
    async with serving() as server:
        other = replace(account(server), gateway=gateway, route=first)
        async with connect(other) as client:
            await client.status("task_1", second.submit)
        assert server.received[0].path == second.status.format(task_id="task_1")
