"""OmniRouters' Omni-Video (docs/gateways.md, OmniRouters).

`options` replace whole top-level fields: `options={"metadata": {...}}` takes the place of the metadata a portable
Seedance request would have got.
"""

from __future__ import annotations

import re
from typing import Annotated, Literal, NamedTuple, Self

from pydantic import BeforeValidator, JsonValue, model_validator

from prefect_omnivideo.core.errors import refuse
from prefect_omnivideo.core.gateways import newapi
from prefect_omnivideo.core.gateways.codes import NO_SUCH_TASK, REJECTIONS
from prefect_omnivideo.core.gateways.specification import Gateway, Route, encode_json
from prefect_omnivideo.core.gateways.validation import (
    Link,
    OpenBody,
    Text,
    broken,
    check_mode,
    drop_empty,
    whole_seconds,
    wrong_value,
)
from prefect_omnivideo.core.request import VideoRequest

MODEL = "Kling-3.0-omni"
_SEEDANCE = "doubao-seedance-"
_HUNYUAN = "Hunyuan-"


class Family(NamedTuple):
    """Documented limits of the models that share a name prefix (section Models)."""

    prefix: str
    seconds: range
    images: int | None = None
    default_seconds: int = 5


_FAMILIES = (
    Family("Kling-3.0", range(3, 16)),
    Family("Vidu-q2-pro", range(1, 11), images=2),
    Family("Vidu-q2-turbo", range(1, 11), images=2),
    Family("Vidu-q2", range(1, 11), images=7),
    Family("Vidu-q3", range(1, 17)),
    Family("Veo", range(8, 9), images=2, default_seconds=8),
    Family("Sora", range(4, 13, 4), images=1, default_seconds=4),
)


def _family(model: str) -> Family | None:
    return next((family for family in _FAMILIES if model.lower().startswith(family.prefix.lower())), None)


def _seconds(value: object) -> object:
    """A JSON number is refused by the gateway's own parser (docs/gateways.md, The new-api family, Request body)."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        raise wrong_value(f"{value} is a JSON number; send it as a string", f'"{value:g}"')
    if isinstance(value, str) and not re.fullmatch(r"0*[1-9][0-9]*", value):
        raise wrong_value(f"{value!r} is not a positive whole number of seconds", 'a string such as "5"')
    return value


Switch = Literal["Enabled", "Disabled"]


class SubjectInfo(OpenBody):
    """A person or thing the prompt refers to by its id (section Submit)."""

    id: Text
    name: Text | None = None
    image_urls: list[Link] | None = None


class OmniRoutersRequest(OpenBody):
    """Body of `POST /v1/videos` and of `POST /v1/video/generations`, which are the same (section Submit)."""

    model: Text
    prompt: Text
    resolution: Literal["720p", "1080p"] | None = None
    seconds: Annotated[str, BeforeValidator(_seconds)] | None = None
    """Whole seconds, as a string."""
    aspect_ratio: Text | None = None
    images: list[Link] | None = None
    videos: list[Link] | None = None
    firstframe: Link | None = None
    lastframe: Link | None = None
    input_region: Text | None = None
    """Where the references are reachable, such as Mainland."""
    audio_generation: Switch | None = None
    enable_bgm: Switch | None = None
    keep_original_sound: Switch | None = None
    subject_infos: list[SubjectInfo] | None = None
    image_usage: Text | None = None
    video_reference_type: Literal["feature", "base", "asset", "style"] | None = None
    metadata: dict[str, JsonValue] | None = None
    """The vendor's own parameters, passed through unchanged."""

    @model_validator(mode="after")
    def _limits(self) -> Self:
        family = _family(self.model)
        if family is None:
            return self
        if self.seconds is not None and int(self.seconds) not in family.seconds:
            accepted = _spoken(family.seconds)
            raise broken("seconds", f"{self.model} does not make {self.seconds} seconds", accepted)
        if family.images is not None and len(self.images or ()) > family.images:
            raise broken("images", f"{self.model} has {len(self.images or ())} images", f"at most {family.images}")
        return self


def _spoken(seconds: range) -> str:
    if seconds.step > 1 or len(seconds) == 1:
        return ", ".join(f'"{number}"' for number in seconds)
    return f'"{seconds[0]}" to "{seconds[-1]}"'


def _translate(request: VideoRequest) -> dict[str, JsonValue]:
    model = request.model or MODEL
    _check_mode(request, model)
    if model.startswith(_HUNYUAN):
        return _translate_hunyuan(request, model)
    family = _family(model)
    default = family.default_seconds if family else 5
    seconds = str(default if request.duration is None else whole_seconds(request.duration))
    resolution = request.resolution.lower() if request.resolution else "720p"
    if resolution not in ("720p", "1080p"):
        raise refuse("resolution", f"{request.resolution} is not documented", "720p or 1080p")
    body: dict[str, JsonValue] = {"model": model, "prompt": request.prompt, "seconds": seconds}
    if model.startswith(_SEEDANCE):
        return {**body, "metadata": _seedance_metadata(request, resolution)}
    if request.audios:
        raise refuse("audios", f"{model} takes no reference audio", f"a {_SEEDANCE}… model")
    return body | drop_empty(
        {
            "resolution": resolution,
            "aspect_ratio": request.aspect_ratio,
            "images": request.images,
            "videos": request.videos,
            "firstframe": request.first_frame,
            "lastframe": request.last_frame,
            "audio_generation": None if request.sound is None else "Enabled" if request.sound else "Disabled",
            "video_reference_type": _video_reference_type(request, model),
        }
    )


def _check_mode(request: VideoRequest, model: str) -> None:
    if request.videos or request.audios:
        check_mode(request, "r2v", "reference_material", "edit" if model.startswith("Kling-") else None)
    elif request.images:
        check_mode(request, "i2v", "r2v", "reference_images", "reference_material", "multi_i2v")
    elif request.last_frame:
        check_mode(request, "i2v_first_last")
    elif request.first_frame:
        check_mode(request, "i2v")
    else:
        check_mode(request, "t2v")


def _video_reference_type(request: VideoRequest, model: str) -> str | None:
    """Kling's value for the mode; omitted if the request has none."""
    if not request.videos or not request.mode or not model.startswith("Kling-"):
        return None
    return "base" if request.mode == "edit" else "feature"


def _translate_hunyuan(request: VideoRequest, model: str) -> dict[str, JsonValue]:
    for name in sorted(request.set_fields() - {"prompt", "model", "mode"}):
        raise refuse(name, f"{model} is documented with a prompt only", "nothing, or options")
    return {"model": model, "prompt": request.prompt}


def _seedance_metadata(request: VideoRequest, resolution: str) -> dict[str, JsonValue]:
    """Everything but prompt and seconds goes into metadata (section Submit)."""
    for name in ("first_frame", "last_frame"):
        if getattr(request, name):
            raise refuse(name, "has no documented field for Seedance", "images, with the role in the prompt")
    references = (("image", request.images), ("video", request.videos), ("audio", request.audios))
    content: list[JsonValue] = [
        {"type": f"{kind}_url", f"{kind}_url": {"url": link}, "role": f"reference_{kind}"}
        for kind, links in references
        for link in links
    ]
    return drop_empty(
        {
            "resolution": resolution,
            "content": content,
            "generate_audio": request.sound,
            "ratio": request.aspect_ratio,
        }
    )


_CONTENT = "/v1/videos/{task_id}/content"

gateway = Gateway(
    name="omnirouters",
    title="OmniRouters",
    base_url="https://omnirouters.com",
    routes=(
        Route("/v1/videos", "/v1/videos/{task_id}", _CONTENT),
        Route("/v1/video/generations", "/v1/video/generations/{task_id}", _CONTENT),
    ),
    native=OmniRoutersRequest,
    fields={
        "prompt": "prompt",
        "model": "model",
        "mode": "video_reference_type",
        "duration": "seconds",
        "aspect_ratio": "aspect_ratio",
        "resolution": "resolution",
        "first_frame": "firstframe",
        "last_frame": "lastframe",
        "images": "images",
        "videos": "videos",
        "audios": "metadata",
        "sound": "audio_generation",
    },
    hints={
        "size": "resolution 720p or 1080p, with aspect_ratio",
        "negative_prompt": "the prompt, saying what to leave out",
        "seed": "no seed; another take makes another video",
        "extend_from": "videos, with the finished video as the reference",
    },
    translate=_translate,
    encode=encode_json,
    has_price_page=True,
    cheapest={"duration": 3, "resolution": "720p"},
    link_paths=newapi.LINK_PATHS,
    rejections=REJECTIONS,
    not_found=NO_SUCH_TASK,
)
