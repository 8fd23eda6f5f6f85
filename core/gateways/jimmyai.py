"""JimmyAI's Gemini Omni (docs/gateways.md, JimmyAI)."""

from __future__ import annotations

import re
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, JsonValue, model_validator

from prefect_omnivideo.core.errors import refuse
from prefect_omnivideo.core.gateways.codes import NO_SUCH_TASK, REJECTIONS
from prefect_omnivideo.core.gateways.specification import Gateway, Reason, Route, Upload, encode_json
from prefect_omnivideo.core.gateways.validation import (
    ClosedBody,
    Link,
    Text,
    broken,
    check_mode,
    drop_empty,
    whole_seconds,
    wrong_value,
)
from prefect_omnivideo.core.request import VideoRequest

MODEL = "Gemini-Omini"
"""The gateway's own spelling."""
FIXED_MODEL = "omni-10s"
"""Always 10 seconds at 720p."""


def _ratio(ratio: str) -> str:
    if ratio and not re.fullmatch(r"[0-9]+:[0-9]+", ratio):
        raise wrong_value(f"{ratio!r} is not a ratio", "16:9, 9:16 or the like")
    return ratio


class JimmyAIRequest(ClosedBody):
    """Body of `POST /api/open-api/v1/gemini/omni/videos` (section Submit)."""

    model: Literal["Gemini-Omini", "Omni-Flash-Ext", "gemini-omni", "omni-10s"]
    prompt: Text
    duration: Literal[4, 6, 8, 10] | None = None
    """Seconds; the gateway's default is 6. Not together with a reference video."""
    resolution: Literal["720p", "1080p", "4k"] | None = None
    aspect_ratio: Annotated[str, AfterValidator(_ratio)] | None = None
    """Such as 16:9; goes before `orientation`, which counts when this is empty."""
    orientation: Literal["landscape", "portrait"] | None = None
    generation_type: Literal["frame", "reference"] | None = None
    image_urls: list[Link] | None = None
    images: list[Link] | None = None
    """Counts only when `image_urls` is empty."""
    video_urls: list[Link] | None = Field(default=None, max_length=1)

    @model_validator(mode="after")
    def _references(self) -> Self:
        field = "image_urls" if self.image_urls or not self.images else "images"
        count = len(self.image_urls or self.images or ())
        if self.model == FIXED_MODEL:
            return self._fixed(field, count)
        if self.video_urls and self.duration is not None:
            raise broken("duration", f"{self.duration} is given together with video_urls", "one of the two")
        if self.generation_type == "frame" and count != 1:
            raise broken(field, f"generation_type frame has {count} images", "exactly 1 image")
        if count not in (0, 1, 3):
            raise broken(field, f"generation_type reference has {count} images", "1 or 3 images, or none")
        return self

    def _fixed(self, field: str, count: int) -> Self:
        if count > 7:
            raise broken(field, f"{FIXED_MODEL} has {count} references", "at most 7")
        if self.video_urls:
            raise broken("video_urls", f"{FIXED_MODEL} takes no video_urls", "the video's URL in image_urls")
        if self.generation_type == "frame":
            raise broken("generation_type", f"{FIXED_MODEL} has no first-frame mode", f"reference, or {MODEL}")
        # Duration and resolution are documented as ignored: 10 seconds at 720p are made and billed (section Submit).
        return self


def _translate(request: VideoRequest) -> dict[str, JsonValue]:
    if request.first_frame and request.images:
        raise refuse("first_frame", "cannot be combined with images", "first_frame or images")
    if request.videos:
        check_mode(request, "edit", "r2v", "reference_material")
    elif request.first_frame:
        check_mode(request, "i2v")
    elif request.images:
        check_mode(request, "r2v", "reference_images", "reference_material", "multi_i2v")
    else:
        check_mode(request, "t2v")
    if request.model == FIXED_MODEL:
        return _translate_fixed(request)
    if request.videos and request.duration is not None:
        raise refuse("duration", "cannot be given together with videos", "no duration; it follows the video")
    images = (request.first_frame,) if request.first_frame else request.images
    kind = "frame" if request.first_frame else "reference" if images else None
    return drop_empty(
        {
            "model": request.model or MODEL,
            "prompt": request.prompt,
            "duration": None if request.duration is None else whole_seconds(request.duration),
            "resolution": request.resolution and request.resolution.lower(),
            "aspect_ratio": request.aspect_ratio,
            "generation_type": kind,
            "image_urls": images,
            "video_urls": request.videos,
        }
    )


def _translate_fixed(request: VideoRequest) -> dict[str, JsonValue]:
    if request.duration not in (None, 10):
        raise refuse("duration", f"{FIXED_MODEL} makes 10 seconds, not {request.duration:g}", "10, or nothing")
    if request.resolution and request.resolution.lower() != "720p":
        raise refuse("resolution", f"{FIXED_MODEL} makes 720p, not {request.resolution}", "720p, or nothing")
    if request.first_frame:
        raise refuse("first_frame", f"{FIXED_MODEL} has no first-frame mode", f"images, or model {MODEL}")
    return drop_empty(
        {
            "model": FIXED_MODEL,
            "prompt": request.prompt,
            "aspect_ratio": request.aspect_ratio,
            "image_urls": request.images + request.videos,
        }
    )


def _as_made(body: dict[str, JsonValue]) -> dict[str, JsonValue]:
    if body.get("model") == FIXED_MODEL:
        return body | {"duration": 10, "resolution": "720p"}
    length: dict[str, JsonValue] = {} if body.get("video_urls") else {"duration": 6}
    return {"resolution": "720p", **length, **body}


gateway = Gateway(
    name="jimmyai",
    title="JimmyAI",
    base_url="https://www.jimmyai.cn",
    routes=(Route(submit="/api/open-api/v1/gemini/omni/videos", status="/api/open-api/v1/videos/{task_id}"),),
    native=JimmyAIRequest,
    fields={
        "prompt": "prompt",
        "model": "model",
        "mode": "generation_type",
        "duration": "duration",
        "resolution": "resolution",
        "aspect_ratio": "aspect_ratio",
        "first_frame": "image_urls",
        "images": "image_urls",
        "videos": "video_urls",
    },
    hints={
        "last_frame": "first_frame, or images with the role described in the prompt",
        "size": "resolution 720p, 1080p or 4k with aspect_ratio 16:9 or 9:16",
        "audios": "images and one video only",
        "negative_prompt": "the prompt, saying what to leave out",
        "sound": "no choice; the model decides",
        "seed": "no seed; another take makes another video",
        "extend_from": "videos, with the finished video as the reference",
    },
    translate=_translate,
    encode=encode_json,
    as_made=_as_made,
    uploads=(
        # docs/gateways.md, JimmyAI, Upload.
        Upload(
            path="/api/open-api/v1/files/upload",
            field="file",
            types=("image/", "video/", "audio/"),
            most_bytes=100 * 1024**2,
            url_path="data.url",
            valid_for=3 * 24 * 3600,
        ),
    ),
    mixed_models=frozenset({FIXED_MODEL}),
    currency="credits",  # it calls them coins
    check_path="/api/open-api/v1/user/balance",
    balance_path="data.available",
    cheapest={"duration": 4, "resolution": "720p"},
    link_paths=("result.video_url", "result.url", "video_url", "url", "mediaUrl"),
    # -1 is a server error, and says nothing about the job (docs/gateways.md, JimmyAI, Errors).
    rejections={**REJECTIONS, "20001": Reason.UNAUTHORIZED, "20002": Reason.REFUSED},
    not_found=NO_SUCH_TASK,
)
