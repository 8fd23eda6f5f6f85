"""The Sora-compatible gateway (docs/gateways.md, Sora-compatible, The new-api family, OpenAI Videos API)."""

from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from prefect_omnivideo.sandbox.body import Encoding
from prefect_omnivideo.sandbox.checks import Body, Refused, choice, frame, pixels, required, text, url
from prefect_omnivideo.sandbox.gateway import Answer, Order, Words
from prefect_omnivideo.sandbox.jobs import Clip, Job, Moment
from prefect_omnivideo.sandbox.newapi import NewApi, failure

_WORDS = Words(("queued",), "in_progress", "completed", "failed")
_IMAGES: Final = ("image", "image_url", "images", "image_urls", "reference_images", "input_reference", "content")
_VIDEOS: Final = ("video", "video_url", "videos", "video_urls", "content")
_LISTS: Final = ("image_urls", "images", "reference_images", "video_urls", "audio_urls", "image_list")
_MODES: Final = {
    "i2v": (("image_url", "image", "input_reference", "images", "image_urls"),),
    "i2v_first_last": (("image_url", "image", "input_reference"), ("end_image_url", "last_image_url")),
    "reference_images": (("reference_images",),),
    "reference_material": (("image_urls", "video_urls", "audio_urls", "content"),),
    "r2v": (_IMAGES,),
    "edit": (_VIDEOS,),
    "multi_i2v": (("image_list",),),
    "extend": (("video_id",),),
}
"""What each common mode needs: of every group at least one field. A mode that is not here is forwarded."""
_KLING: Final = (
    *("kling-v1", "kling-v1-5", "kling-v1-6", "kling-v2-master", "kling-v2-1", "kling-v2-1-master"),
    *("kling-v2-5-turbo", "kling-v2-6", "kling-v3"),
)
_OMNI_SECONDS: Final = (4, 6, 8, 10)
_SORA_SIZES: Final = {
    "sora-2": ("720x1280", "1280x720"),
    "sora-2-pro": ("720x1280", "1280x720", "1024x1792", "1792x1024"),
}
_SORA_SECONDS: Final = 4
_ENDINGS: Final = {400: "invalid_request", 401: "unauthorized", 404: "not_found", 429: "rate_limit_exceeded"}


class SoraCompatible(NewApi):
    """OpenAI's three endpoints for many models; unknown fields are forwarded."""

    name = "sora"
    models = (
        *("sora-2", "sora-2-pro", "gemini-omni", "happyhorse-1.0", "happyhorse-1.0-i2v", "happyhorse-1.0-t2v"),
        *("happyhorse-1.0-r2v", "happyhorse-1.0-video-edit", "doubao-seedance-1-0-lite-i2v-250428"),
        *(
            "doubao-seedance-1-0-lite-t2v-250428",
            "doubao-seedance-1-0-pro-250528",
            "doubao-seedance-1-0-pro-fast-251015",
        ),
        *("doubao-seedance-1-5-pro-251215", "doubao-seedance-2-0-260128", "doubao-seedance-2-0-fast-260128"),
        *("veo3", "veo3-fast", "veo3-fast-frames", "veo3-frames", "veo3-pro", "veo3-pro-frames", "veo3.1", "veo3.1-4k"),
        *("veo3.1-components", "veo3.1-fast", "veo3.1-pro", "veo3.1-pro-4k", "kling-video", "grok-imagine-1.0-video"),
        *("grok-imagine-video-1.5-preview", "grok-video-3", "viduq3-turbo", "hailuo-video"),
    )
    encodings = frozenset[Encoding]({"json", "form", "multipart"})
    ignored_faults = frozenset({"cancelled", "two-files"})

    def error(self, status: int, message: str, code: str | None = None) -> Response:
        """`{error: {code, message}}` (section Errors)."""
        return self.reply({"error": {"code": code or _ENDINGS.get(status, "server_error"), "message": message}}, status)

    def unauthorized(self) -> Response:
        """401 in the gateway's own shape."""
        return self.error(401, "invalid token", "unauthorized")

    def no_balance(self) -> Response:
        """403 as in the family, in the gateway's own shape."""
        return self.error(403, "user quota is not enough", "insufficient_user_quota")

    def unknown_task(self, identity: str) -> Response:
        """404 (section Errors)."""
        return self.error(404, f"video {identity} not found", "not_found")

    def check(self, body: Body, encoding: Encoding) -> Order:
        """Model, mode and their required fields; sizes and seconds where they are documented."""
        body = {name.removesuffix("[]"): value for name, value in body.items()}
        model = required(body, "model")
        if model not in self.models:
            raise Refused(f"no channel serves the model {model}", code="model_not_found", status=503)
        for name in _LISTS:
            if encoding == "json" and not isinstance(body.get(name, []), list):
                raise Refused(f"field {name} must be a list")
        mode = _mode(body, model)
        if mode != "extend":
            required(body, "prompt")
        elif not self._has(text(body, "video_id")):
            raise Refused(f"video_id: there is no finished video {text(body, 'video_id')}")
        for name in ("callback_url", "end_image_url", "last_image_url"):
            url(body, name)
        width, height = _shape(body, model)
        sound = body.get("sound") in (True, "on", "true") or body.get("generate_audio") is True
        return Order(model, Clip(width, height, _seconds(body, model), sound))

    def _has(self, video_id: str) -> bool:
        return any(
            _video_id(job) == video_id and self.state.book.now(job).phase == "succeeded" for job in self.state.book
        )

    def accepted(self, job: Job) -> Answer:
        """OpenAI's video object with `created_at` in milliseconds, as in the example (section Answer)."""
        answer: Answer = {"id": job.id, "object": "video", "model": job.model, "status": "queued", "progress": 0}
        answer |= {"created_at": int(job.accepted_at * 1000), "seconds": f"{job.clip.seconds:g}"}
        return answer | {"size": f"{job.clip.width}x{job.clip.height}"}

    def video(self, job: Job, moment: Moment, request: Request) -> Answer:
        """The same object with `video_url`, unless the job has none and `/content` is the only way."""
        answer = self.accepted(job) | {"status": self.word(job, moment, _WORDS), "progress": moment.progress}
        if moment.phase == "succeeded":
            answer["completed_at"] = int((job.ends_at or 0) * 1000)
            if links := self.links(job):
                answer["video_url"] = links[0]
            if job.model == "kling-video":  # the vendor's own answer, passed on in part; no document says where
                answer["metadata"] = {"video_id": _video_id(job)}
        elif moment.phase == "failed":
            code, message = failure(job)
            answer["error"] = {"code": code, "message": message}
        return answer


def _video_id(job: Job) -> str:
    """Kling's name for the video of a job, which is not that of the job."""
    return f"{800_000_000_000_000_000 + job.number}"


def _mode(body: Body, model: str) -> str:
    mode = text(body, "mode")
    if model == "kling-video":
        required(body, "model_name")
        choice(body, "model_name", _KLING)
    if model == "gemini-omni" and mode not in ("", "t2v", "r2v", "edit"):
        raise Refused(f"gemini-omni has the modes t2v, r2v and edit, not {mode}")
    for group in _MODES.get(mode, ()):
        if not any(body.get(name) for name in group):
            raise Refused(f"mode {mode} needs {' or '.join(group)}")
    return mode


def _seconds(body: Body, model: str) -> float:
    given: Any = body.get("seconds")
    if given is None:
        given = body.get("duration")
    if given is None:
        return _SORA_SECONDS
    try:
        seconds = float(given) if isinstance(given, int | float | str) and not isinstance(given, bool) else 0
    except ValueError:
        seconds = 0
    if not 0 < seconds <= 60:
        raise Refused(f"field seconds must be a number or a numeric string above 0, not {given!r}")
    return min(_OMNI_SECONDS, key=lambda step: abs(step - seconds)) if model == "gemini-omni" else seconds


def _shape(body: Body, model: str) -> tuple[int, int]:
    size = text(body, "size")
    if size and model in _SORA_SIZES and size not in _SORA_SIZES[model]:
        raise Refused(f"size {size} is not one of {', '.join(_SORA_SIZES[model])}", code="invalid_size")
    ratio = text(body, "aspect_ratio") or text(body, "ratio")
    if "x" in size:
        width, height = pixels(size)
        if max(width, height) > 4096 or (width | height) % 2:
            raise Refused(f"size {size} is not possible", code="invalid_size")
        return width, height
    resolution = text(body, "resolution") or size
    return frame(resolution, ratio) if resolution or ratio else (720, 1280)
