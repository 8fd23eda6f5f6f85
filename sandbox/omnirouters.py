"""OmniRouters Omni-Video (docs/gateways.md, OmniRouters, The new-api family)."""

import json
from typing import Any, Final, cast

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from prefect_omnivideo.sandbox.body import Encoding
from prefect_omnivideo.sandbox.checks import Body, Refused, choice, frame, required, strings, text, url, urls
from prefect_omnivideo.sandbox.gateway import Answer, Order, Words
from prefect_omnivideo.sandbox.jobs import Clip, Job, Moment
from prefect_omnivideo.sandbox.newapi import NewApi, failure

_WORDS = Words(("unknown", "queued"), "in_progress", "completed", "failed", "cancelled")
_VEO_WORDS = Words(("queued",), "processing", "succeeded", "failed", "failed")
_SWITCHES: Final = ("audio_generation", "enable_bgm", "keep_original_sound")
_TEXTS: Final = ("aspect_ratio", "input_region", "image_usage")
_REFERENCE_TYPES: Final = ("feature", "base", "asset", "style")
_SECONDS: Final = {"Kling-3.0": (3, 15), "Vidu-q2": (1, 10), "Vidu-q3": (1, 16), "Veo": (8, 8)}
_IMAGES: Final = {"Vidu-q2-pro": 2, "Vidu-q2": 7, "Veo": 2}
"""Model limits by the start of the model's name (section Models)."""


class OmniRouters(NewApi):
    """Two equivalent submit routes, each with its own query route and shape; unknown fields are forwarded."""

    name = "omnirouters"
    models = (
        "Kling-3.0-omni",
        "Kling-3.0",
        "Kling-o1",
        "Vidu-q2",
        "Vidu-q2-pro",
        "Vidu-q3-mix",
        "Veo-3.1",
        "doubao-seedance-2-0-260128",
        "doubao-seedance-2-0-fast-260128",
        "Hunyuan-3d-scene-2.0",
    )
    encodings = frozenset[Encoding]({"json", "form", "multipart"})

    def routes(self) -> list[BaseRoute]:
        """The family's routes and `/v1/video/generations`."""

        async def generation(request: Request) -> Response:
            return await self.query(request, self.generation)

        path = "/v1/video/generations"
        return [*super().routes(), Route(path, self.submit, methods=["POST"]), Route(path + "/{id}", generation)]

    def refuse(self, refused: Refused) -> Response:
        """A missing or unknown model is refused by the gate, with a nested error (section Gate errors)."""
        if refused.code in ("missing_model", "model_not_found"):
            return self.nested(refused.status, refused.message, refused.code)
        return super().refuse(refused)

    def check(self, body: Body, encoding: Encoding) -> Order:
        """Types as stock new-api reads them, values as documented (sections Submit and Models)."""
        model = required(body, "model")
        if model not in self.models:
            raise Refused(f"no channel serves the model {model}", code="model_not_found", status=503)
        required(body, "prompt")
        metadata = _metadata(body)
        for name in _TEXTS:
            text(body, name)
        for name in _SWITCHES:
            choice(body, name, ("Enabled", "Disabled"))
        choice(body, "video_reference_type", _REFERENCE_TYPES)
        for name in ("firstframe", "lastframe"):
            url(body, name)
        urls(body, "images", _limit(_IMAGES, model))
        urls(body, "videos")
        _subjects(body.get("subject_infos"))
        resolution = choice(body, "resolution", ("720p", "1080p")) or str(metadata.get("resolution", ""))
        ratio = text(body, "aspect_ratio") or str(metadata.get("aspect_ratio") or metadata.get("ratio") or "")
        width, height = frame(resolution, ratio)
        sound = "Enabled" in (body.get("audio_generation"), body.get("enable_bgm")) or bool(
            metadata.get("generate_audio")
        )
        return Order(model, Clip(width, height, _seconds(body, model), sound))

    def video(self, job: Job, moment: Moment, request: Request) -> Answer:
        """The flat video object (section Status on /v1/videos). Where the link is depends on the model's channel."""
        answer = self.accepted(job) | {"status": self.word(job, moment, _WORDS), "progress": moment.progress}
        if moment.phase == "succeeded":
            answer |= {
                "completed_at": int(job.ends_at or 0),
                "seconds": f"{job.clip.seconds:g}",
                "size": f"{job.clip.width}x{job.clip.height}",
            }
            answer |= self._result(job, request)
        elif moment.ended:
            code, message = failure(job)
            answer["error"] = {"message": message, "code": code}
        return answer

    def _result(self, job: Job, request: Request) -> Answer:
        if _is_veo(job):
            return {"metadata": {"url": self._own_content(job, request)}} if "no-url" not in job.faults else {}
        links = self.links(job)
        if len(links) > 1:
            return {"urls": links}
        if job.model.startswith("Hunyuan"):
            return {"video_url": links[0]} if links else {}
        return {"metadata": {"url": links[0]}} if links else {}

    def generation(self, job: Job, moment: Moment, request: Request) -> Answer:
        """A row of the job table (section Status on /v1/video/generations) with the vendor's answer, which lags."""
        if _is_veo(job):
            return {"code": "success", "message": "", "data": self._vertex(job, moment, request)}
        row = self.row(job, moment)
        if moment.phase == "succeeded" and (links := self.links(job)):
            row["result_url"] = links[0]
            if len(links) > 1:
                row["urls"] = links
        elif moment.ended and moment.phase != "succeeded":
            row["result_url"] = row["fail_reason"]
        return {"code": "success", "message": "", "data": row}

    def properties(self, job: Job) -> dict[str, str]:
        """The row tells the prompt."""
        return super().properties(job) | {"input": job.prompt}

    def _vertex(self, job: Job, moment: Moment, request: Request) -> Answer:
        found = moment.phase == "succeeded" and "no-url" not in job.faults
        return {
            "task_id": job.id,
            "status": self.word(job, moment, _VEO_WORDS),
            "url": self._own_content(job, request) if found else "",
            "format": "mp4",
            "metadata": None,
            "error": {"code": 400, "message": failure(job)[1]}
            if moment.ended and moment.phase != "succeeded"
            else None,
        }

    def _own_content(self, job: Job, request: Request) -> str:
        return f"{request.url.scheme}://{request.url.netloc}/{self.name}/v1/videos/{job.id}/content"


def _is_veo(job: Job) -> bool:
    return job.model.startswith("Veo")


def _limit(limits: dict[str, int], model: str) -> int | None:
    return next((limit for start, limit in limits.items() if model.startswith(start)), None)


def _seconds(body: Body, model: str) -> int:
    given = body.get("seconds")
    if given is not None and not isinstance(given, str):
        raise Refused("field seconds must be a string: a JSON number cannot be read into it")
    low, high = next((range_ for start, range_ in _SECONDS.items() if model.startswith(start)), (1, 60))
    if given is None:
        given = str(body.get("duration") or min(max(5, low), high))
    if not (given.isascii() and given.isdigit() and int(given) > 0):
        raise Refused("field seconds must be a positive integer")
    if not low <= int(given) <= high:
        raise Refused(f"field seconds must be from {low} to {high} for {model}, not {given}")
    return int(given)


def _metadata(body: Body) -> dict[str, Any]:
    value: object = body.get("metadata") or {}
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            value = None
    if not isinstance(value, dict):
        raise Refused("field metadata must be an object")
    return cast("dict[str, Any]", value)


def _subjects(value: object) -> None:
    if value is None:
        return
    if not isinstance(value, list):
        raise Refused("field subject_infos must be a list of objects")
    for subject in cast("list[object]", value):
        if not isinstance(subject, dict):
            raise Refused("field subject_infos must be a list of objects")
        subject = cast("Body", subject)
        required(subject, "id")
        text(subject, "name")
        if not all(address.startswith("http") for address in strings(subject, "image_urls")):
            raise Refused("field image_urls of subject_infos must hold http(s) URLs")
