"""The portable request in a Sora-compatible gateway's fields (docs/gateways.md, Sora-compatible).

Three dialects: gemini-omni, Kling, and every other model.
"""

from __future__ import annotations

from typing import Literal, get_args

from pydantic import JsonValue

from prefect_omnivideo.core.errors import refuse
from prefect_omnivideo.core.gateways.validation import check_mode, drop_empty, whole_seconds
from prefect_omnivideo.core.request import VideoRequest, is_local

GEMINI = "gemini-omni"
KLING = "kling-video"
KlingModel = Literal[
    "kling-v1",
    "kling-v1-5",
    "kling-v1-6",
    "kling-v2-master",
    "kling-v2-1",
    "kling-v2-1-master",
    "kling-v2-5-turbo",
    "kling-v2-6",
    "kling-v3",
]

Body = dict[str, JsonValue]


def translate(request: VideoRequest) -> Body:
    """The body for the dialect of the request's model."""
    model = request.model or GEMINI
    body = drop_empty(
        {
            "model": model,
            "prompt": request.prompt or None,
            # A string works with gateways that accept both and with those that accept strings only (section Submit).
            "seconds": None if request.duration is None else str(whole_seconds(request.duration)),
            "aspect_ratio": request.aspect_ratio,
            "resolution": request.resolution,
            "size": request.size,
            "seed": request.seed,
        }
    )
    if model in (KLING, *get_args(KlingModel)):
        return body | _kling(request, model)
    if request.extend_from:
        raise refuse("extend_from", f"{model} documents no extension", f"model {KLING}, with Kling's video id")
    if request.negative_prompt is not None:
        raise refuse("negative_prompt", f"{model} documents none", f"the prompt, or model {KLING}")
    return body | (_gemini(request) if model == GEMINI else _other(request))


def pick_file(request: VideoRequest) -> str | None:
    """The local image that goes into the form as `input_reference`: the only reference (section Submit)."""
    images = (request.first_frame, *request.images) if request.first_frame else request.images
    if len(images) != 1 or request.last_frame or request.videos or request.audios:
        return None
    # Lists and objects cannot be sent beside a file.
    lists = request.mode in ("reference_images", "reference_material") or any(
        isinstance(value, list | dict) and value and name != "metadata" for name, value in request.options.items()
    )
    takes_files = request.model not in (KLING, *get_args(KlingModel))
    return images[0] if takes_files and not lists and is_local(images[0]) else None


def _gemini(request: VideoRequest) -> Body:
    if request.duration not in (None, 4, 6, 8, 10):
        raise refuse("duration", f"{request.duration:g} s would silently become another length", "4, 6, 8 or 10")
    for name in ("first_frame", "last_frame"):
        if getattr(request, name):
            raise refuse(name, f"{GEMINI} takes references only", "images, with the role described in the prompt")
    if request.audios:
        raise refuse("audios", f"{GEMINI} takes no reference audio", "a model with mode reference_material")
    if request.videos:
        check_mode(request, "edit")
        return drop_empty({"mode": "edit", "videos": request.videos, "images": request.images})
    if request.images:
        check_mode(request, "r2v")
        return {"mode": "r2v", **_one_or_many(request.images, "images")}
    check_mode(request, "t2v")
    return {"mode": "t2v"}


def _kling(request: VideoRequest, model: str) -> Body:
    body: Body = {"model": KLING}
    if model != KLING:
        body["model_name"] = model
    if request.negative_prompt is not None:
        body["negative_prompt"] = request.negative_prompt
    for name in ("last_frame", "videos", "audios"):
        if getattr(request, name):
            raise refuse(name, "Kling documents no field for it", "first_frame, images or extend_from")
    images = (request.first_frame, *request.images) if request.first_frame else request.images
    if request.first_frame and request.images:
        raise refuse("first_frame", "cannot be combined with images", "first_frame or images")
    if request.extend_from and images:
        raise refuse("extend_from", "cannot be combined with images", "extend_from or images")
    if any(map(is_local, images)):
        field = "first_frame" if request.first_frame else "images"
        raise refuse(field, "Kling takes no upload", "an http(s) URL")
    if request.extend_from:
        check_mode(request, "extend")
        return {**body, "mode": "extend", "video_id": request.extend_from}
    if not images:
        check_mode(request, "t2v")
        return {**body, "mode": "t2v"}
    if request.first_frame or (len(images) == 1 and request.mode in (None, "i2v")):
        check_mode(request, "i2v")
        return {**body, "mode": "i2v", "image": images[0]}
    check_mode(request, "multi_i2v")
    return {**body, "mode": "multi_i2v", "image_list": [{"image": link} for link in images]}


def _other(request: VideoRequest) -> Body:
    if request.first_frame or request.last_frame:
        return _frames(request)
    if request.videos or request.audios:
        check_mode(request, "reference_material", "r2v", "edit")
        return drop_empty(
            {
                "mode": request.mode or "reference_material",
                "image_urls": request.images,
                "video_urls": request.videos,
                "audio_urls": request.audios,
            }
        )
    if not request.images:
        check_mode(request, "t2v")
        return drop_empty({"mode": request.mode})
    check_mode(request, "i2v", "r2v", "reference_images", "reference_material", "multi_i2v")
    mode = drop_empty({"mode": request.mode})
    if request.mode == "reference_images":
        return {**mode, "reference_images": list(request.images)}
    if request.mode == "reference_material":
        return {**mode, "image_urls": list(request.images)}
    if request.mode == "i2v":
        if len(request.images) > 1:
            raise refuse("images", f"mode i2v has {len(request.images)} images", "exactly 1 image, or reference_images")
        return {**mode, **_one_or_many(request.images, "image_url")}
    return {**mode, **_one_or_many(request.images, "images")}


def _frames(request: VideoRequest) -> Body:
    field = "first_frame" if request.first_frame else "last_frame"
    for name in ("images", "videos", "audios"):
        if getattr(request, name):
            raise refuse(field, f"cannot be combined with {name}", f"{field} or {name}")
    if request.first_frame is None:
        raise refuse("last_frame", "is given without a first frame", "first_frame and last_frame")
    if request.last_frame is None:
        check_mode(request, "i2v")
        return {"mode": "i2v", **_one_or_many((request.first_frame,), "image_url")}
    check_mode(request, "i2v_first_last")
    return {"mode": "i2v_first_last", "image_url": request.first_frame, "end_image_url": request.last_frame}


def _one_or_many(images: tuple[str, ...], field: str) -> Body:
    """One local file is uploaded; everything else goes into the field."""
    if len(images) == 1 and is_local(images[0]):
        return {"input_reference": images[0]}
    return {field: images[0] if field == "image_url" else list(images)}
