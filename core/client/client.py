"""The async client of one account: who may send what, how often, and what a failure on the way means.

A POST is sent again only after a failure before acceptance; anything that leaves its outcome open is a
`SubmissionUnknownError`. A status GET is sent again freely. The key goes to the account's own base URL and nowhere
else: redirects are not followed. All who use an account on one event loop share its limits; a 429 to one of them
slows down all.
"""

from __future__ import annotations

import asyncio
import json
import math
import ssl
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, suppress
from functools import cache
from typing import Any, BinaryIO, NamedTuple
from urllib.parse import quote

import httpx
import stamina
from pydantic import BaseModel, JsonValue

from prefect_omnivideo.core.client.account import Account
from prefect_omnivideo.core.client.clock import Clock
from prefect_omnivideo.core.client.rate_limit import Rate
from prefect_omnivideo.core.errors import (
    NotAcceptedError,
    RateLimitedError,
    StatusUnavailableError,
    SubmissionUnknownError,
    UnreachableError,
)
from prefect_omnivideo.core.gateways.answers import read_status, read_submission, retry_after
from prefect_omnivideo.core.gateways.specification import Answer, HttpCall, Job, join_url, route_of

SUBMIT_ATTEMPTS = 5
STATUS_ATTEMPTS = 5
LONGEST_RETRY_AFTER = 120.0
"""Seconds; a gateway that asks for more is asked again after this."""

# No byte of the request can have been processed when one of these is raised.
_BEFORE_SENDING = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.ProxyError,
    httpx.UnsupportedProtocol,
)


class Rates(NamedTuple):
    """The paces of an account."""

    submissions: Rate
    queries: Rate


class GatewayClient:
    """Speaks to one gateway for one account. Get one from `connections.connect`."""

    def __init__(self, account: Account, rates: Rates, clock: Clock) -> None:
        self.account = account
        self.clock = clock
        self._rates = rates
        self._gate = asyncio.Semaphore(account.requests_in_flight)
        self._turns = asyncio.Semaphore(account.requests_in_flight)
        options: dict[str, Any] = {
            "verify": _tls(),
            "timeout": httpx.Timeout(account.request_seconds, connect=account.connect_seconds, pool=None),
            "headers": {
                "Authorization": f"Bearer {account.api_key.get_secret_value()}",
                "Accept": "application/json",
            },
        }
        self._http = httpx.AsyncClient(**options, limits=httpx.Limits(max_connections=account.requests_in_flight))
        # Submissions travel on fresh connections: a keep-alive connection that the server closes in the very moment
        # of sending would turn a job that was never seen into one whose outcome cannot be known.
        self._submit_http = httpx.AsyncClient(**options, limits=httpx.Limits(max_keepalive_connections=0))

    @property
    def is_paced(self) -> bool:
        """Whether a turn may be long in coming."""
        return self._rates.submissions.per_second < math.inf

    @asynccontextmanager
    async def turn(self) -> AsyncGenerator[None]:
        """Wait for the turn to submit, and keep it while the job is claimed and submitted.

        The end of a claim is in sight once it is written, so that all waiting which can be done before is done here.
        """
        async with self._turns:
            await self._rates.submissions.turn()
            yield

    async def submit(self, body: BaseModel, *, within: float | None = None) -> Job:
        """Post one job; again only after a failure before acceptance, at most `SUBMIT_ATTEMPTS` times.

        To be called within a `turn`.

        Args:
            body: the checked native body.
            within: it leaves within so many seconds, or not at all; the account's `send_window` by default.

        Raises:
            NotAcceptedError: surely not accepted, nothing spent.
            SubmissionUnknownError: the outcome cannot be known; never send it again by itself.
        """
        call = self.account.gateway.encode(body, self.account.route.submit)
        last_moment = self.clock.now() + (self.account.send_window if within is None else within)
        async for attempt in stamina.retry_context(
            on=_resend, attempts=SUBMIT_ATTEMPTS, timeout=None, wait_initial=1, wait_max=30, wait_jitter=1
        ):
            with attempt:
                return await self._submit_once(call, last_moment, again=attempt.num > 1)
        raise AssertionError("unreachable: the last attempt returns or raises")

    async def status(self, task_id: str, submit_path: str) -> Job:
        """Where a job stands, asked on the route it was submitted by.

        Raises:
            StatusDeniedError: the key may not read it.
            StatusUnavailableError: after `STATUS_ATTEMPTS` in a row, or at once when the task is not known.
        """
        route = route_of(self.account.gateway, submit_path)
        async for attempt in stamina.retry_context(
            on=_ask_again, attempts=STATUS_ATTEMPTS, timeout=None, wait_initial=0.5, wait_max=30, wait_jitter=0.5
        ):
            with attempt:
                answer = await self._get(HttpCall("GET", _path(route.status, task_id)), task_id)
                return read_status(self.account.gateway, answer, task_id)
        raise AssertionError("unreachable: the last attempt returns or raises")

    async def cancel(self, task_id: str, submit_path: str) -> bool | None:
        """Ask the gateway to cancel a job: True when it confirms in the documented words, False when it says anything
        else, None when it cannot cancel.

        Whether a cancelled job is refunded, no gateway documents.
        """
        route = route_of(self.account.gateway, submit_path)
        if route.cancel is None:
            return None
        try:
            answer = await self._get(HttpCall("DELETE", _path(route.cancel, task_id)), task_id)
        except StatusUnavailableError:
            return False
        return answer.status == 200 and isinstance(answer.body, dict) and answer.body.get("success") is True

    async def get(self, path: str) -> Answer:
        """The answer of one of the gateway's own pages, such as the balance.

        Raises:
            StatusUnavailableError: no answer came.
        """
        return await self._get(HttpCall("GET", path), path)

    async def post_file(self, path: str, field: str, file: tuple[str, BinaryIO, str], seconds: float) -> Answer:
        """The answer to a file (name, content, type), posted once as a form; `seconds` beyond those of any request.

        Raises:
            httpx.HTTPError, TimeoutError: no answer came.
        """
        async with self._admitted(self._rates.queries):
            return await self._exchange(self._http, HttpCall("POST", path), {"files": [(field, file)]}, seconds)

    def content_url(self, task_id: str, submit_path: str) -> str | None:
        """Where the gateway itself serves a finished job's bytes, with the key; None when it does not."""
        content = route_of(self.account.gateway, submit_path).content
        return join_url(self.account.base_url, _path(content, task_id)) if content else None

    async def close(self) -> None:
        """Close all connections."""
        await self._http.aclose()
        await self._submit_http.aclose()

    async def _submit_once(self, call: HttpCall, last_moment: float, *, again: bool) -> Job:
        rate, title = self._rates.submissions, self.account.gateway.title
        async with AsyncExitStack() as admitted:
            try:
                async with asyncio.timeout(max(0.0, last_moment - self.clock.now())):
                    if again:
                        await rate.turn(again=True)
                    await admitted.enter_async_context(self._admitted(rate))
            except TimeoutError:
                raise UnreachableError(
                    f"{title} was not asked: too many requests before this one. Nothing was sent."
                ) from None
            asked_at = self.clock.now()
            try:
                answer = await self._send(self._submit_http, call)
            except _BEFORE_SENDING as error:
                raise UnreachableError(
                    f"{title} could not be reached at {self.account.base_url} ({_reason(error)}). Nothing was sent."
                ) from None
            except (httpx.HTTPError, TimeoutError) as error:
                raise SubmissionUnknownError(
                    f"The connection to {title} was lost after the request went out ({_reason(error)}). "
                    "The job may exist and be billed; it is not sent again."
                ) from None
        try:
            return read_submission(self.account.gateway, answer)
        except RateLimitedError as error:
            if error.http_status == 429:
                rate.slow_down(asked_at, error.retry_after)
            raise

    async def _get(self, call: HttpCall, task_id: str) -> Answer:
        rate = self._rates.queries
        await rate.turn()
        try:
            async with self._admitted(rate):
                asked_at = self.clock.now()
                answer = await self._send(self._http, call)
        except (httpx.HTTPError, TimeoutError) as error:
            raise StatusUnavailableError(
                f"{self.account.gateway.title} could not be asked about {task_id} ({_reason(error)})"
            ) from None
        if answer.status == 429:
            rate.slow_down(asked_at, retry_after(answer))
        return answer

    @asynccontextmanager
    async def _admitted(self, rate: Rate) -> AsyncGenerator[None]:
        """One of the requests in flight, begun at a moment when nobody is held."""
        await rate.hold()
        await self._gate.acquire()
        while rate.is_held:  # a 429 came while this one waited at the gate
            self._gate.release()
            await rate.hold()
            await self._gate.acquire()
        try:
            yield
        finally:
            self._gate.release()

    async def _send(self, http: httpx.AsyncClient, call: HttpCall) -> Answer:
        with ExitStack() as opened:
            files: list[tuple[str, Any]] = [(name, (None, value.encode("utf-8"))) for name, value in call.form]
            for name, path in call.files:
                try:
                    file = opened.enter_context(await asyncio.to_thread(path.open, "rb"))
                except OSError as error:
                    raise UnreachableError(f"{path} cannot be read ({error.strerror}). Nothing was sent.") from None
                files.append((name, (f"reference{path.suffix}", file)))
            body: dict[str, Any] = {"files": files} if files else {"json": call.json} if call.json is not None else {}
            return await self._exchange(http, call, body)

    async def _exchange(
        self, http: httpx.AsyncClient, call: HttpCall, body: dict[str, Any], extra_seconds: float = 0.0
    ) -> Answer:
        url = join_url(self.account.base_url, call.path)
        # httpx counts its time-outs per read; a trickle of bytes could go on for ever.
        async with asyncio.timeout(self.account.connect_seconds + self.account.request_seconds + extra_seconds):
            response = await http.request(call.method, url, **body)
        # A gateway may quote the key in its error text.
        text = response.text.replace(self.account.api_key.get_secret_value(), "***")
        parsed: JsonValue = None
        with suppress(ValueError, RecursionError):
            parsed = json.loads(text)
        return Answer(response.status_code, {k.lower(): v for k, v in response.headers.items()}, parsed, text[:500])


def _path(template: str, task_id: str) -> str:
    """The path for a task; an id is the gateway's word and may hold anything."""
    return template.format(task_id=quote(task_id, safe=""))


@cache
def _tls() -> ssl.SSLContext:
    """Loading the certificates takes tens of milliseconds; once is enough."""
    return httpx.create_ssl_context()


def _reason(error: Exception) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__


def _resend(error: Exception) -> bool | float:
    if not (isinstance(error, NotAcceptedError) and error.safe_to_resend):
        return False
    return _wait(error.retry_after) if isinstance(error, RateLimitedError) else True


def _ask_again(error: Exception) -> bool | float:
    if not isinstance(error, StatusUnavailableError) or error.not_found:
        return False
    return _wait(error.retry_after)


def _wait(seconds: float | None) -> bool | float:
    return True if seconds is None else min(seconds, LONGEST_RETRY_AFTER)
