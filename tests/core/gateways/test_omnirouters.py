"""OmniRouters: the rules of docs/gateways.md, and the translation of a portable request."""

from __future__ import annotations

from typing import Any

import pytest

from prefect_omnivideo.core.gateways.registry import get_gateway
from prefect_omnivideo.core.request import VideoRequest

_IMAGE, _VIDEO, _AUDIO = "https://e.com/a.png", "https://e.com/a.mp4", "https://e.com/a.mp3"
_SEEDANCE = "doubao-seedance-2-0-260128"
_BASE: dict[str, Any] = {"model": "Kling-3.0-omni", "prompt": "x"}


@pytest.mark.parametrize(
    ("body", "field", "says"),
    [
        ({"prompt": "x"}, "model", "required"),
        ({"model": "Veo-3.1"}, "prompt", "required"),
        (_BASE | {"seconds": 5}, "seconds", 'send it as a string (accepted: "5")'),
        (_BASE | {"seconds": 5.5}, "seconds", "JSON number"),
        (_BASE | {"seconds": "0"}, "seconds", "positive whole number"),
        (_BASE | {"seconds": "5s"}, "seconds", "positive whole number"),
        (_BASE | {"seconds": "-5"}, "seconds", "positive whole number"),
        (_BASE | {"seconds": "5.5"}, "seconds", "positive whole number"),
        (_BASE | {"resolution": "4k"}, "resolution", "'720p' or '1080p'"),
        (_BASE | {"audio_generation": "enabled"}, "audio_generation", "'Enabled' or 'Disabled'"),
        (_BASE | {"audio_generation": True}, "audio_generation", "'Enabled' or 'Disabled'"),
        (_BASE | {"enable_bgm": "yes"}, "enable_bgm", "'Enabled' or 'Disabled'"),
        (_BASE | {"keep_original_sound": "no"}, "keep_original_sound", "'Enabled' or 'Disabled'"),
        (_BASE | {"video_reference_type": "edit"}, "video_reference_type", "'feature', 'base', 'asset' or 'style'"),
        (_BASE | {"subject_infos": ["girl"]}, "subject_infos.0", "not an object"),
        (_BASE | {"subject_infos": [{"name": "girl"}]}, "subject_infos.0.id", "required"),
        (_BASE | {"subject_infos": [{"id": "1", "image_urls": ["x"]}]}, "subject_infos.0.image_urls.0", "URL"),
        (_BASE | {"images": ["data:image/png;base64,AA"]}, "images.0", "not an http(s) URL"),
        (_BASE | {"images": _IMAGE}, "images", "list"),
        (_BASE | {"firstframe": "a.png"}, "firstframe", "not an http(s) URL"),
        (_BASE | {"metadata": "{}"}, "metadata", "not an object"),
    ],
    ids=lambda value: str(value)[:60],
)
def test_native_refusals_name_field_and_rule(body: dict[str, Any], field: str, says: str, problem: Any) -> None:
    found = problem("omnirouters", body)
    assert found.field == field
    assert says in str(found)


@pytest.mark.parametrize(
    ("model", "least", "most"),
    [
        ("Kling-3.0-omni", 3, 15),
        ("Kling-3.0", 3, 15),
        ("Vidu-q2", 1, 10),
        ("Vidu-q2-pro", 1, 10),
        ("Vidu-q3-mix", 1, 16),
        ("Veo-3.1", 8, 8),
    ],
)
def test_seconds_of_a_family(model: str, least: int, most: int, call: Any, problem: Any) -> None:
    for good in (least, most):
        assert call("omnirouters", {"model": model, "prompt": "x", "seconds": str(good)}).json["seconds"] == str(good)
    for bad in {least - 1, most + 1} - {0}:
        found = problem("omnirouters", {"model": model, "prompt": "x", "seconds": str(bad)})
        assert (found.field, f'"{most}"' in found.accepted) == ("seconds", True)


def test_sora_makes_4_8_or_12_seconds(call: Any, problem: Any) -> None:
    assert call("omnirouters", {"model": "Sora-2", "prompt": "x", "seconds": "12"})
    assert problem("omnirouters", {"model": "Sora-2", "prompt": "x", "seconds": "6"}).accepted == '"4", "8", "12"'


@pytest.mark.parametrize(("model", "most"), [("Vidu-q2", 7), ("Vidu-q2-pro", 2), ("Veo-3.1", 2), ("Sora-2", 1)])
def test_images_of_a_family(model: str, most: int, call: Any, problem: Any) -> None:
    body = {"model": model, "prompt": "x", "images": [_IMAGE] * most}
    assert call("omnirouters", body).json == body
    found = problem("omnirouters", body | {"images": [_IMAGE] * (most + 1)})
    assert (found.field, found.accepted) == ("images", f"at most {most}")


def test_what_the_page_does_not_list_passes_through(call: Any) -> None:
    """Unknown models, unknown fields and the whole of metadata: the gateway forwards them."""
    metadata = {"anything": [1, {"deep": None}], "model": "x"}
    body = {"model": "New-9", "prompt": "x", "seconds": "99", "brand_new": {"a": [1]}, "metadata": metadata}
    assert call("omnirouters", body).json == body


def test_both_routes_take_the_same_body() -> None:
    gateway = get_gateway("omnirouters")
    body = gateway.native.model_validate(_BASE)
    assert [gateway.encode(body, route.submit).json for route in gateway.routes] == [_BASE, _BASE]
    assert [route.status for route in gateway.routes] == [
        "/v1/videos/{task_id}",
        "/v1/video/generations/{task_id}",
    ]


_DEFAULTS = {"seconds": "5", "resolution": "720p"}


@pytest.mark.parametrize(
    ("wish", "body"),
    [
        ({}, _DEFAULTS),
        ({"duration": 8, "resolution": "1080P"}, {"seconds": "8", "resolution": "1080p"}),
        ({"model": "Veo-3.1"}, {"model": "Veo-3.1", "seconds": "8", "resolution": "720p"}),
        ({"aspect_ratio": "9:16", "mode": "t2v"}, {**_DEFAULTS, "aspect_ratio": "9:16"}),
        ({"sound": True}, {**_DEFAULTS, "audio_generation": "Enabled"}),
        ({"sound": False}, {**_DEFAULTS, "audio_generation": "Disabled"}),
        ({"first_frame": _IMAGE, "mode": "i2v"}, {**_DEFAULTS, "firstframe": _IMAGE}),
        (
            {"first_frame": _IMAGE, "last_frame": _IMAGE, "mode": "i2v_first_last"},
            {**_DEFAULTS, "firstframe": _IMAGE, "lastframe": _IMAGE},
        ),
        ({"images": (_IMAGE,), "mode": "r2v"}, {**_DEFAULTS, "images": [_IMAGE]}),
        ({"videos": (_VIDEO,)}, {**_DEFAULTS, "videos": [_VIDEO]}),
        ({"videos": (_VIDEO,), "mode": "edit"}, {**_DEFAULTS, "videos": [_VIDEO], "video_reference_type": "base"}),
        ({"videos": (_VIDEO,), "mode": "r2v"}, {**_DEFAULTS, "videos": [_VIDEO], "video_reference_type": "feature"}),
        (
            {"videos": (_VIDEO,), "model": "Veo-3.1", "options": {"video_reference_type": "style"}},
            {
                "model": "Veo-3.1",
                "seconds": "8",
                "resolution": "720p",
                "videos": [_VIDEO],
                "video_reference_type": "style",
            },
        ),
        (
            {"options": {"resolution": "1080p", "input_region": "Mainland"}},
            {**_DEFAULTS, "resolution": "1080p"} | {"input_region": "Mainland"},
        ),
        ({"model": "Hunyuan-3d-scene-2.0"}, {"model": "Hunyuan-3d-scene-2.0"}),
        (
            {"model": _SEEDANCE, "duration": 11, "aspect_ratio": "16:9", "sound": True, "images": (_IMAGE,)}
            | {"videos": (_VIDEO,), "audios": (_AUDIO,)},
            {
                "model": _SEEDANCE,
                "seconds": "11",
                "metadata": {
                    "resolution": "720p",
                    "ratio": "16:9",
                    "generate_audio": True,
                    "content": [
                        {"type": "image_url", "image_url": {"url": _IMAGE}, "role": "reference_image"},
                        {"type": "video_url", "video_url": {"url": _VIDEO}, "role": "reference_video"},
                        {"type": "audio_url", "audio_url": {"url": _AUDIO}, "role": "reference_audio"},
                    ],
                },
            },
        ),
        (
            {"model": _SEEDANCE, "options": {"metadata": {"watermark": False}}},
            {"model": _SEEDANCE, "seconds": "5", "metadata": {"watermark": False}},
        ),
    ],
    ids=lambda value: str(value)[:70],
)
def test_translation(wish: dict[str, Any], body: dict[str, Any], call: Any) -> None:
    assert call("omnirouters", VideoRequest(**{"prompt": "x", **wish})).json == _BASE | body


@pytest.mark.parametrize(
    ("wish", "field", "says"),
    [
        ({"prompt": ""}, "prompt", "empty"),
        ({"duration": 2}, "duration (sent as seconds)", '"3" to "15"'),
        ({"duration": 4.5}, "duration", "whole"),
        ({"model": "Veo-3.1", "duration": 5}, "duration (sent as seconds)", '"8"'),
        ({"resolution": "4k"}, "resolution", "720p or 1080p"),
        ({"audios": (_AUDIO,)}, "audios", "doubao-seedance-"),
        ({"mode": "i2v"}, "mode", "t2v"),
        ({"mode": "i2v", "first_frame": _IMAGE, "last_frame": _IMAGE}, "mode", "i2v_first_last"),
        ({"mode": "edit", "videos": (_VIDEO,), "model": "Veo-3.1"}, "mode", "r2v"),
        ({"model": _SEEDANCE, "first_frame": _IMAGE}, "first_frame", "images"),
        ({"model": _SEEDANCE, "last_frame": _IMAGE}, "last_frame", "images"),
        ({"model": "Hunyuan-3d-scene-2.0", "duration": 5}, "duration", "prompt only"),
        ({"model": "Hunyuan-3d-scene-2.0", "resolution": "720p"}, "resolution", "prompt only"),
        ({"first_frame": "local.png"}, "first_frame (sent as firstframe)", "not an http(s) URL"),
        ({"size": "1280x720"}, "size", "aspect_ratio"),
        ({"negative_prompt": "rain"}, "negative_prompt", "prompt"),
        ({"seed": 1}, "seed", "take"),
        ({"extend_from": "task_1"}, "extend_from", "videos"),
    ],
    ids=str,
)
def test_what_cannot_be_honoured_says_what_would(wish: dict[str, Any], field: str, says: str, problem: Any) -> None:
    found = problem("omnirouters", VideoRequest(**{"prompt": "x", **wish}))
    assert found.field == field
    assert says in f"{found.rule} {found.accepted}"
