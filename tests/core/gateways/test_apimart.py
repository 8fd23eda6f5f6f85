"""APIMart: the rules of docs/gateways.md, and the translation of a portable request."""

from __future__ import annotations

from typing import Any

import pytest

from prefect_omnivideo.core.request import VideoRequest

_IMAGE, _VIDEO = "https://e.com/a.png", "https://e.com/a.mp4"
_MODEL: dict[str, Any] = {"model": "gemini-omni-flash-preview"}
_BASE = _MODEL | {"prompt": "x"}


@pytest.mark.parametrize(
    ("body", "field", "says"),
    [
        ({"prompt": "x"}, "model", "required"),
        (_BASE | {"model": "Omni-Flash-Ext"}, "model", "gemini-omni-flash-preview"),
        (_MODEL, "prompt", "image_urls or video_urls"),
        (_MODEL | {"image_urls": [], "video_urls": []}, "prompt", "neither a prompt nor a reference"),
        (_BASE | {"image_urls": [_IMAGE] * 17}, "image_urls", "at most 16"),
        (_BASE | {"image_urls": ["https://e.com/a.gif"]}, "image_urls.0", "JPEG or PNG"),
        (_BASE | {"image_urls": ["data:image/png;base64,AA"]}, "image_urls.0", "not an http(s) URL"),
        (_BASE | {"video_urls": [_VIDEO] * 2}, "video_urls", "at most 1"),
        (_BASE | {"video_urls": ["a.mp4"]}, "video_urls.0", "data:video/"),
        (_BASE | {"video_urls": ["data:image/png;base64,AA"]}, "video_urls.0", "data:video/"),
        (_BASE | {"aspect_ratio": "1:1"}, "aspect_ratio", "'16:9' or '9:16'"),
        (_BASE | {"resolution": "1080p"}, "resolution", "720p"),
        (_BASE | {"extend_from_task_id": ""}, "extend_from_task_id", "empty"),
        (_BASE | {"duration": 6}, "duration", "no such field"),
    ],
    ids=lambda value: str(value)[:60],
)
def test_native_refusals_name_field_and_rule(body: dict[str, Any], field: str, says: str, problem: Any) -> None:
    found = problem("apimart", body)
    assert found.field == field
    assert says in str(found)


@pytest.mark.parametrize(
    "body",
    [
        _MODEL | {"image_urls": [_IMAGE] * 16},
        _MODEL | {"video_urls": ["data:video/mp4;base64,AAAA"]},
        _BASE | {"image_urls": ["https://e.com/signed?file=a.gif"], "resolution": "720p", "aspect_ratio": "16:9"},
        _BASE | {"extend_from_task_id": "task_1"},
    ],
    ids=lambda body: str(body)[:60],
)
def test_boundaries_are_accepted(body: dict[str, Any], call: Any) -> None:
    assert call("apimart", body).json == body


@pytest.mark.parametrize(
    ("wish", "body"),
    [
        ({}, {}),
        ({"aspect_ratio": "9:16", "resolution": "720p"}, {"aspect_ratio": "9:16", "resolution": "720p"}),
        ({"images": (_IMAGE,), "mode": "multi_i2v"}, {"image_urls": [_IMAGE]}),
        ({"videos": (_VIDEO,), "mode": "edit"}, {"video_urls": [_VIDEO]}),
        ({"extend_from": "task_1", "mode": "extend"}, {"extend_from_task_id": "task_1"}),
        ({"options": {"aspect_ratio": "16:9"}}, {"aspect_ratio": "16:9"}),
    ],
    ids=str,
)
def test_translation(wish: dict[str, Any], body: dict[str, Any], call: Any) -> None:
    assert call("apimart", VideoRequest(**{"prompt": "x", **wish})).json == _BASE | body


def test_a_reference_alone_is_enough(call: Any) -> None:
    assert call("apimart", VideoRequest(images=(_IMAGE,))).json == _MODEL | {"image_urls": [_IMAGE]}


@pytest.mark.parametrize(
    ("wish", "field", "says"),
    [
        ({"prompt": ""}, "prompt", "neither"),
        ({"resolution": "1080p"}, "resolution", "720p"),
        ({"aspect_ratio": "1:1"}, "aspect_ratio", "16:9"),
        ({"mode": "edit"}, "mode", "t2v"),
        ({"mode": "t2v", "videos": (_VIDEO,)}, "mode", "edit"),
        ({"videos": (_VIDEO,) * 2}, "videos (sent as video_urls)", "at most 1"),
        ({"images": ("local.png",)}, "images (sent as image_urls).0", "not an http(s) URL"),
        ({"duration": 8}, "duration", "the model decides"),
        ({"size": "1280x720"}, "size", "aspect_ratio"),
        ({"first_frame": _IMAGE}, "first_frame", "images"),
        ({"last_frame": _IMAGE}, "last_frame", "images"),
        ({"sound": False}, "sound", "has sound"),
        ({"seed": 1}, "seed", "take"),
        ({"negative_prompt": "rain"}, "negative_prompt", "prompt"),
        ({"audios": ("https://e.com/a.mp3",)}, "audios", "images"),
    ],
    ids=str,
)
def test_what_cannot_be_honoured_says_what_would(wish: dict[str, Any], field: str, says: str, problem: Any) -> None:
    found = problem("apimart", VideoRequest(**{"prompt": "x", **wish}))
    assert found.field == field
    assert says in f"{found.rule} {found.accepted}"
