"""The Sora-compatible gateway: the rules of docs/gateways.md on native bodies, and what is sent as a form."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from prefect_omnivideo.core.errors import RequestError
from prefect_omnivideo.core.gateways.sora import form_gateway
from prefect_omnivideo.core.gateways.validation import check_native

_IMAGE, _VIDEO, _AUDIO = "https://e.com/a.png", "https://e.com/a.mp4", "https://e.com/a.mp3"
_GEMINI: dict[str, Any] = {"model": "gemini-omni", "prompt": "x"}
_VEO: dict[str, Any] = {"model": "veo3.1", "prompt": "x"}
_KLING: dict[str, Any] = {"model": "kling-video", "model_name": "kling-v2-6", "prompt": "x"}


def _without(body: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in body.items() if key != name}


@pytest.mark.parametrize(
    ("body", "field", "says"),
    [
        ({"prompt": "x"}, "model", "required"),
        ({"model": "veo3"}, "prompt", "missing"),
        (_VEO | {"prompt": " "}, "prompt", "missing"),
        (_VEO | {"model": "veo3.1-stable"}, "model", "(accepted: veo3.1)"),
        (_VEO | {"model": "sora-2-official"}, "model", "(accepted: sora-2)"),
        (_VEO | {"seconds": 8, "duration": 10}, "duration", "contradicts seconds 8"),
        (_VEO | {"seconds": "8", "duration": "8.5"}, "duration", "contradicts seconds 8"),
        (_VEO | {"seconds": 0}, "seconds", "not a positive number"),
        (_VEO | {"seconds": True}, "seconds", "not a positive number"),
        (_VEO | {"seconds": "8s"}, "seconds", "not a positive number"),
        (_VEO | {"duration": [8]}, "duration", "not a positive number"),
        (_VEO | {"mode": "i2v"}, "image_url", "mode i2v"),
        (_VEO | {"mode": "i2v_first_last", "end_image_url": _IMAGE}, "image_url", "mode i2v_first_last"),
        (_VEO | {"mode": "i2v_first_last", "image_url": _IMAGE}, "end_image_url", "mode i2v_first_last"),
        (_VEO | {"mode": "reference_images", "images": [_IMAGE]}, "reference_images", "mode reference_images"),
        (_VEO | {"mode": "reference_images", "reference_images": []}, "reference_images", "mode reference_images"),
        (_VEO | {"mode": "reference_material"}, "image_urls", "image_urls or video_urls or audio_urls"),
        (_GEMINI | {"mode": "i2v", "image_url": _IMAGE}, "mode", "t2v, r2v, edit"),
        (_GEMINI | {"mode": "r2v"}, "image", "image or image_url or images"),
        (_GEMINI | {"mode": "edit", "images": [_IMAGE]}, "video", "video or video_url or videos or content"),
        (_without(_KLING, "model_name"), "model_name", "kling-v2-5-turbo"),
        (_KLING | {"model_name": "kling-v9"}, "model_name", "kling-v3"),
        (_without(_KLING, "prompt") | {"mode": "t2v"}, "prompt", "missing"),
        (_KLING | {"mode": "i2v", "image_url": _IMAGE}, "image", "mode i2v"),
        (_KLING | {"mode": "multi_i2v", "images": [_IMAGE]}, "image_list", "mode multi_i2v"),
        (_KLING | {"mode": "extend"}, "video_id", "mode extend"),
        (_VEO | {"model": "sora-2", "size": "1792x1024"}, "size", "720x1280, 1280x720"),
        (_VEO | {"model": "sora-2-pro", "size": "1920x1080"}, "size", "1024x1792"),
        (_VEO | {"image_url": "a.png"}, "image_url", "data: URL"),
        (_VEO | {"images": ["s3://bucket/a.png"]}, "images.0", "data: URL"),
        (_VEO | {"input_reference": "s3://bucket/a.png"}, "input_reference", "local path"),
        (_VEO | {"input_reference": " "}, "input_reference", "local path"),
        (_VEO | {"input_reference": 3}, "input_reference", "local path"),
        (_VEO | {"input_reference": "a.png", "images": [_IMAGE]}, "images", "beside a file"),
        (_VEO | {"input_reference": "a.png", "my_list": [1]}, "my_list", "beside a file"),
        (_VEO | {"callback_url": "nowhere"}, "callback_url", "not an http(s) URL"),
        (_VEO | {"n": 0}, "n", "greater than 0"),
        (_VEO | {"fps": "30"}, "fps", "whole number"),
        (_VEO | {"metadata": "{}"}, "metadata", "not an object"),
    ],
    ids=lambda value: str(value)[:70],
)
def test_native_refusals_name_field_and_rule(body: dict[str, Any], field: str, says: str, problem: Any) -> None:
    found = problem("sora", body)
    assert found.field == field
    assert says in str(found)


@pytest.mark.parametrize(
    "body",
    [
        _VEO | {"seconds": 8, "duration": "8.0"},
        _VEO | {"seconds": "8"},
        _VEO | {"seconds": 7.5},
        _VEO | {"mode": "i2v", "image_url": "data:image/png;base64,AA"},
        _VEO | {"mode": "i2v_first_last", "image_url": _IMAGE, "end_image_url": _IMAGE},
        _VEO | {"mode": "reference_images", "reference_images": [_IMAGE]},
        _VEO | {"mode": "reference_material", "audio_urls": [_AUDIO]},
        _VEO | {"mode": "something-new"},
        _VEO | {"model": "brand-new", "mode": "edit", "own_field": {"deep": [None]}},
        _VEO | {"model": "sora-2-pro", "size": "1792x1024"},
        _VEO | {"model": "sora-2", "size": "720x1280", "seconds": "4"},
        _VEO | {"input_reference": _IMAGE},
        _VEO | {"input_reference": {"image_url": _IMAGE}},
        _GEMINI | {"seconds": 7},
        _GEMINI | {"mode": "t2v"},
        *(
            _GEMINI | {"mode": "r2v", **where}
            for where in (
                {"image": _IMAGE},
                {"image_url": _IMAGE},
                {"images": [_IMAGE]},
                {"image_urls": [_IMAGE]},
                {"reference_images": [_IMAGE]},
                {"input_reference": _IMAGE},
                {"content": [{"type": "image_url", "image_url": {"url": _IMAGE}}]},
            )
        ),
        *(
            _GEMINI | {"mode": "edit", **where}
            for where in (
                {"video": _VIDEO},
                {"video_url": _VIDEO},
                {"videos": [_VIDEO], "images": [_IMAGE]},
                {"content": [{"type": "video_url", "video_url": {"url": _VIDEO}}]},
            )
        ),
        _KLING | {"mode": "i2v", "image": "A" * 256},
        _KLING | {"mode": "multi_i2v", "image_list": [{"image": _IMAGE}]},
        _KLING | {"mode": "multi_i2v", "image_list": [_IMAGE]},
        _without(_KLING, "prompt") | {"mode": "extend", "video_id": "v1"},
        _KLING | {"sound": "on", "cfg_scale": 0.5, "camera_control": {"type": "simple"}, "negative_prompt": "rain"},
        _KLING | {"task_id": "t", "watermark_info": {"enabled": True}},
        _VEO | {"width": 512, "height": 512, "fps": 30, "seed": 20231234, "n": 1, "response_format": "url"},
        _VEO | {"user": "user-1234", "metadata": {"a": [1]}, "callback_url": "https://e.com/hook"},
        _VEO | {"external_task_id": "mine", "ratio": "16:9", "quality": "high", "function_mode": "omni"},
        _VEO | {"last_image_url": _IMAGE, "video_urls": [_VIDEO], "image_urls": [_IMAGE]},
    ],
    ids=lambda body: str(body)[:90],
)
def test_documented_inputs_are_sent_as_they_are(body: dict[str, Any], call: Any) -> None:
    assert call("sora", body).json == body


def test_a_local_file_makes_a_form_of_strings(call: Any) -> None:
    """Scalars become strings, metadata JSON in a string (docs/gateways.md, The new-api family, Request body)."""
    body = _VEO | {"seconds": 8, "seed": 0, "cfg_scale": 0.5, "flag": True, "images": [], "user": None}
    sent = call("sora", body | {"metadata": {"名": [1, True]}, "input_reference": "frames/one.png"})
    assert sent.json is None
    assert sent.files == (("input_reference", Path("frames/one.png")),)
    form = dict(sent.form)
    assert json.loads(form.pop("metadata")) == {"名": [1, True]}
    assert form == {"model": "veo3.1", "prompt": "x", "seconds": "8", "seed": "0", "cfg_scale": "0.5", "flag": "true"}


def test_a_server_of_forms_is_sent_the_same_fields_without_a_file() -> None:
    body = _VEO | {"seconds": 8, "flag": True, "metadata": {"a": [1]}, "external_task_id": "mine"}
    sent = form_gateway.encode(check_native(form_gateway, body), "/v1/videos")
    assert (sent.json, sent.files) == (None, ())
    form = dict(sent.form)
    assert json.loads(form.pop("metadata")) == {"a": [1]}
    assert form == {"model": "veo3.1", "prompt": "x", "seconds": "8", "flag": "true", "external_task_id": "mine"}


def test_a_server_of_forms_takes_a_local_image_all_the_same(call: Any) -> None:
    body = _VEO | {"input_reference": "frames/one.png"}
    assert form_gateway.encode(check_native(form_gateway, body), "/v1/videos") == call("sora", body)


@pytest.mark.parametrize("field", ["images", "input_reference", "camera_control", "own_field"])
def test_what_no_form_can_hold_is_refused_before_it_is_sent(field: str) -> None:
    value = [_IMAGE] if field == "images" else {"image_url": _IMAGE}
    with pytest.raises(RequestError) as caught:
        check_native(form_gateway, _VEO | {field: value})
    assert [problem.field for problem in caught.value.problems] == [field]
    assert "cannot be sent in a form" in str(caught.value)


def test_json_can_be_sent_in_a_form_as_a_text() -> None:
    """As vllm-omni's `image_reference`."""
    text = json.dumps({"image_url": _IMAGE})
    sent = form_gateway.encode(check_native(form_gateway, _VEO | {"image_reference": text}), "/v1/videos")
    assert dict(sent.form)["image_reference"] == text
