"""The portable request: its key, its slug, and what it refuses by itself."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from prefect_omnivideo.core.request import VideoRequest, as_request

# Keys are file names of videos that were paid for: these literals must never change.
_KEYS: list[tuple[dict[str, Any], str]] = [
    ({"prompt": "a red apple"}, "6cb6da1b40ac9fbb"),
    ({"prompt": "a red apple", "take": 2}, "716071b675c4e27f"),
    ({"prompt": "一只猫在跑步", "duration": 10}, "f1dd33022e633a77"),
]


@pytest.mark.parametrize(("fields", "key"), _KEYS, ids=["prompt", "second take", "duration"])
def test_key_is_stable(fields: dict[str, Any], key: str) -> None:
    assert VideoRequest(**fields).key == key


def test_fields_at_their_default_do_not_count() -> None:
    bare = VideoRequest(prompt="a red apple")
    spelled = VideoRequest(prompt="a red apple", negative_prompt=None, images=(), options={}, take=1)
    assert bare.key == spelled.key


def test_seconds_have_one_spelling() -> None:
    assert VideoRequest(prompt="x", duration=10).key == VideoRequest(prompt="x", duration=10.0).key


@pytest.mark.parametrize(
    "change",
    [
        {"take": 2},
        {"prompt": "x "},
        {"seed": 0},
        {"sound": False},
        {"images": ("https://e.com/1.png",)},
        {"options": {"a": 1}},
    ],
    ids=str,
)
def test_every_wish_changes_the_key(change: dict[str, Any]) -> None:
    assert VideoRequest(**{"prompt": "x", **change}).key != VideoRequest(prompt="x").key


def test_order_of_options_does_not_change_the_key() -> None:
    one = VideoRequest(prompt="x", options={"a": 1, "b": {"c": 2, "d": 3}})
    assert one.key == VideoRequest(prompt="x", options={"b": {"d": 3, "c": 2}, "a": 1}).key


@pytest.mark.parametrize(
    ("prompt", "slug"),
    [
        ("A red apple, on a table!", "a-red-apple-on-a-table"),
        ("一只猫在霓虹雨街奔跑", "一只猫在霓虹雨街奔跑"),
        ("🍎🍏", "video"),
        ("", "video"),
        ("___", "video"),
        ("../../etc/passwd", "etc-passwd"),
        ("con\x00\n\t<>:|?*", "con"),
        ("a" * 100, "a" * 40),
        ("x " * 40, "-".join("x" * 20)),
    ],
    ids=["words", "CJK", "emoji", "empty", "underscores", "path", "control characters", "long", "long with hyphens"],
)
def test_slug_is_fit_for_a_file_name(prompt: str, slug: str) -> None:
    assert VideoRequest(prompt=prompt).slug == slug


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"duration": 0}, "duration"),
        ({"duration": float("inf")}, "duration"),
        ({"duration": float("nan")}, "duration"),
        ({"aspect_ratio": "wide"}, "aspect_ratio"),
        ({"resolution": "large"}, "resolution"),
        ({"size": "1280*720"}, "size"),
        ({"mode": "magic"}, "mode"),
        ({"images": [" "]}, "images"),
        ({"first_frame": ""}, "first_frame"),
        ({"take": 0}, "take"),
        ({"promt": "typo"}, "promt"),
        ({"prompt": "lone \ud800"}, "prompt"),
    ],
    ids=str,
)
def test_nonsense_is_refused_by_name(fields: dict[str, Any], field: str) -> None:
    with pytest.raises(ValidationError) as caught:
        VideoRequest(**fields)
    assert caught.value.errors()[0]["loc"][0] == field


def test_a_bare_prompt_is_a_request() -> None:
    request = VideoRequest(prompt="x", take=3)
    assert as_request("x") == VideoRequest(prompt="x")
    assert as_request(request) is request


def test_set_fields_names_what_is_asked_for() -> None:
    request = VideoRequest(prompt="x", sound=False, take=2, options={"a": 1})
    assert request.set_fields() == {"prompt", "sound"}


def test_the_schema_numbers_the_fields_in_the_order_of_the_class() -> None:
    positions = [field["position"] for field in VideoRequest.model_json_schema()["properties"].values()]
    assert positions == list(range(len(positions)))


def test_only_what_was_given_is_written() -> None:
    """In every way that a request is written; it is read as it was, and its key is the same."""
    given = {"prompt": "a red apple", "sound": False, "images": ["https://pictures.example/1.png"], "take": 2}
    request = VideoRequest.model_validate({**given, "seed": None, "options": {}, "videos": []})
    assert json.loads(request.model_dump_json()) == request.model_dump(mode="json") == given
    assert VideoRequest.model_validate_json(request.model_dump_json()) == request
    assert TypeAdapter(list[str | VideoRequest]).dump_python([request], mode="json") == [given]
    assert request.model_dump(mode="json", exclude={"prompt", "take"}).keys() == {"sound", "images"}
    assert VideoRequest().model_dump() == {}
    assert set(VideoRequest.model_json_schema()["properties"]) == set(VideoRequest.model_fields)
