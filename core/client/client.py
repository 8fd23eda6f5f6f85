"""The async client of one account: what may be sent, how often, and what a transport failure means.

A POST is retried only after a temporary rejection; if its outcome is not certain it is `Unknown`, and is never
retried. A status GET is retried freely. The key goes to the account's own base URL and nowhere
else: redirects are not followed. All callers of an account on one event loop share its limits; a 429 to one of them
slows down all.
"""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import AsyncGenerator, Collection
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, suppress
from typing import Any, BinaryIO, NamedTuple

import httpx
import stamina
from pydantic import BaseModel, JsonValue

from prefect_omnivideo.core.answers.json_paths import texts_of
from prefect_omnivideo.core.answers.refusal import retry_after
from prefect_omnivideo.core.answers.status import read_status
from prefect_omnivideo.core.answers.submission import read_submission
from prefect_omnivideo.core.client.account import Account
from prefect_omnivideo.core.client.clock import Clock
from prefect_omnivideo.core.client.rate_limit import Rate
from prefect_omnivideo.core.errors import StatusUnavailableError
from prefect_omnivideo.core.gateways.specification import (
    Answer,
    HttpCall,
    Job,
    Outcome,
    Reason,
    Rejected,
    Unknown,
    join_url,
    route_of,
    task_path,
)
from prefect_omnivideo.core.redaction import HIDDEN
from prefect_omnivideo.core.tls import tls

SUBMIT_ATTEMPTS = 5
STATUS_ATTEMPTS = 5
LARGEST_ANSWER = 128 * 1024**2
"""Bytes; some gateways put the video itself into the answer, in base64."""
LONGEST_RETRY_AFTER = 120.0
"""Seconds; a longer `Retry-After` is cut to this."""

# No byte of the request can have been processed when one of these is raised.
_BEFORE_SENDING = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.ProxyError,
    httpx.UnsupportedProtocol,
)


class Rates(NamedTuple):
    """The rate limits of an account."""

    submissions: Rate
    queries: Rate


class GatewayClient:
    """Client of one gateway account. Get one from `connections.connect`."""

    def __init__(self, account: Account, rates: Rates, clock: Clock) -> None:
        self.account = account
        self.clock = clock
        self._rates = rates
        self._gate = asyncio.Semaphore(account.requests_in_flight)
        self._turns = asyncio.Semaphore(account.requests_in_flight)
        options: dict[str, Any] = {
            "verify": tls(),
            "timeout": httpx.Timeout(account.request_seconds, connect=account.connect_seconds, pool=None),
            "headers": {
                "Authorization": f"Bearer {account.api_key.get_secret_value()}",
                "Accept": "application/json",
            },
        }
        self._http = httpx.AsyncClient(**options, limits=httpx.Limits(max_connections=account.requests_in_flight))
        # Submissions use fresh connections: a keep-alive connection that the server closes at the moment
        # of sending would turn a job that was never received into one of unknown outcome.
        self._submit_http = httpx.AsyncClient(**options, limits=httpx.Limits(max_keepalive_connections=0))

    @property
    def is_paced(self) -> bool:
        """Whether a turn to submit may take long."""
        return self._rates.submissions.per_second < math.inf

    @asynccontextmanager
    async def turn(self) -> AsyncGenerator[None]:
        """Wait for the turn to submit, and keep it while the job is claimed and submitted.

        A claim expires a fixed time after it is written, so all waiting that can precede it is done here.
        """
        async with self._turns:
            await self._rates.submissions.turn()
            yield

    async def submit(self, body: BaseModel, *, within: float | None = None) -> Outcome:
        """Post one job; retry only after a temporary rejection, at most `SUBMIT_ATTEMPTS` attempts.

        Call within a `turn`. Nothing else retries a submission.

        Args:
            body: the checked native body.
            within: seconds within which it is sent, or not at all; the account's `send_window` by default.
        """
        call = self.account.gateway.encode(body, self.account.route.submit)
        last_moment = self.clock.now() + (self.account.send_window if within is None else within)
        sent = texts_of(body.model_dump(mode="json"))
        again = False

        async def once() -> Outcome:
            nonlocal again
            outcome = await self._submit_once(call, sent, last_moment, again=again)
            again = True
            if isinstance(outcome, Rejected) and outcome.reason.passes:
                raise _PassingError(outcome)
            return outcome

        retrying = stamina.AsyncRetryingCaller(
            attempts=SUBMIT_ATTEMPTS, timeout=None, wait_initial=1, wait_max=30, wait_jitter=1
        )
        try:
            return await retrying(_send_again, once)
        except _PassingError as last:
            return last.rejected

    async def status(self, task_id: str, submit_path: str, sent: Collection[str] = ()) -> Job:
        """A job's status, read on the route it was submitted by.

        Args:
            sent: strings of the request; a link among them is not a result.

        Raises:
            StatusDeniedError: the key may not read it.
            StatusUnavailableError: after `STATUS_ATTEMPTS` failures in a row, or at once if the task is unknown.
        """
        route = route_of(self.account.gateway, submit_path)

        async def once() -> Job:
            answer = await self._get(HttpCall("GET", task_path(route.status, task_id)), task_id)
            return read_status(self.account.gateway, answer, task_id, sent)

        retrying = stamina.AsyncRetryingCaller(
            attempts=STATUS_ATTEMPTS, timeout=None, wait_initial=0.5, wait_max=30, wait_jitter=0.5
        )
        return await retrying(_ask_again, once)

    async def cancel(self, task_id: str, submit_path: str) -> bool | None:
        """Ask the gateway to cancel a job: True if it confirms in the documented words, False if it answers anything
        else, None if it cannot cancel.

        No gateway documents whether a cancelled job is refunded.
        """
        route = route_of(self.account.gateway, submit_path)
        if route.cancel is None:
            return None
        try:
            answer = await self._get(HttpCall("DELETE", task_path(route.cancel, task_id)), task_id)
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
        """The answer to a file (name, content, type), posted once as a form; `seconds` are added to the time limit.

        Raises:
            httpx.HTTPError, TimeoutError: no answer came.
        """
        async with self._admitted(self._rates.queries):
            return await self._exchange(self._http, HttpCall("POST", path), {"files": [(field, file)]}, seconds)

    async def close(self) -> None:
        """Close all connections."""
        await self._http.aclose()
        await self._submit_http.aclose()

    async def _submit_once(self, call: HttpCall, sent: Collection[str], last_moment: float, *, again: bool) -> Outcome:
        rate, title = self._rates.submissions, self.account.gateway.title
        async with AsyncExitStack() as admitted:
            try:
                async with asyncio.timeout(max(0.0, last_moment - self.clock.now())):
                    if again:
                        await rate.turn(again=True)
                    await admitted.enter_async_context(self._admitted(rate))
            except TimeoutError:
                return Rejected(
                    Reason.UNREACHABLE, f"{title} was not asked: too many requests before this one. Nothing was sent."
                )
            asked_at = self.clock.now()
            try:
                answer = await self._send(self._submit_http, call)
            except _BEFORE_SENDING as error:
                return Rejected(
                    Reason.UNREACHABLE,
                    f"{title} could not be reached at {self.account.base_url} ({_reason(error)}). Nothing was sent.",
                )
            except (httpx.HTTPError, TimeoutError) as error:
                return Unknown(
                    f"The connection to {title} was lost after the request went out ({_reason(error)}). "
                    "The job may exist and be billed; it is not sent again."
                )
            except OSError as error:  # the file to send
                return Rejected(
                    Reason.UNREACHABLE, f"{error.filename} cannot be read ({error.strerror}). Nothing was sent."
                )
        outcome = read_submission(self.account.gateway, answer, call, sent)
        if answer.status == 429:
            rate.slow_down(asked_at, retry_after(answer))
        return outcome

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
        """A slot for one request, entered while the rate limit is not paused."""
        await rate.hold()
        await self._gate.acquire()
        while rate.is_held:  # a 429 came while this one waited for a slot
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
                file = opened.enter_context(await asyncio.to_thread(path.open, "rb"))
                files.append((name, (f"reference{path.suffix}", file)))
            body: dict[str, Any] = {"files": files} if files else {"json": call.json} if call.json is not None else {}
            return await self._exchange(http, call, body)

    async def _exchange(
        self, http: httpx.AsyncClient, call: HttpCall, body: dict[str, Any], extra_seconds: float = 0.0
    ) -> Answer:
        url = join_url(self.account.base_url, call.path)
        data = bytearray()
        # httpx counts its time-outs per read; a slow trickle of bytes could last forever.
        async with asyncio.timeout(self.account.connect_seconds + self.account.request_seconds + extra_seconds):
            async with http.stream(call.method, url, **body) as response:
                async for piece in response.aiter_bytes():
                    data += piece
                    if len(data) > LARGEST_ANSWER:
                        raise httpx.ReadError(f"the answer is larger than {LARGEST_ANSWER} bytes")
        # A gateway may echo the key in its error text.
        text = data.decode("utf-8", "replace").replace(self.account.api_key.get_secret_value(), HIDDEN)
        parsed: JsonValue = None
        with suppress(ValueError, RecursionError):
            parsed = json.loads(text)
        headers = {name.lower(): value for name, value in response.headers.items()}
        answer = Answer(response.status_code, headers, parsed, text[:2000], f"{call.method} {call.path}")
        self.account.heard(answer)
        return answer


def _reason(error: Exception) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__


class _PassingError(Exception):
    """A rejection after which the same request may be retried."""

    def __init__(self, rejected: Rejected) -> None:
        super().__init__(rejected.message)
        self.rejected = rejected


def _send_again(error: Exception) -> bool | float:
    return isinstance(error, _PassingError) and _wait(error.rejected.retry_after)


def _ask_again(error: Exception) -> bool | float:
    if not isinstance(error, StatusUnavailableError) or error.not_found:
        return False
    return _wait(error.retry_after)


def _wait(seconds: float | None) -> bool | float:
    return True if seconds is None else min(seconds, LONGEST_RETRY_AFTER)
