"""12AI's omni_flash-10s (docs/gateways.md, 12AI)."""

from __future__ import annotations

import re
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, JsonValue, model_validator

from prefect_omnivideo.core.errors import refuse
from prefect_omnivideo.core.gateways import newapi
from prefect_omnivideo.core.gateways.codes import NO_SUCH_TASK, REJECTIONS
from prefect_omnivideo.core.gateways.specification import Gateway, HttpCall, Route, encode_json
from prefect_omnivideo.core.gateways.validation import (
    ClosedBody,
    Link,
    Text,
    broken,
    check_mode,
    drop_empty,
    is_video,
    wrong_value,
)
from prefect_omnivideo.core.request import VideoRequest

MODEL = "omni_flash-10s"
_SIZES = {"16:9": "1280x720", "9:16": "720x1280"}


def _pixels(size: str) -> str:
    if not re.fullmatch(r"[1-9][0-9]*x[1-9][0-9]*", size):
        raise wrong_value(f"{size!r} is not a width and height", "1280x720, 720x1280 or the like")
    return size


class TwelveAIRequest(ClosedBody):
    """Body of `POST /v1/videos` (section Submit). References go into `images` (JSON) or `input_reference[]` (form)."""

    # The form field exists only under the name with brackets.
    model_config = ConfigDict(populate_by_name=False)

    model: Literal["omni_flash-10s"]
    prompt: Text
    size: Annotated[str, AfterValidator(_pixels)] | None = None
    """Width and height in pixels, such as 1280x720 or 720x1280."""
    images: list[Link] | None = Field(default=None, max_length=7)
    """Image or video URLs; a video among them makes the job an edit of it."""
    input_reference: list[Link] | None = Field(default=None, max_length=7, alias="input_reference[]")
    """The same, sent as a form."""

    @model_validator(mode="after")
    def _one_way_for_references(self) -> Self:
        if self.images and self.input_reference:
            raise broken("input_reference[]", "references are given twice", "either images or input_reference[]")
        return self


def _size(request: VideoRequest) -> str | None:
    if request.resolution and request.resolution.lower() != "720p":
        raise refuse("resolution", f"{request.resolution} is not made; the model's videos are 720p", "720p")
    if request.aspect_ratio and request.aspect_ratio not in _SIZES:
        raise refuse("aspect_ratio", f"{request.aspect_ratio} has no documented size", "16:9, 9:16, or a size")
    size = _SIZES.get(request.aspect_ratio or "")
    if request.size and size and request.size != size:
        raise refuse("aspect_ratio", f"{request.aspect_ratio} contradicts size {request.size}", f"size {size}")
    if request.size and request.resolution and "720" not in request.size.split("x"):
        raise refuse("resolution", f"{request.resolution} contradicts size {request.size}", "1280x720 or 720x1280")
    return request.size or size


def _translate(request: VideoRequest) -> dict[str, JsonValue]:
    if request.duration not in (None, 10):
        raise refuse("duration", f"{request.duration:g} s is not made; every video has 10 seconds", "10")
    if request.videos or any(map(is_video, request.images)):
        check_mode(request, "edit")
    elif request.images:
        check_mode(request, "i2v", "r2v", "reference_images", "reference_material", "multi_i2v")
    else:
        check_mode(request, "t2v")
    return drop_empty(
        {
            "model": request.model or MODEL,
            "prompt": request.prompt,
            "size": _size(request),
            "images": request.images + request.videos,
        }
    )


def _encode(native: BaseModel, path: str) -> HttpCall:
    """JSON, or a form when the references are in the form's field."""
    if not isinstance(native, TwelveAIRequest) or native.input_reference is None:
        return encode_json(native, path)
    form = [("model", native.model), ("prompt", native.prompt)]
    if native.size is not None:
        form.append(("size", native.size))
    form.extend(("input_reference[]", link) for link in native.input_reference)
    return HttpCall("POST", path, form=tuple(form))


gateway = Gateway(
    name="12ai",
    title="12AI",
    base_url="https://cdn.12ai.org",
    routes=(
        Route(
            submit="/v1/videos",
            status="/v1/videos/{task_id}",
            content="/v1/videos/{task_id}/content",
            cancel="/v1/videos/{task_id}",  # on the page of the older models only
        ),
    ),
    native=TwelveAIRequest,
    fields={
        "prompt": "prompt",
        "model": "model",
        "mode": "mode",
        "duration": "duration",
        "resolution": "resolution",
        "aspect_ratio": "size",
        "size": "size",
        "videos": "images",
        "images": "images",
    },
    hints={
        "first_frame": "images, with the role described in the prompt",
        "last_frame": "images, with the role described in the prompt",
        "audios": "images and videos only, up to 7 together",
        "negative_prompt": "the prompt, saying what to leave out",
        "sound": "no choice; the model decides",
        "seed": "no seed; another take makes another video",
        "extend_from": "videos, with the finished video as the one to edit",
    },
    translate=_translate,
    encode=_encode,
    has_price_page=True,
    as_made=lambda body: body | {"duration": 10, "resolution": "720p"},
    mixed_models=frozenset({"", MODEL}),
    link_paths=newapi.LINK_PATHS,
    rejections=REJECTIONS,
    not_found=NO_SUCH_TASK,
)
