"""The Sora-compatible gateway: a portable request in each dialect (docs/gateways.md, Sora-compatible, Modes)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from prefect_omnivideo.core.request import VideoRequest

_IMAGE, _VIDEO, _AUDIO = "https://e.com/a.png", "https://e.com/a.mp4", "https://e.com/a.mp3"
_VEO = {"model": "veo3.1"}
_KLING = {"model": "kling-v2-6"}
_IS_KLING = {"model": "kling-video", "model_name": "kling-v2-6"}


@pytest.mark.parametrize(
    ("wish", "body"),
    [
        ({}, {"model": "gemini-omni", "mode": "t2v"}),
        ({"duration": 8, "seed": 0}, {"model": "gemini-omni", "mode": "t2v", "seconds": "8", "seed": 0}),
        ({"images": (_IMAGE,)}, {"model": "gemini-omni", "mode": "r2v", "images": [_IMAGE]}),
        ({"videos": (_VIDEO,)}, {"model": "gemini-omni", "mode": "edit", "videos": [_VIDEO]}),
        (
            {"videos": (_VIDEO,), "images": (_IMAGE,), "mode": "edit"},
            {"model": "gemini-omni", "mode": "edit", "videos": [_VIDEO], "images": [_IMAGE]},
        ),
        (_VEO, _VEO),
        (
            _VEO | {"aspect_ratio": "16:9", "resolution": "720P", "size": "1280x720", "duration": 5},
            _VEO | {"aspect_ratio": "16:9", "resolution": "720P", "size": "1280x720", "seconds": "5"},
        ),
        (_VEO | {"mode": "t2v"}, _VEO | {"mode": "t2v"}),
        (_VEO | {"first_frame": _IMAGE}, _VEO | {"mode": "i2v", "image_url": _IMAGE}),
        (
            _VEO | {"first_frame": _IMAGE, "last_frame": _IMAGE},
            _VEO | {"mode": "i2v_first_last", "image_url": _IMAGE, "end_image_url": _IMAGE},
        ),
        (_VEO | {"images": (_IMAGE, _IMAGE)}, _VEO | {"images": [_IMAGE, _IMAGE]}),
        (_VEO | {"images": (_IMAGE,), "mode": "i2v"}, _VEO | {"mode": "i2v", "image_url": _IMAGE}),
        (
            _VEO | {"images": (_IMAGE,), "mode": "reference_images"},
            _VEO | {"mode": "reference_images", "reference_images": [_IMAGE]},
        ),
        (
            _VEO | {"images": (_IMAGE,), "mode": "reference_material"},
            _VEO | {"mode": "reference_material", "image_urls": [_IMAGE]},
        ),
        (
            _VEO | {"images": (_IMAGE,), "videos": (_VIDEO,), "audios": (_AUDIO,)},
            _VEO
            | {"mode": "reference_material", "image_urls": [_IMAGE], "video_urls": [_VIDEO], "audio_urls": [_AUDIO]},
        ),
        (_VEO | {"videos": (_VIDEO,)}, _VEO | {"mode": "reference_material", "video_urls": [_VIDEO]}),
        (_VEO | {"audios": (_AUDIO,)}, _VEO | {"mode": "reference_material", "audio_urls": [_AUDIO]}),
        (_KLING, _IS_KLING | {"mode": "t2v"}),
        (_KLING | {"negative_prompt": "rain"}, _IS_KLING | {"mode": "t2v", "negative_prompt": "rain"}),
        (_KLING | {"images": (_IMAGE,)}, _IS_KLING | {"mode": "i2v", "image": _IMAGE}),
        (_KLING | {"first_frame": _IMAGE}, _IS_KLING | {"mode": "i2v", "image": _IMAGE}),
        (
            _KLING | {"images": (_IMAGE, _VIDEO)},
            _IS_KLING | {"mode": "multi_i2v", "image_list": [{"image": _IMAGE}, {"image": _VIDEO}]},
        ),
        (
            _KLING | {"images": (_IMAGE,), "mode": "multi_i2v"},
            _IS_KLING | {"mode": "multi_i2v", "image_list": [{"image": _IMAGE}]},
        ),
        (_KLING | {"extend_from": "v1"}, _IS_KLING | {"mode": "extend", "video_id": "v1"}),
        (
            {"model": "kling-video", "options": {"model_name": "kling-v3", "sound": "on"}},
            {"model": "kling-video", "model_name": "kling-v3", "mode": "t2v", "sound": "on"},
        ),
    ],
    ids=lambda value: str(value)[:90],
)
def test_translation(wish: dict[str, Any], body: dict[str, Any], call: Any) -> None:
    assert call("sora", VideoRequest(**{"prompt": "x", **wish})).json == {"prompt": "x"} | body


def test_extending_needs_no_prompt(call: Any) -> None:
    sent = call("sora", VideoRequest(model="kling-v2-6", extend_from="v1"))
    assert sent.json == _IS_KLING | {"mode": "extend", "video_id": "v1"}


@pytest.mark.parametrize(
    ("wish", "form"),
    [
        ({"images": ("/a/b.png",)}, {"model": "gemini-omni", "mode": "r2v"}),
        (_VEO | {"first_frame": "/a/b.png", "duration": 8}, _VEO | {"mode": "i2v", "seconds": "8"}),
        (_VEO | {"images": ("/a/b.png",)}, _VEO),
        (_VEO | {"images": ("/a/b.png",), "mode": "i2v"}, _VEO | {"mode": "i2v"}),
    ],
    ids=str,
)
def test_one_local_file_is_uploaded(wish: dict[str, Any], form: dict[str, Any], call: Any) -> None:
    sent = call("sora", VideoRequest(**{"prompt": "x", **wish}))
    assert sent.files == (("input_reference", Path("/a/b.png")),)
    assert dict(sent.form) == {"prompt": "x"} | form


@pytest.mark.parametrize(
    ("wish", "field", "says"),
    [
        ({"prompt": ""}, "prompt", "missing"),
        ({"duration": 5}, "duration", "4, 6, 8 or 10"),
        ({"first_frame": _IMAGE}, "first_frame", "images"),
        ({"last_frame": _IMAGE}, "last_frame", "images"),
        ({"audios": (_AUDIO,)}, "audios", "reference_material"),
        ({"mode": "i2v", "images": (_IMAGE,)}, "mode", "r2v"),
        ({"mode": "r2v", "videos": (_VIDEO,)}, "mode", "edit"),
        ({"mode": "r2v"}, "mode", "t2v"),
        ({"images": (_IMAGE, "two.png")}, "images.1", "one local image"),
        ({"images": ("s3://bucket/one.png",)}, "images.0", "http(s)"),
        ({"negative_prompt": "rain"}, "negative_prompt", "kling-video"),
        ({"extend_from": "v1"}, "extend_from", "kling-video"),
        ({"sound": True}, "sound", "options.sound"),
        (_VEO | {"duration": 7.5}, "duration", "whole"),
        (_VEO | {"last_frame": _IMAGE}, "last_frame", "first_frame and last_frame"),
        (_VEO | {"first_frame": _IMAGE, "images": (_IMAGE,)}, "first_frame", "first_frame or images"),
        (_VEO | {"first_frame": _IMAGE, "mode": "r2v"}, "mode", "i2v"),
        (_VEO | {"images": (_IMAGE, _IMAGE), "mode": "i2v"}, "images", "exactly 1"),
        (_VEO | {"extend_from": "v1"}, "extend_from", "kling-video"),
        (_VEO | {"model": "veo3.1-stable"}, "model", "veo3.1"),
        ({"model": "sora-2", "size": "10x10"}, "size", "1280x720"),
        ({"model": "kling-video"}, "model_name", "kling-v3"),
        (_KLING | {"videos": (_VIDEO,)}, "videos", "extend_from"),
        (_KLING | {"last_frame": _IMAGE}, "last_frame", "first_frame"),
        (_KLING | {"first_frame": _IMAGE, "images": (_IMAGE,)}, "first_frame", "first_frame or images"),
        (_KLING | {"extend_from": "v", "images": (_IMAGE,)}, "extend_from", "extend_from or images"),
        (_KLING | {"first_frame": "/a/b.png"}, "first_frame", "http(s) URL"),
        (_KLING | {"images": (_IMAGE, _IMAGE), "mode": "i2v"}, "mode", "multi_i2v"),
    ],
    ids=str,
)
def test_what_cannot_be_honoured_says_what_would(wish: dict[str, Any], field: str, says: str, problem: Any) -> None:
    found = problem("sora", VideoRequest(**{"prompt": "x", **wish}))
    assert says in f"{found.rule} {found.accepted}"
    assert found.field.endswith(field)
