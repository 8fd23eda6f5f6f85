"""What every room shares: how a broken rule is told, and the small tools rooms are made of."""

from __future__ import annotations

from typing import Any

import pytest

from prefect_omnivideo.core.errors import Problem, RequestError
from prefect_omnivideo.core.gateways.registry import gateway_names, get_gateway
from prefect_omnivideo.core.gateways.specification import JobStatus, join_url
from prefect_omnivideo.core.gateways.validation import (
    check_native,
    drop_empty,
    is_link,
    is_video,
    media_suffix,
    translate,
)
from prefect_omnivideo.core.redaction import shorten
from prefect_omnivideo.core.request import VideoRequest

_WISHES: dict[str, Any] = {
    "negative_prompt": "rain",
    "duration": 10,
    "aspect_ratio": "16:9",
    "resolution": "720p",
    "size": "1280x720",
    "first_frame": "https://e.com/a.png",
    "last_frame": "https://e.com/b.png",
    "images": ("https://e.com/a.png",),
    "videos": ("https://e.com/a.mp4",),
    "audios": ("https://e.com/a.mp3",),
    "sound": True,
    "seed": 7,
    "extend_from": "task_1",
}
_GATEWAYS = ("12ai", "apimart", "jimmyai", "omnirouters", "sora")


def test_the_five_gateways_are_found_by_entry_point() -> None:
    assert set(_GATEWAYS) <= set(gateway_names())
    assert [get_gateway(name).name for name in _GATEWAYS] == list(_GATEWAYS)


def test_an_unknown_gateway_is_answered_with_the_known_ones() -> None:
    with pytest.raises(RequestError, match="12ai, apimart, jimmyai, omnirouters, sora"):
        get_gateway("nope")


@pytest.mark.parametrize("name", _GATEWAYS)
def test_every_field_is_either_honoured_or_has_a_hint(name: str) -> None:
    gateway = get_gateway(name)
    fields = set(VideoRequest.model_fields) - {"take", "options"}
    assert gateway.fields.keys() | gateway.hints.keys() == fields
    assert not gateway.fields.keys() & gateway.hints.keys()
    assert all(gateway.hints.values())


@pytest.mark.parametrize("name", _GATEWAYS)
@pytest.mark.parametrize("wish", _WISHES)
def test_a_wish_reaches_the_wire_or_is_refused_by_name(name: str, wish: str) -> None:
    """Nothing is silently dropped: each single wish changes the body, is a fixed fact of the model, or is an error."""
    gateway = get_gateway(name)
    fixed = {("12ai", "duration"), ("12ai", "resolution")}
    bare = translate(gateway, VideoRequest(prompt="x")).model_dump(exclude_unset=True)
    # OmniRouters is told its default resolution in any case.
    told_anyway = (name, wish) in fixed or (name, wish) == ("omnirouters", "resolution")
    problems: tuple[Problem, ...] = ()
    try:
        body = translate(gateway, VideoRequest(prompt="x", **{wish: _WISHES[wish]})).model_dump(exclude_unset=True)
    except RequestError as error:
        body, problems = bare, error.problems
    assert body != bare or told_anyway or (problems[0].field.startswith(wish) and problems[0].accepted)


@pytest.mark.parametrize("name", _GATEWAYS)
def test_every_unsupported_field_is_named_at_once(name: str) -> None:
    gateway = get_gateway(name)
    wishes = {wish: _WISHES[wish] for wish in gateway.hints}
    with pytest.raises(RequestError) as caught:
        translate(gateway, VideoRequest(prompt="x", **wishes), subject="line 3")
    assert [problem.field for problem in caught.value.problems] == sorted(wishes)
    assert str(caught.value).startswith("line 3 not acceptable")


@pytest.mark.parametrize(
    "value", [float("nan"), float("inf"), "\ud800", object(), {1, 2}], ids=["nan", "inf", "surrogate", "object", "set"]
)
def test_what_json_cannot_carry_is_refused_before_anything_is_sent(value: object) -> None:
    with pytest.raises(RequestError, match="cannot be written as JSON"):
        check_native(get_gateway("omnirouters"), {"model": "m", "prompt": "x", "metadata": {"a": value}})


def test_options_win_and_pass_the_same_rules() -> None:
    gateway = get_gateway("jimmyai")
    body = translate(gateway, VideoRequest(prompt="x", duration=4, options={"duration": 8}))
    assert body.model_dump(exclude_unset=True)["duration"] == 8
    with pytest.raises(RequestError, match="duration"):
        translate(gateway, VideoRequest(prompt="x", options={"duration": 5}))


def test_every_problem_is_told_not_only_the_first() -> None:
    with pytest.raises(RequestError) as caught:
        check_native(get_gateway("12ai"), {"model": "x", "size": "big"})
    assert {problem.field for problem in caught.value.problems} == {"model", "prompt", "size"}


@pytest.mark.parametrize(
    ("reference", "good"),
    [
        ("https://e.com/a.png", True),
        ("HTTP://e.com", True),
        ("https://用户.example/图.png", True),
        ("https://", False),
        ("http://[", False),
        ("ftp://e.com/a", False),
        ("javascript:alert(1)", False),
        ("https://e.com/a b", False),
        ("//e.com/a", False),
        ("a.png", False),
        ("", False),
    ],
)
def test_is_link(reference: str, good: bool) -> None:
    assert is_link(reference) is good


@pytest.mark.parametrize(
    ("reference", "suffix"),
    [("https://e.com/a.PNG?x=.gif", ".png"), ("/tmp/a.mov", ".mov"), ("https://e.com", ""), ("http://[", "")],
)
def test_media_suffix(reference: str, suffix: str) -> None:
    assert media_suffix(reference) == suffix


def test_is_video_goes_by_the_ending() -> None:
    assert is_video("https://e.com/a.MP4?sig=1")
    assert not is_video("https://e.com/a.png?of=b.mp4")


def test_drop_empty_keeps_what_says_no() -> None:
    body = drop_empty({"a": None, "b": (), "c": [], "d": False, "e": 0, "f": "", "g": ("x",)})
    assert body == {"d": False, "e": 0, "f": "", "g": ["x"]}


def test_shorten_keeps_the_width() -> None:
    assert shorten("abc", 3) == "abc"
    assert shorten("abcd", 3) == "ab…"


@pytest.mark.parametrize(
    ("base", "url"),
    [
        ("https://e.com", "https://e.com/v1/videos"),
        ("https://e.com/", "https://e.com/v1/videos"),
        ("https://e.com/v1", "https://e.com/v1/videos"),
        ("https://e.com/v1/", "https://e.com/v1/videos"),
        ("https://e.com/gateway/v1", "https://e.com/gateway/v1/videos"),
    ],
)
def test_join_url_takes_a_base_in_the_openai_style(base: str, url: str) -> None:
    assert join_url(base, "/v1/videos") == url


def test_join_url_leaves_other_paths_alone() -> None:
    assert join_url("https://e.com/v1", "/api/open-api/v1/x") == "https://e.com/v1/api/open-api/v1/x"


def test_only_three_states_are_final() -> None:
    assert [status for status in JobStatus if status.is_final] == ["succeeded", "failed", "cancelled"]
