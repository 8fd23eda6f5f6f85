"""JimmyAI: the rules of docs/gateways.md, and the translation of a portable request."""

from __future__ import annotations

from typing import Any

import pytest

from prefect_omnivideo.core.request import VideoRequest

_IMAGE, _VIDEO = "https://e.com/a.png", "https://e.com/a.mp4"
_BASE: dict[str, Any] = {"model": "Gemini-Omini", "prompt": "x"}
_FIXED: dict[str, Any] = {"model": "omni-10s", "prompt": "x"}


@pytest.mark.parametrize(
    ("body", "field", "says"),
    [
        ({"prompt": "x"}, "model", "required"),
        ({"model": "Gemini-Omini"}, "prompt", "required"),
        (_BASE | {"model": "Gemini-Omni"}, "model", "'Gemini-Omini', 'Omni-Flash-Ext', 'gemini-omni' or 'omni-10s'"),
        (_BASE | {"duration": 5}, "duration", "4, 6, 8 or 10"),
        (_BASE | {"duration": "6"}, "duration", "4, 6, 8 or 10"),
        (_BASE | {"duration": True}, "duration", "4, 6, 8 or 10"),
        (_BASE | {"duration": 6, "video_urls": [_VIDEO]}, "duration", "together with video_urls"),
        (_BASE | {"resolution": "4K"}, "resolution", "'720p', '1080p' or '4k'"),
        (_BASE | {"aspect_ratio": "wide"}, "aspect_ratio", "16:9"),
        (_BASE | {"orientation": "square"}, "orientation", "'landscape' or 'portrait'"),
        (_BASE | {"generation_type": "edit"}, "generation_type", "'frame' or 'reference'"),
        (_BASE | {"generation_type": "frame"}, "image_urls", "exactly 1"),
        (_BASE | {"generation_type": "frame", "image_urls": [_IMAGE] * 3}, "image_urls", "exactly 1"),
        (_BASE | {"generation_type": "frame", "images": [_IMAGE] * 2}, "images", "exactly 1"),
        (_BASE | {"generation_type": "reference", "image_urls": [_IMAGE] * 2}, "image_urls", "1 or 3"),
        (_BASE | {"image_urls": [_IMAGE] * 4}, "image_urls", "1 or 3"),
        (_BASE | {"images": [_IMAGE] * 2}, "images", "1 or 3"),
        (_BASE | {"images": [_IMAGE] * 2, "image_urls": []}, "images", "1 or 3"),
        (_BASE | {"video_urls": [_VIDEO] * 2}, "video_urls", "at most 1"),
        (_BASE | {"image_urls": ["a.png"]}, "image_urls.0", "not an http(s) URL"),
        (_BASE | {"seed": 1}, "seed", "no such field"),
        (_FIXED | {"image_urls": [_IMAGE] * 8}, "image_urls", "at most 7"),
        (_FIXED | {"images": [_IMAGE] * 8}, "images", "at most 7"),
        (_FIXED | {"video_urls": [_VIDEO]}, "video_urls", "image_urls"),
        (_FIXED | {"generation_type": "frame", "image_urls": [_IMAGE]}, "generation_type", "Gemini-Omini"),
    ],
    ids=lambda value: str(value)[:60],
)
def test_native_refusals_name_field_and_rule(body: dict[str, Any], field: str, says: str, problem: Any) -> None:
    found = problem("jimmyai", body)
    assert found.field == field
    assert says in str(found)


@pytest.mark.parametrize(
    "body",
    [
        _BASE | {"duration": 10, "video_urls": []},
        _BASE | {"video_urls": [_VIDEO], "image_urls": [_IMAGE]},
        _BASE | {"image_urls": [_IMAGE] * 3, "resolution": "4k", "duration": 4},
        _BASE | {"image_urls": [_IMAGE], "generation_type": "frame"},
        _BASE | {"image_urls": [_IMAGE], "images": [_IMAGE] * 2},
        _BASE | {"aspect_ratio": "", "orientation": "portrait"},
        _BASE | {"model": "Omni-Flash-Ext"},
        _BASE | {"model": "gemini-omni"},
        _FIXED | {"image_urls": [_IMAGE] * 6 + [_VIDEO]},
        _FIXED | {"image_urls": [_IMAGE] * 2, "duration": 10, "resolution": "720p"},
        _FIXED | {"duration": 6, "resolution": "4k"},
    ],
    ids=lambda body: str(body)[:60],
)
def test_boundaries_are_accepted(body: dict[str, Any], call: Any) -> None:
    assert call("jimmyai", body).json == body


@pytest.mark.parametrize(
    ("wish", "body"),
    [
        ({}, {}),
        ({"duration": 8.0}, {"duration": 8}),
        ({"resolution": "4K", "aspect_ratio": "9:16"}, {"resolution": "4k", "aspect_ratio": "9:16"}),
        ({"first_frame": _IMAGE, "mode": "i2v"}, {"generation_type": "frame", "image_urls": [_IMAGE]}),
        ({"images": (_IMAGE,)}, {"generation_type": "reference", "image_urls": [_IMAGE]}),
        ({"videos": (_VIDEO,), "mode": "edit"}, {"video_urls": [_VIDEO]}),
        (
            {"videos": (_VIDEO,), "images": (_IMAGE,)},
            {"video_urls": [_VIDEO], "generation_type": "reference", "image_urls": [_IMAGE]},
        ),
        ({"model": "omni-10s", "duration": 10, "resolution": "720P"}, {"model": "omni-10s"}),
        (
            {"model": "omni-10s", "images": (_IMAGE,) * 2, "videos": (_VIDEO,)},
            {"model": "omni-10s", "image_urls": [_IMAGE, _IMAGE, _VIDEO]},
        ),
        ({"options": {"orientation": "portrait"}}, {"orientation": "portrait"}),
    ],
    ids=str,
)
def test_translation(wish: dict[str, Any], body: dict[str, Any], call: Any) -> None:
    sent = call("jimmyai", VideoRequest(**{"prompt": "x", **wish})).json
    assert sent == _BASE | body
    assert not isinstance(sent.get("duration"), float)


@pytest.mark.parametrize(
    ("wish", "field", "says"),
    [
        ({"prompt": ""}, "prompt", "empty"),
        ({"duration": 5}, "duration", "4, 6, 8 or 10"),
        ({"duration": 4.5}, "duration", "whole"),
        ({"duration": 6, "videos": (_VIDEO,)}, "duration", "together with videos"),
        ({"resolution": "480p"}, "resolution", "'720p', '1080p' or '4k'"),
        ({"first_frame": _IMAGE, "images": (_IMAGE,)}, "first_frame", "first_frame or images"),
        ({"images": (_IMAGE,) * 2}, "image_urls", "1 or 3"),
        ({"videos": (_VIDEO,) * 2}, "videos (sent as video_urls)", "at most 1"),
        ({"mode": "i2v", "images": (_IMAGE,)}, "mode", "r2v"),
        ({"mode": "t2v", "first_frame": _IMAGE}, "mode", "i2v"),
        ({"model": "omni-10s", "duration": 8}, "duration", "10"),
        ({"model": "omni-10s", "resolution": "4k"}, "resolution", "720p"),
        ({"model": "omni-10s", "first_frame": _IMAGE}, "first_frame", "images"),
        ({"model": "omni-10s", "images": (_IMAGE,) * 7, "videos": (_VIDEO,)}, "image_urls", "at most 7"),
        ({"last_frame": _IMAGE}, "last_frame", "first_frame"),
        ({"size": "1280x720"}, "size", "aspect_ratio"),
        ({"audios": ("https://e.com/a.mp3",)}, "audios", "one video"),
        ({"negative_prompt": "rain"}, "negative_prompt", "prompt"),
        ({"sound": True}, "sound", "the model decides"),
        ({"seed": 1}, "seed", "take"),
        ({"extend_from": "task_1"}, "extend_from", "videos"),
    ],
    ids=str,
)
def test_what_cannot_be_honoured_says_what_would(wish: dict[str, Any], field: str, says: str, problem: Any) -> None:
    found = problem("jimmyai", VideoRequest(**{"prompt": "x", **wish}))
    assert says in f"{found.rule} {found.accepted}"
    assert field in found.field
