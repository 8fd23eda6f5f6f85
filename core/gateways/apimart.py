"""APIMart's gemini-omni-flash-preview (docs/gateways.md, APIMart)."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, JsonValue, model_validator

from prefect_omnivideo.core.gateways.codes import NO_SUCH_TASK, REJECTIONS
from prefect_omnivideo.core.gateways.specification import Gateway, Reason, Route, Upload, encode_json
from prefect_omnivideo.core.gateways.validation import (
    ClosedBody,
    Link,
    Text,
    broken,
    check_mode,
    drop_empty,
    is_link,
    media_suffix,
    wrong_value,
)
from prefect_omnivideo.core.redaction import shorten
from prefect_omnivideo.core.request import VideoRequest

MODEL = "gemini-omni-flash-preview"
_KNOWN_OTHER_IMAGES = (".gif", ".webp", ".bmp", ".tif", ".tiff", ".heic", ".heif", ".avif", ".svg")


def _jpeg_or_png(link: str) -> str:
    if media_suffix(link) in _KNOWN_OTHER_IMAGES:
        raise wrong_value(f"{media_suffix(link)} images are not supported", "JPEG or PNG")
    return link


def _link_or_video_data(reference: str) -> str:
    if not is_link(reference) and not reference.startswith("data:video/"):
        raise wrong_value(f"{shorten(reference)!r} is not a reference video", "an http(s) URL or a data:video/… URL")
    return reference


class APIMartRequest(ClosedBody):
    """Body of `POST /v1/videos/generations` (section Submit). The service documents a closed list of fields."""

    model: Literal["gemini-omni-flash-preview"]
    prompt: Text | None = None
    image_urls: list[Annotated[Link, AfterValidator(_jpeg_or_png)]] | None = Field(default=None, max_length=16)
    video_urls: list[Annotated[str, AfterValidator(_link_or_video_data)]] | None = Field(default=None, max_length=1)
    aspect_ratio: Literal["16:9", "9:16"] | None = None
    """Anything else would silently be treated as 16:9 (section Submit), so it is refused here."""
    resolution: Literal["720p"] | None = None
    extend_from_task_id: Text | None = None

    @model_validator(mode="after")
    def _references(self) -> Self:
        if not (self.prompt or self.image_urls or self.video_urls):
            raise broken("prompt", "there is neither a prompt nor a reference", "a prompt, image_urls or video_urls")
        if self.video_urls and self.extend_from_task_id:
            raise broken("video_urls", "is given together with extend_from_task_id", "one of the two")
        return self


def _translate(request: VideoRequest) -> dict[str, JsonValue]:
    if request.extend_from:
        check_mode(request, "extend")
    elif request.videos:
        check_mode(request, "edit", "r2v", "reference_material")
    elif request.images:
        check_mode(request, "i2v", "r2v", "reference_images", "reference_material", "multi_i2v")
    else:
        check_mode(request, "t2v")
    return drop_empty(
        {
            "model": request.model or MODEL,
            "prompt": request.prompt or None,
            "image_urls": request.images,
            "video_urls": request.videos,
            "aspect_ratio": request.aspect_ratio,
            "resolution": request.resolution,
            "extend_from_task_id": request.extend_from,
        }
    )


gateway = Gateway(
    name="apimart",
    title="APIMart",
    base_url="https://api.apimart.ai",
    routes=(Route(submit="/v1/videos/generations", status="/v1/tasks/{task_id}?language=en"),),
    native=APIMartRequest,
    fields={
        "prompt": "prompt",
        "model": "model",
        "mode": "mode",
        "images": "image_urls",
        "videos": "video_urls",
        "aspect_ratio": "aspect_ratio",
        "resolution": "resolution",
        "extend_from": "extend_from_task_id",
    },
    hints={
        "duration": "no duration; the model decides, 3 to 10 seconds",
        "size": "aspect_ratio 16:9 or 9:16, always 720p",
        "first_frame": "images, with the role described in the prompt",
        "last_frame": "images, with the role described in the prompt",
        "audios": "images and one video only",
        "negative_prompt": "the prompt, saying what to leave out",
        "sound": "no choice; the video has sound",
        "seed": "no seed; another take makes another video",
    },
    translate=_translate,
    encode=encode_json,
    extends_by="task id",
    as_made=lambda body: {"resolution": "720p", "sound": True, **body},
    uploads=(
        # docs/gateways.md, APIMart, Upload. Reference images must still be JPEG or PNG.
        Upload(
            path="/v1/uploads/images",
            field="file",
            types=("image/jpeg", "image/png", "image/webp", "image/gif"),
            most_bytes=20 * 1024**2,
            url_path="url",
            valid_for=72 * 3600,
        ),
    ),
    # No document names the currency of `cost`; the gateway's price pages and its clients count in US dollars.
    currency="USD",
    check_path="/v1/balance",
    balance_path="remain_balance",
    link_paths=("result.videos[].url", "result.video_url", "video_url", "url"),
    # The codes are HTTP numbers, in the body as well (docs/gateways.md, APIMart, Errors).
    rejections={
        **REJECTIONS,
        "400": Reason.REFUSED,
        "401": Reason.UNAUTHORIZED,
        "402": Reason.NO_BALANCE,
        "403": Reason.UNAUTHORIZED,
        "404": Reason.REFUSED,
        "429": Reason.RATE_LIMITED,
        "permission_error": Reason.UNAUTHORIZED,
        "not_found_error": Reason.REFUSED,
    },
    not_found=rf"{NO_SUCH_TASK}|invalid_request_error|not_found_error",
)
