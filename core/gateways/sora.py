"""A Sora-compatible gateway, one address per account (docs/gateways.md, Sora-compatible)."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Annotated, Any, Self, get_args

from pydantic import AfterValidator, BaseModel, BeforeValidator, Field, JsonValue, model_validator

from prefect_omnivideo.core.gateways import newapi
from prefect_omnivideo.core.gateways.codes import NO_SUCH_TASK, REJECTIONS
from prefect_omnivideo.core.gateways.sora_portable import (
    GEMINI,
    KLING,
    KlingModel,
    pick_file,
    translate,
)
from prefect_omnivideo.core.gateways.specification import Attachment, Gateway, HttpCall, Route, encode_json
from prefect_omnivideo.core.gateways.validation import Link, OpenBody, Text, broken, is_link, wrong_value
from prefect_omnivideo.core.redaction import shorten
from prefect_omnivideo.core.request import is_local, local_path

KLING_MODELS: tuple[str, ...] = get_args(KlingModel)
_GEMINI_MODES = ("t2v", "r2v", "edit")
_SORA_SIZES = {
    "sora-2": ("720x1280", "1280x720"),
    "sora-2-pro": ("720x1280", "1280x720", "1792x1024", "1024x1792"),
}
_IMAGES = ("image", "image_url", "images", "image_urls", "reference_images", "input_reference", "content")
_VIDEOS = ("video", "video_url", "videos", "content")
_MATERIAL = ("image_urls", "video_urls", "audio_urls")


def _seconds(value: object) -> object:
    """Seconds come as a number or as a string (section Submit)."""
    number = value if isinstance(value, int | float) and not isinstance(value, bool) else None
    if isinstance(value, str) and re.fullmatch(r"\d+(\.\d+)?", value):
        number = float(value)
    if number is None or not 0 < number < float("inf"):
        raise wrong_value(f"{shorten(repr(value))} is not a positive number of seconds", 'such as "8" or 8')
    return value


def _media(value: str) -> str:
    """Kling also accepts bare base64; a short value is a mistake, such as a path that was never uploaded."""
    if is_link(value) or value.startswith("data:") or re.fullmatch(r"[A-Za-z0-9+/]{256,}={0,2}", value):
        return value
    raise wrong_value(
        f"{shorten(value)!r} cannot be reached by the gateway", "an http(s) or data: URL; one local image"
    )


def _input_reference(value: JsonValue) -> JsonValue:
    if value is None or isinstance(value, dict) or (isinstance(value, str) and _is_sendable(value)):
        return value
    raise wrong_value(f"{shorten(repr(value))} cannot be sent", "a URL, a local path or an object")


def _is_sendable(reference: str) -> bool:
    return is_link(reference) or reference.startswith("data:") or (is_local(reference) and bool(reference.strip()))


VIDEO_ID_PATHS = tuple(
    f"{where}{path}"
    for where in ("", "metadata.", "data.", "data.data.", "data.data.data.")
    for path in ("video_id", "task_result.videos[0].id")
)
"""Where Kling's id of a video may be: no document says so. The vendor's own answer, as far as it is passed on."""

Seconds = Annotated[int | float | str, BeforeValidator(_seconds)]
Media = Annotated[str, AfterValidator(_media)]


class SoraRequest(OpenBody):
    """Body of `POST /v1/videos` with every field the gateway lists (section Submit); it forwards others."""

    model: Text
    prompt: str | None = None
    seconds: Seconds | None = None
    duration: Seconds | None = None
    """The same as `seconds`."""
    size: Text | None = None
    mode: Text | None = None

    aspect_ratio: Text | None = None
    ratio: Text | None = None
    quality: Text | None = None
    resolution: Text | None = None
    fps: int | None = None
    image: Media | None = None
    image_url: Media | None = None
    image_urls: list[Media] | None = None
    images: list[Media] | None = None
    reference_images: list[Media] | None = None
    input_reference: Annotated[JsonValue, AfterValidator(_input_reference)] = None
    """A URL, a local file (the body becomes a multipart form) or a compatible object."""
    end_image_url: Media | None = None
    last_image_url: Media | None = None
    video: Media | None = None
    video_url: Media | None = None
    videos: list[Media] | None = None
    video_urls: list[Media] | None = None
    audio_urls: list[Media] | None = None
    function_mode: Text | None = None
    content: list[JsonValue] | None = None
    metadata: dict[str, JsonValue] | None = None
    callback_url: Link | None = None
    external_task_id: Text | None = None

    width: Annotated[int, Field(gt=0)] | None = None
    height: Annotated[int, Field(gt=0)] | None = None
    seed: int | None = None
    n: Annotated[int, Field(gt=0)] | None = None
    response_format: Text | None = None
    user: str | None = None

    model_name: Text | None = None
    """Kling's own model."""
    negative_prompt: str | None = None
    cfg_scale: float | None = None
    sound: JsonValue = None
    camera_control: dict[str, JsonValue] | None = None
    image_list: list[JsonValue] | None = None
    video_id: Text | None = None
    task_id: Text | None = None
    watermark_info: dict[str, JsonValue] | None = None

    @model_validator(mode="after")
    def _rules(self) -> Self:
        group = re.search(r"-(stable|official)$", self.model)
        if group:
            raise broken(
                "model", f"{group[0]} is a token group, not part of a model's name", self.model.removesuffix(group[0])
            )
        if self.seconds is not None and self.duration is not None and float(self.seconds) != float(self.duration):
            raise broken("duration", f"{self.duration} contradicts seconds {self.seconds}", "one of the two")
        sizes = _SORA_SIZES.get(self.model)
        if sizes and self.size is not None and self.size not in sizes:
            raise broken("size", f"{self.model} does not make {self.size}", ", ".join(sizes))
        if self.model == KLING:
            self._kling()
        else:
            self._modes()
        if isinstance(self.input_reference, str) and is_local(self.input_reference):
            self._check_form("beside a file to upload", "an http(s) URL as input_reference")
        return self

    def _need(self, *names: str, why: str = "") -> None:
        """One of the fields must be there."""
        if not any(_given(getattr(self, name)) for name in names):
            raise broken(names[0], f"missing{why and f' for {why}'}", " or ".join(names))

    def _kling(self) -> None:
        if self.model_name not in KLING_MODELS:
            rule = f"{self.model_name} is not known" if self.model_name else f"missing for model {KLING}"
            raise broken("model_name", rule, ", ".join(KLING_MODELS))
        if self.mode == "extend":
            self._need("video_id", why="mode extend")
            return
        self._need("prompt")
        if self.mode == "i2v":
            self._need("image", why="mode i2v")
        if self.mode == "multi_i2v":
            self._need("image_list", why="mode multi_i2v")

    def _modes(self) -> None:
        self._need("prompt")
        if self.model == GEMINI:
            if self.mode not in (None, *_GEMINI_MODES):
                raise broken("mode", f"{GEMINI} has no mode {self.mode}", ", ".join(_GEMINI_MODES))
            if self.mode == "r2v":
                self._need(*_IMAGES, why="mode r2v")
            if self.mode == "edit":
                self._need(*_VIDEOS, why="mode edit")
        elif self.mode == "i2v":
            self._need("image_url", "image", "input_reference", why="mode i2v")
        elif self.mode == "i2v_first_last":
            self._need("image_url", why="mode i2v_first_last")
            self._need("end_image_url", "last_image_url", why="mode i2v_first_last")
        elif self.mode == "reference_images":
            self._need("reference_images", why="mode reference_images")
        elif self.mode == "reference_material":
            self._need(*_MATERIAL, why="mode reference_material")

    def _check_form(self, where: str, accepted: str) -> None:
        """A form holds strings; only metadata is parsed as JSON [6.4]."""
        for name, value in _given_fields(self).items():
            if isinstance(value, list | dict) and name != "metadata":
                raise broken(name, f"cannot be sent {where}", accepted)


class SoraForm(SoraRequest):
    """The same body as a multipart form, for servers that read no JSON, such as vllm-omni."""

    @model_validator(mode="after")
    def _fits_a_form(self) -> Self:
        self._check_form("in a form", "a single text; submit_as json")
        return self


def _given(value: object) -> bool:
    return bool(value.strip()) if isinstance(value, str) else bool(value)


def _given_fields(native: BaseModel) -> dict[str, Any]:
    """The fields a form can carry: those that are not empty."""
    body: dict[str, Any] = native.model_dump(mode="json", exclude_unset=True)
    return {name: value for name, value in body.items() if value not in (None, [], {})}


def _encode(native: BaseModel, path: str) -> HttpCall:
    """JSON, or a multipart form if the server needs one or a local file is uploaded."""
    reference = getattr(native, "input_reference", None)
    file = reference if isinstance(reference, str) and is_local(reference) else None
    if file is None and not isinstance(native, SoraForm):
        return encode_json(native, path)
    form = tuple(
        (name, value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))
        for name, value in _given_fields(native).items()
        if file is None or name != "input_reference"
    )
    return HttpCall("POST", path, form=form, files=(("input_reference", local_path(file)),) if file else ())


gateway = Gateway(
    name="sora",
    title="Sora-compatible gateway",
    base_url=None,
    routes=(Route("/v1/videos", "/v1/videos/{task_id}", "/v1/videos/{task_id}/content"),),
    native=SoraRequest,
    fields={
        "prompt": "prompt",
        "negative_prompt": "negative_prompt",
        "model": "model",
        "mode": "mode",
        "duration": "seconds",
        "aspect_ratio": "aspect_ratio",
        "resolution": "resolution",
        "size": "size",
        "first_frame": "image_url",
        "last_frame": "end_image_url",
        "images": "images",
        "videos": "videos",
        "audios": "audio_urls",
        "seed": "seed",
        "extend_from": "video_id",
    },
    hints={"sound": "options.sound, for Kling models"},
    translate=translate,
    encode=_encode,
    extends_by="video id",
    video_id_paths=VIDEO_ID_PATHS,
    has_price_page=True,
    # The whole body may have 128 MB (The new-api family, Task errors); room is left for the other fields.
    attachment=Attachment(pick_file, most_bytes=127 * 1024**2),
    cheapest={"duration": 4},
    link_paths=newapi.LINK_PATHS,
    rejections=REJECTIONS,
    not_found=NO_SUCH_TASK,
)

form_gateway = replace(gateway, native=SoraForm)
"""The same for accounts whose server reads forms only. One object: clients are shared by account."""
