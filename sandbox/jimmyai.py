"""JimmyAI Gemini Omni (docs/gateways.md, JimmyAI).

The HTTP status that goes with an error code is not documented. A refused request is answered with HTTP 200 here,
the harder case for a client: only the body's code shows it.
"""

from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from prefect_omnivideo.sandbox.body import Encoding
from prefect_omnivideo.sandbox.checks import Body, Refused, choice, frame, only, required, text, urls
from prefect_omnivideo.sandbox.gateway import Answer, Gateway, Order, Words
from prefect_omnivideo.sandbox.jobs import Clip, Job, Moment
from prefect_omnivideo.sandbox.uploads import keep

_WORDS = Words(("queued", "pending", "submitted"), "processing", "completed", "failed", "cancelled")
_BASE: Final = "/api/open-api/v1"
_STANDARD: Final = "Gemini-Omini"
_TEN: Final = "omni-10s"
_FIELDS: Final = (
    *("model", "prompt", "duration", "resolution", "aspect_ratio", "orientation"),
    *("image_urls", "images", "generation_type", "video_urls"),
)
_DURATIONS: Final = (4, 6, 8, 10)
_UPLOAD_BYTES: Final = 100 * 1024 * 1024
_CODES: Final = {400: "20002", 401: "20001", 404: "20002"}
_REASONS: Final = {
    "moderated": "PROVIDER_MODERATION_ERROR: TRADEMARK",
    "fail": "s3 upload failed",
    "cancelled": "the task was cancelled",
}


class JimmyAI(Gateway):
    """An envelope with codes as strings; a closed list of fields; two families of models."""

    name = "jimmyai"
    models = (_STANDARD, "Omni-Flash-Ext", "gemini-omni", _TEN)
    ignored_faults = frozenset({"two-files"})

    def routes(self) -> list[BaseRoute]:
        """Submission, query, upload and balances."""

        async def video(request: Request) -> Response:
            return await self.query(request, self.video)

        return [
            Route(_BASE + "/gemini/omni/videos", self.submit, methods=["POST"]),
            Route(_BASE + "/videos/{id}", video),
            Route(_BASE + "/files/upload", self.upload, methods=["POST"]),
            Route(_BASE + "/user/balance", self.balance),
            Route(_BASE + "/key/balance", self.balance),
        ]

    def check(self, body: Body, encoding: Encoding) -> Order:
        """The documented fields (section Submit); `images` counts only when `image_urls` is empty."""
        only(body, _FIELDS)
        required(body, "model")
        model = choice(body, "model", self.models)
        required(body, "prompt")
        ten = model == _TEN
        ratio = text(body, "aspect_ratio")
        orientation = choice(body, "orientation", ("landscape", "portrait"))
        kind = choice(body, "generation_type", ("frame", "reference"))
        images = urls(body, "image_urls") or urls(body, "images")
        videos = urls(body, "video_urls", 1)
        if ten:
            if kind or videos:
                raise Refused("omni-10s has no generation_type and no video_urls: its references go into image_urls")
            if len(images) > 7:
                raise Refused("omni-10s takes at most 7 images")
        else:
            _check_images(kind or "reference", len(images))
            _check_duration(body, bool(videos))
        resolution = "720p" if ten else choice(body, "resolution", ("720p", "1080p", "4k"))
        width, height = frame(resolution, ratio or ("9:16" if orientation == "portrait" else "16:9"))
        return Order(_TEN if ten else _STANDARD, Clip(width, height, 10 if ten else body.get("duration") or 6))

    def accepted(self, job: Job) -> Answer:
        """`data` is an object."""
        return _envelope(
            {"task_id": job.id, "status": "queued", "model": job.model, "created_at": int(job.accepted_at)}
        )

    def video(self, job: Job, moment: Moment, request: Request) -> Answer:
        """The task; every key is present from the start, empty until it has a value."""
        links = self.links(job) if moment.phase == "succeeded" else []
        failed = moment.ended and moment.phase != "succeeded"
        return _envelope(
            {
                "task_id": job.id,
                "status": self.word(job, moment, _WORDS),
                "progress": moment.progress,
                "model": job.model,
                "created_at": int(job.accepted_at),
                "completed_at": int(job.ends_at) if moment.ended and job.ends_at else None,
                "result": {"video_url": links[0] if links else "", "image_url": ""},
                "error_message": next(reason for name, reason in _REASONS.items() if name in job.faults)
                if failed
                else "",
            }
        )

    def error(self, status: int, message: str, code: str | None = None) -> Response:
        """The envelope with a code that is not 20000."""
        return self.reply({"code": _CODES.get(status, "-1"), "msg": message, "data": None}, status)

    def refuse(self, refused: Refused) -> Response:
        """HTTP 200, body code 20002."""
        return self.reply({"code": "20002", "msg": refused.message, "data": None})

    def no_balance(self) -> Response:
        """HTTP 200, body code 20002: no separate code is documented."""
        return self.refuse(Refused("insufficient balance, please recharge"))

    def unknown_task(self, identity: str) -> Response:
        """HTTP 200, body code 20002."""
        return self.refuse(Refused("task not found"))

    def unknown_route(self, request: Request) -> Response:
        """HTTP 404 in the envelope."""
        return self.error(404, f"no such path: {request.url.path.removeprefix('/jimmyai')}")

    async def upload(self, request: Request) -> Response:
        """Store an image, video or audio file of at most 100 MB and return its address."""
        self.counts["uploads"] += 1
        if self.account(request) is None:
            return self.unauthorized()
        try:
            file = await keep(self.state, request, _UPLOAD_BYTES, ("image/", "video/", "audio/"))
        except Refused as refused:
            return self.refuse(refused)
        return self.reply(
            _envelope({"url": file.url, "filename": file.filename, "size": file.size, "mime_type": file.content_type})
        )

    async def balance(self, request: Request) -> Response:
        """What is left of the account's coins, by the price list."""
        account = self.account(request)
        if account is None:
            return self.unauthorized()
        used, coins = int(self.state.used(self.name, account)), int(self.state.settings.balance)
        return self.reply(_envelope({"balance": coins, "used_coin": used, "available": coins - used}))


def _envelope(data: Answer) -> Answer:
    return {"code": "20000", "msg": "ok", "data": data}


def _check_images(kind: str, count: int) -> None:
    if kind == "frame" and count != 1:
        raise Refused(f"generation_type frame takes exactly 1 image, not {count}")
    if kind == "reference" and count not in (0, 1, 3):
        raise Refused(f"generation_type reference takes 1 or 3 images, not {count}")


def _check_duration(body: Body, edits: bool) -> None:
    duration = body.get("duration")
    if duration is None:
        return
    if edits:
        raise Refused("duration and video_urls cannot be passed at the same time")
    if type(duration) is not int or duration not in _DURATIONS:
        raise Refused(f"duration must be 4, 6, 8 or 10, not {duration!r}")
