"""12AI: the rules of docs/gateways.md, and the translation of a portable request."""

from __future__ import annotations

from typing import Any

import pytest

from prefect_omnivideo.core.request import VideoRequest

_IMAGE, _VIDEO = "https://e.com/a.png", "https://e.com/a.mp4"
_BASE: dict[str, Any] = {"model": "omni_flash-10s", "prompt": "x"}


@pytest.mark.parametrize(
    ("body", "field", "says"),
    [
        ({"prompt": "x"}, "model", "required"),
        ({"model": "omni_flash-10s"}, "prompt", "required"),
        (_BASE | {"model": "sora-2"}, "model", "omni_flash-10s"),
        (_BASE | {"prompt": "  "}, "prompt", "empty"),
        (_BASE | {"size": "720p"}, "size", "1280x720"),
        (_BASE | {"size": "0x720"}, "size", "1280x720"),
        (_BASE | {"images": [_IMAGE] * 8}, "images", "at most 7"),
        (_BASE | {"images": ["a.png"]}, "images.0", "not an http(s) URL"),
        (_BASE | {"images": ["ftp://e.com/a.png"]}, "images.0", "not an http(s) URL"),
        (_BASE | {"input_reference[]": [_IMAGE] * 8}, "input_reference[]", "at most 7"),
        (_BASE | {"input_reference[]": [_IMAGE], "images": [_IMAGE]}, "input_reference[]", "either images or"),
        (_BASE | {"input_reference": [_IMAGE]}, "input_reference", "input_reference[]"),
        (_BASE | {"seconds": "10"}, "seconds", "no such field"),
    ],
    ids=lambda value: str(value)[:60],
)
def test_native_refusals_name_field_and_rule(body: dict[str, Any], field: str, says: str, problem: Any) -> None:
    found = problem("12ai", body)
    assert found.field == field
    assert says in str(found)


@pytest.mark.parametrize(
    "body", [_BASE, _BASE | {"images": []}, _BASE | {"images": [_IMAGE] * 6 + [_VIDEO], "size": "720x1280"}], ids=str
)
def test_boundaries_are_accepted(body: dict[str, Any], call: Any) -> None:
    assert call("12ai", body).json == body


def test_the_form_field_makes_a_form(call: Any) -> None:
    sent = call("12ai", _BASE | {"size": "1280x720", "input_reference[]": [_IMAGE, _VIDEO]})
    assert sent.json is None
    assert sent.form == (
        ("model", "omni_flash-10s"),
        ("prompt", "x"),
        ("size", "1280x720"),
        ("input_reference[]", _IMAGE),
        ("input_reference[]", _VIDEO),
    )


@pytest.mark.parametrize(
    ("wish", "body"),
    [
        ({}, {}),
        ({"aspect_ratio": "16:9"}, {"size": "1280x720"}),
        ({"aspect_ratio": "9:16"}, {"size": "720x1280"}),
        ({"aspect_ratio": "9:16", "size": "720x1280"}, {"size": "720x1280"}),
        ({"size": "1024x1024"}, {"size": "1024x1024"}),
        ({"duration": 10, "resolution": "720P"}, {}),
        ({"mode": "t2v"}, {}),
        ({"images": (_IMAGE,), "mode": "i2v"}, {"images": [_IMAGE]}),
        ({"images": (_IMAGE,) * 3, "videos": (_VIDEO,)}, {"images": [_IMAGE, _IMAGE, _IMAGE, _VIDEO]}),
        ({"images": (_VIDEO,), "mode": "edit"}, {"images": [_VIDEO]}),
        ({"options": {"size": "100x100"}}, {"size": "100x100"}),
    ],
    ids=str,
)
def test_translation(wish: dict[str, Any], body: dict[str, Any], call: Any) -> None:
    assert call("12ai", VideoRequest(**{"prompt": "x", **wish})).json == _BASE | body


@pytest.mark.parametrize(
    ("wish", "field", "says"),
    [
        ({"prompt": ""}, "prompt", "empty"),
        ({"model": "veo"}, "model", "omni_flash-10s"),
        ({"duration": 8}, "duration", "10"),
        ({"resolution": "1080p"}, "resolution", "720p"),
        ({"aspect_ratio": "1:1"}, "aspect_ratio", "16:9, 9:16"),
        ({"aspect_ratio": "16:9", "size": "720x1280"}, "aspect_ratio", "contradicts size"),
        ({"resolution": "720p", "size": "1920x1080"}, "resolution", "contradicts size"),
        ({"mode": "i2v"}, "mode", "t2v"),
        ({"mode": "t2v", "images": (_IMAGE,)}, "mode", "i2v"),
        ({"mode": "i2v", "videos": (_VIDEO,)}, "mode", "edit"),
        ({"images": (_IMAGE,) * 4, "videos": (_VIDEO,) * 4}, "images", "at most 7"),
        ({"videos": ("s3://bucket/a.mp4",)}, "videos (sent as images).0", "not an http(s) URL"),
        ({"first_frame": _IMAGE}, "first_frame", "images"),
        ({"last_frame": _IMAGE}, "last_frame", "images"),
        ({"audios": ("https://e.com/a.mp3",)}, "audios", "images and videos"),
        ({"negative_prompt": "rain"}, "negative_prompt", "prompt"),
        ({"sound": True}, "sound", "the model decides"),
        ({"seed": 1}, "seed", "take"),
        ({"extend_from": "task_1"}, "extend_from", "videos"),
    ],
    ids=str,
)
def test_what_cannot_be_honoured_says_what_would(wish: dict[str, Any], field: str, says: str, problem: Any) -> None:
    found = problem("12ai", VideoRequest(**{"prompt": "x", **wish}))
    assert found.field == field
    assert says in f"{found.rule} {found.accepted}"
