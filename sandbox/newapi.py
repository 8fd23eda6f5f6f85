"""The new-api family: 12AI, OmniRouters and the Sora-compatible gateway (docs/gateways.md)."""

import uuid
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from prefect_omnivideo.sandbox import console
from prefect_omnivideo.sandbox.footage import footage, respond
from prefect_omnivideo.sandbox.gateway import Answer, Gateway, Words
from prefect_omnivideo.sandbox.jobs import Job, Moment
from prefect_omnivideo.sandbox.prices import charge, quota

_CODES = {400: "invalid_request", 403: "insufficient_user_quota", 500: "do_request_failed"}
ROW_WORDS = Words(("NOT_START", "SUBMITTED", "QUEUED"), "IN_PROGRESS", "SUCCESS", "FAILURE", "FAILURE")
"""The status words of the family's own job table (section Status on /v1/video/generations)."""
FAILURES = {
    "moderated": ("content_policy_violation", "the request was rejected by the safety system"),
    "fail": ("generation_failed", "the model could not finish this video"),
    "cancelled": ("cancelled", "the task was cancelled"),
}


def failure(job: Job) -> tuple[str, str]:
    """The code and the text of a job's failure."""
    return next(reason for name, reason in FAILURES.items() if name in job.faults)


class NewApi(Gateway):
    """Routes and shapes of the family."""

    def routes(self) -> list[BaseRoute]:
        """`/v1/videos` and its parts, the list of models, and two pages of the console."""

        async def status(request: Request) -> Response:
            return await self.query(request, self.video)

        return [
            Route("/v1/videos", self.submit, methods=["POST"]),
            Route("/v1/videos/{id}", status),
            Route("/v1/videos/{id}/content", self.content),
            Route("/v1/models", self.list_models),
            Route("/api/pricing", self.list_prices),
            Route("/api/status", self.show_status),
            Route("/api/usage/token/", self.show_usage),
            *([Route("/api/task/self", self.list_tasks)] if self.state.settings.access_token else []),
            *([Route("/api/log/token", self.list_charges)] if self.state.settings.access_token else []),
        ]

    def video(self, job: Job, moment: Moment, request: Request) -> Answer:
        """The answer to `GET /v1/videos/{id}`."""
        raise NotImplementedError

    def accepted(self, job: Job) -> Answer:
        """The flat video object (section Submission answer)."""
        facts = {
            "id": job.id,
            "task_id": job.id,
            "object": "video",
            "model": job.model,
            "status": "queued",
            "progress": 0,
        }
        return facts | {"created_at": int(job.accepted_at)}

    def acceptance(self, job: Job) -> Response:
        """The answer with the request id that the log repeats."""
        return JSONResponse(self.accepted(job), headers={"X-Oneapi-Request-Id": job.request_id})

    def reply(self, answer: Answer, status: int = 200) -> Response:
        """An answer with the family's request id."""
        return JSONResponse(answer, status, headers={"X-Oneapi-Request-Id": uuid.uuid4().hex})

    def error(self, status: int, message: str, code: str | None = None) -> Response:
        """A task error, which is flat (section Task errors)."""
        if status == 429:
            message = "当前上游负载已饱和，请稍后再试"
        return self.reply(
            {"code": code or _CODES.get(status, "fail_to_fetch_task"), "message": message, "data": None}, status
        )

    def nested(self, status: int, message: str, code: str, kind: str = "new_api_error") -> Response:
        """An error of the family's gate, which is nested (section Gate errors)."""
        return self.reply(
            {"error": {"message": f"{message} (request id: {uuid.uuid4().hex})", "type": kind, "code": code}}, status
        )

    def unauthorized(self) -> Response:
        """401 from the gate."""
        return self.nested(401, "invalid token", "")

    def no_balance(self) -> Response:
        """403, not 402 (section Task errors)."""
        return self.error(403, "user quota is not enough", "insufficient_user_quota")

    def unknown_task(self, identity: str) -> Response:
        """400, not 404 (section Task errors)."""
        return self.error(400, "task_not_exist", "task_not_exist")

    def unknown_route(self, request: Request) -> Response:
        """404 in the family's shape (section Gate errors)."""
        path = request.url.path.removeprefix(f"/{self.name}")
        message = f"Invalid URL ({request.method} {path})"
        return self.reply(
            {"error": {"message": message, "type": "invalid_request_error", "param": "", "code": ""}}, 404
        )

    def content_error(self, status: int, message: str) -> Response:
        """An error of the content endpoint (section Content)."""
        return self.reply({"error": {"message": message, "type": "invalid_request_error"}}, status)

    async def content(self, request: Request) -> Response:
        """The bytes of a finished video (section Content)."""
        self.counts["contents"] += 1
        account = self.account(request)
        if account is None:
            return self.unauthorized()
        job = self.find(request, account)
        if job is None:
            return self.content_error(404, "Task not found")
        moment = self.state.book.now(job)
        if moment.phase != "succeeded":
            return self.content_error(
                400, f"Task is not completed yet, current status: {self.word(job, moment, ROW_WORDS)}"
            )
        hit = self.state.faults.take("media", self.name, job.prompt)
        if hit and hit.name == "link-403":
            return self.content_error(403, "the video address was blocked")
        if hit and hit.name == "redirect":
            return RedirectResponse(self.state.links.link(job, 0, self.state.clock()).url, 302)
        job.downloads += request.method == "GET"
        return respond(request, await footage(job, 0, self.state.settings), hit)

    async def list_models(self, request: Request) -> Response:
        """The models in OpenAI's list shape."""
        if self.account(request) is None:
            return self.unauthorized()
        models = [
            {"id": name, "object": "model", "created": 1_626_777_600, "owned_by": "custom"} for name in self.models
        ]
        return self.reply({"object": "list", "data": models})

    def row(self, job: Job, moment: Moment) -> dict[str, Any]:
        """The row of the job table (section 6.7), with the vendor's answer of the submission in it, which lags."""
        started, ended = int(job.accepted_at), int(job.ends_at or 0) if moment.ended else 0
        failed = moment.ended and moment.phase != "succeeded"
        vendor: dict[str, Any] = {"id": f"upstream-{job.number}", "status": "processing"}
        if own_id := job.body.get("external_task_id"):
            vendor["task_info"] = {"external_task_id": own_id}
        return {
            "id": job.number,
            "created_at": started,
            "updated_at": ended or started,
            "task_id": job.id,
            "platform": "omni-video",
            "user_id": 1,
            "group": "default",
            "channel_id": 0,
            "quota": quota(charge(job, moment)),
            "action": "generate",
            "status": self.word(job, moment, ROW_WORDS),
            "fail_reason": failure(job)[1] if failed else "",
            "submit_time": started,
            "start_time": started,
            "finish_time": ended,
            "progress": "100%" if moment.ended else f"{max(10, moment.progress // 10 * 10)}%",
            "properties": self.properties(job),
            "data": vendor,
        }

    def properties(self, job: Job) -> dict[str, str]:
        """What the row tells of the request: the stock software leaves the prompt out."""
        return {"input": "", "upstream_model_name": f"vendor-{job.model}", "origin_model_name": job.model}

    async def list_tasks(self, request: Request) -> Response:
        """`GET /api/task/self`: the account's job table, for the access token of its console."""
        account = console.user(request, self.state.settings)
        if isinstance(account, Response):
            return account
        rows = [self.row(job, self.state.book.now(job)) for job in self._jobs(account)]
        return console.tasks(request.query_params, rows)

    async def list_charges(self, request: Request) -> Response:
        """`GET /api/log/token`: what was charged to the API key."""
        account = self.account(request)
        if account is None:
            return console.refused_key()
        return console.log([(job, self.state.book.now(job)) for job in self._jobs(account)], "/v1/videos")

    async def list_prices(self, _: Request) -> Response:
        """`GET /api/pricing`: public."""
        self.counts["prices"] += 1
        return console.pricing(self.name, self.models)

    async def show_status(self, _: Request) -> Response:
        """`GET /api/status`: public."""
        return console.status()

    async def show_usage(self, request: Request) -> Response:
        """`GET /api/usage/token/`: what is left of the key's quota."""
        account = self.account(request)
        if account is None:
            return console.refused_key()
        charges = [(job, self.state.book.now(job)) for job in self._jobs(account)]
        return console.usage(charges, self.state.settings.balance)

    def _jobs(self, account: str) -> list[Job]:
        return [job for job in self.state.book if job.gateway == self.name and job.account == account]
