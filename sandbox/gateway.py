"""The base of the five gateways: the steps from a request to an answer."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import BaseRoute, Route

from prefect_omnivideo.sandbox.body import Encoding, read_body
from prefect_omnivideo.sandbox.checks import Body, Refused
from prefect_omnivideo.sandbox.connection import HangUp
from prefect_omnivideo.sandbox.faults import FaultError, Hit, markers
from prefect_omnivideo.sandbox.jobs import QUEUED_SHARE, Clip, Job, Moment, fingerprint
from prefect_omnivideo.sandbox.state import State

Answer = dict[str, Any]
_UNRECORDED = frozenset({"authorization", "proxy-authorization", "cookie"})
_CLOUDFLARE = "<!DOCTYPE html><html><head><title>524: A timeout occurred</title></head><body>Error 524</body></html>"
_UNDOCUMENTED_WORDS = ("warming_up", "upscaling")


@dataclass(frozen=True, slots=True)
class Order:
    """A submission that passed every check: the model under its canonical name, and the clip to make."""

    model: str
    clip: Clip


@dataclass(frozen=True, slots=True)
class Words:
    """A gateway's status words; a queued job goes through those of `queued` in order."""

    queued: tuple[str, ...]
    running: str
    succeeded: str
    failed: str
    cancelled: str = ""


class Gateway(ABC):
    """One gateway: its routes, its checks and its shapes. `name` is its path prefix."""

    name: ClassVar[str]
    models: ClassVar[tuple[str, ...]]
    encodings: ClassVar[frozenset[Encoding]] = frozenset({"json"})
    ignored_faults: ClassVar[frozenset[str]] = frozenset()
    """Job faults that this gateway's documents do not have."""

    def __init__(self, state: State) -> None:
        self.state = state
        self.counts = state.counts[self.name]

    @abstractmethod
    def routes(self) -> list[BaseRoute]:
        """The documented routes, without the prefix."""

    @abstractmethod
    def check(self, body: Body, encoding: Encoding) -> Order:
        """Check a submission against the documents, or raise `Refused`."""

    @abstractmethod
    def accepted(self, job: Job) -> Answer:
        """The answer to an accepted submission."""

    @abstractmethod
    def error(self, status: int, message: str, code: str | None = None) -> Response:
        """An error in the gateway's shape, with that HTTP status."""

    @abstractmethod
    def no_balance(self) -> Response:
        """The refusal of a submission for lack of money."""

    @abstractmethod
    def unknown_task(self, identity: str) -> Response:
        """The answer to a query for a task that does not exist, or is another account's."""

    @abstractmethod
    def unknown_route(self, request: Request) -> Response:
        """The answer to a path that does not exist."""

    def unauthorized(self) -> Response:
        """The answer to a missing or wrong key."""
        return self.error(401, "the API key is missing or invalid", "invalid_api_key")

    def refuse(self, refused: Refused) -> Response:
        """The answer to a request that broke a rule."""
        return self.error(refused.status, refused.message, refused.code)

    def account(self, request: Request) -> str | None:
        """The fingerprint of the account, or None when the Bearer key is missing or wrong; a wrong key is counted."""
        scheme, _, key = request.headers.get("authorization", "").partition(" ")
        expected = self.state.settings.key
        if scheme.lower() == "bearer" and (key == expected or key.startswith(f"{expected}-")):
            return fingerprint(key)
        self.counts["unauthorized"] += 1
        return None

    async def submit(self, request: Request) -> Response:
        """Check, accept and answer a submission, with the faults to inject."""
        self.counts["submissions"] += 1
        account = self.account(request)
        if account is None:
            return self.unauthorized()
        try:
            body, encoding = await read_body(request, self.encodings)
            prompt = str(body.get("prompt") or "")
            markers(prompt)
            if hit := self.state.faults.take("refusal", self.name, prompt):
                self.counts["refused"] += 1
                return self.struck(hit)
            order = self.check(body, encoding)
        except Refused as refused:
            self.counts["refused"] += 1
            return self.refuse(refused)
        except FaultError as error:
            self.counts["refused"] += 1
            return self.refuse(Refused(str(error)))
        faults = self.state.faults.job(self.name, prompt)
        job = Job(
            gateway=self.name,
            model=order.model,
            prompt=prompt,
            clip=order.clip,
            body=body,
            encoding=encoding,
            headers={name: value for name, value in request.headers.items() if name not in _UNRECORDED},
            account=account,
            faults={name: value for name, value in faults.items() if name not in self.ignored_faults},
        )
        self.state.book.accept(job)
        self.counts["accepted"] += 1
        hit = self.state.faults.take("answer", self.name, prompt)
        if hit and hit.name == "slow":
            await asyncio.sleep(hit.value)
        return self.struck(hit) if hit and hit.name != "slow" else self.acceptance(job)

    def acceptance(self, job: Job) -> Response:
        """The answer to an accepted submission, with its headers."""
        return self.reply(self.accepted(job))

    def struck(self, hit: Hit) -> Response:
        """The answer of a submission or query fault, instead of the proper one."""
        match hit.name.removeprefix("poll-"):
            case "drop-before" | "drop-after" | "drop":
                return HangUp()
            case "garbage":
                return HTMLResponse("<html><body>Checking your browser before you proceed</body></html>")
            case "429-empty":
                return Response(status_code=429)
            case "no-balance":
                return self.no_balance()
            case "524":
                return HTMLResponse(_CLOUDFLARE, 524)
            case "retry-after":
                response = self.error(429, "too many requests, try again later")
                response.headers["retry-after"] = f"{hit.value:g}"
                return response
            case "500-after":
                return self.error(500, "internal error")
            case status:
                return self.error(int(status), f"the sandbox was asked for this {status}")

    async def query(self, request: Request, render: Callable[[Job, Moment, Request], Answer]) -> Response:
        """Answer a status query with `render`, or with the fault to inject."""
        self.counts["polls"] += 1
        account = self.account(request)
        if account is None:
            return self.unauthorized()
        job = self.find(request, account)
        if job is None:
            return self.unknown_task(request.path_params["id"])
        job.polls += 1
        if hit := self.state.faults.take("poll", self.name, job.prompt, nth=job.polls):
            return self.unknown_task(job.id) if hit.name == "gone" else self.struck(hit)
        moment = self.state.book.now(job)
        if moment.ended and job.seen_at is None:
            job.seen_at = self.state.clock()
        return self.reply(render(job, moment, request))

    def find(self, request: Request, account: str) -> Job | None:
        """The job that the path names, if it was submitted to this gateway by this account."""
        job = self.state.book.get(request.path_params["id"])
        if job is None or job.deleted or job.gateway != self.name or job.account != account:
            return None
        return job

    def reply(self, answer: Answer, status: int = 200) -> Response:
        """An answer as JSON."""
        return JSONResponse(answer, status)

    def links(self, job: Job) -> list[str]:
        """The links in an answer about a succeeded job."""
        return [link.url for link in self.state.links.issue(job, self.state.clock())]

    def word(self, job: Job, moment: Moment, words: Words) -> str:
        """The gateway's word for a moment; under the fault `strange-status` undocumented words until the end."""
        if "strange-status" in job.faults and not moment.ended:
            return _UNDOCUMENTED_WORDS[moment.share >= 0.5]
        if moment.phase == "queued":
            return words.queued[int(moment.share / QUEUED_SHARE * len(words.queued))]
        return str(getattr(words, moment.phase))

    def all_routes(self) -> list[BaseRoute]:
        """The documented routes, and the gateway's own answer to all others."""

        async def unknown(request: Request) -> Response:
            return self.unknown_route(request)

        methods = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"]
        return [*self.routes(), Route("/{path:path}", unknown, methods=methods)]
