"""APIMart (docs/gateways.md, APIMart)."""

import zlib
from typing import Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from prefect_omnivideo.sandbox.body import Encoding
from prefect_omnivideo.sandbox.checks import Body, Refused, choice, frame, only, required, text, urls
from prefect_omnivideo.sandbox.gateway import Answer, Gateway, Order, Words
from prefect_omnivideo.sandbox.jobs import Clip, Job, Moment
from prefect_omnivideo.sandbox.prices import CREDITS_PER_DOLLAR, price
from prefect_omnivideo.sandbox.uploads import keep

_WORDS = Words(("submitted", "pending"), "processing", "completed", "failed", "cancelled")
_OMNI: Final = "gemini-omni-flash-preview"
_SIBLING: Final = "Omni-Flash-Ext"
_FIELDS: Final = ("model", "prompt", "image_urls", "video_urls", "aspect_ratio", "resolution", "extend_from_task_id")
_TYPES: Final = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "payment_required",
    403: "permission_error",
    404: "not_found_error",
    413: "invalid_request_error",
    429: "rate_limit_error",
    502: "bad_gateway",
}
_UPLOAD_TYPES: Final = ("image/jpeg", "image/png", "image/webp", "image/gif")
_UPLOAD_BYTES: Final = 20 * 1024 * 1024

_REASONS: Final = {
    "moderated": {
        "en": "The content was rejected by the safety review",
        "zh": "内容未通过安全审核",
        "ko": "콘텐츠가 안전 검토에서 거부되었습니다",
        "ja": "コンテンツは安全審査で拒否されました",
    },
    "fail": {
        "en": "The video could not be generated",
        "zh": "视频生成失败",
        "ko": "동영상을 생성하지 못했습니다",
        "ja": "動画を生成できませんでした",
    },
}


class APIMart(Gateway):
    """A closed list of fields; the submission's `data` is a list; tasks have a query route of their own."""

    name = "apimart"
    models = (_OMNI, _SIBLING)

    def routes(self) -> list[BaseRoute]:
        """Submission, task query, upload, balance and models."""

        async def task(request: Request) -> Response:
            return await self.query(request, self.task)

        return [
            Route("/v1/videos/generations", self.submit, methods=["POST"]),
            Route("/v1/tasks/{id}", task),
            Route("/v1/uploads/images", self.upload, methods=["POST"]),
            Route("/v1/balance", self.balance),
            Route("/v1/user/balance", self.balance),
            Route("/v1/models", self.list_models),
        ]

    def check(self, body: Body, encoding: Encoding) -> Order:
        """The documented fields (section Submit); the sibling model has `duration` and more resolutions."""
        required(body, "model")
        model = choice(body, "model", self.models)
        sibling = model == _SIBLING
        only(body, (*_FIELDS, "duration") if sibling else _FIELDS)
        images = urls(body, "image_urls", 16)
        videos = urls(body, "video_urls", 1, also="data:video/")
        if not text(body, "prompt").strip() and not images and not videos:
            raise Refused("prompt or reference media must be given")
        resolutions = ("720p", "1080p", "4k") if sibling else ("720p",)
        resolution = choice(body, "resolution", resolutions, code="invalid_resolution")
        if (previous := text(body, "extend_from_task_id")) and not self._can_extend(previous):
            raise Refused(f"extend_from_task_id: there is no finished task {previous}")
        portrait = text(body, "aspect_ratio") == "9:16"
        width, height = frame(resolution, "9:16" if portrait else "16:9")
        seconds = _duration(body) if sibling else 3 + zlib.crc32(text(body, "prompt").encode()) % 8
        return Order(model, Clip(width, height, seconds, sound=True))

    def _can_extend(self, identity: str) -> bool:
        job = self.state.book.get(identity)
        return job is not None and job.gateway == self.name and self.state.book.now(job).phase == "succeeded"

    def accepted(self, job: Job) -> Answer:
        """`data` is a list."""
        return {"code": 200, "data": [{"status": "submitted", "task_id": job.id}]}

    def task(self, job: Job, moment: Moment, request: Request) -> Answer:
        """The task with its result, or its error in the requested language."""
        data: Answer = {
            "id": job.id,
            "status": self.word(job, moment, _WORDS),
            "progress": moment.progress,
            "created": int(job.accepted_at),
            "estimated_time": round(job.latency),
        }
        if moment.ended and job.ends_at:
            data |= {"completed": int(job.ends_at), "actual_time": round(job.latency)}
        if moment.phase == "succeeded":
            links = self.state.links.issue(job, self.state.clock())
            videos = [{"url": [link.url], "expires_at": int(link.expires_at)} for link in links]
            cost = price(self.name, job.model)
            data |= {"cost": float(cost), "credits_cost": float(cost * CREDITS_PER_DOLLAR)}
            data["result"] = {"videos": videos}
        elif moment.phase == "failed":
            kind = "moderated" if "moderated" in job.faults else "fail"
            texts = _REASONS[kind]
            message = texts.get(request.query_params.get("language", "en"), texts["en"])
            error = (
                ("content_policy_violation", "invalid_request_error")
                if kind == "moderated"
                else ("task_failed", "server_error")
            )
            data["error"] = {"code": error[0], "message": message, "type": error[1]}
        return {"code": 200, "data": data}

    def error(self, status: int, message: str, code: str | None = None) -> Response:
        """`{error: {code, message, type}}`; the code is the HTTP status, or the name of a model's own check."""
        named = code if code in ("invalid_duration", "invalid_resolution") else status
        return self.reply(
            {"error": {"code": named, "message": message, "type": _TYPES.get(status, "server_error")}}, status
        )

    def no_balance(self) -> Response:
        """402."""
        return self.error(402, "insufficient balance, please recharge")

    def unknown_task(self, identity: str) -> Response:
        """400, as documented for an unknown id."""
        return self.error(400, f"task {identity} does not exist")

    def unknown_route(self, request: Request) -> Response:
        """404."""
        return self.error(404, f"there is no {request.method} {request.url.path.removeprefix('/apimart')}")

    async def upload(self, request: Request) -> Response:
        """Store an image of at most 20 MB and return its address."""
        self.counts["uploads"] += 1
        if self.account(request) is None:
            return self.unauthorized()
        try:
            file = await keep(self.state, request, _UPLOAD_BYTES, _UPLOAD_TYPES)
        except Refused as refused:
            return self.refuse(refused)
        facts = {"url": file.url, "filename": file.filename, "content_type": file.content_type, "bytes": file.size}
        return self.reply(facts | {"created_at": int(self.state.clock())})

    async def balance(self, request: Request) -> Response:
        """What is left of the account's balance, by the price list."""
        account = self.account(request)
        if account is None:
            return self.unauthorized()
        used = self.state.used(self.name, account)
        left = float(self.state.settings.balance - used)
        answer = {"success": True, "remain_balance": left, "used_balance": float(used), "unlimited_quota": False}
        return self.reply(answer)

    async def list_models(self, request: Request) -> Response:
        """The models in OpenAI's list shape."""
        if self.account(request) is None:
            return self.unauthorized()
        return JSONResponse({"object": "list", "data": [{"id": name, "object": "model"} for name in self.models]})


def _duration(body: Body) -> int:
    seconds = body.get("duration", 6)
    if type(seconds) is not int or seconds not in (4, 6, 8, 10):
        raise Refused("duration must be 4, 6, 8 or 10", code="invalid_duration")
    return seconds
