"""The command line, as a person would type it."""

import json
import subprocess
import sys
from typing import Any

import pytest


def omnivideo(*arguments: str, text: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "prefect_omnivideo.cli", *arguments],
        input=text,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def encoded(provider: str, request: dict[str, Any], *arguments: str) -> dict[str, Any]:
    done = omnivideo("encode", "--provider", provider, *arguments, text=json.dumps(request))
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_encode_shows_the_call_and_hides_the_key() -> None:
    call = encoded("apimart", {"prompt": "海边", "aspect_ratio": "9:16"})
    assert call["method"] == "POST"
    assert call["url"] == "https://api.apimart.ai/v1/videos/generations"
    assert call["headers"]["Authorization"] == "Bearer ***"
    assert call["json"] == {"model": "gemini-omni-flash-preview", "prompt": "海边", "aspect_ratio": "9:16"}


def test_encode_native_form() -> None:
    body = {"model": "omni_flash-10s", "prompt": "x", "input_reference[]": ["https://a/1.jpg", "https://a/2.jpg"]}
    call = encoded("12ai", body, "--native", "--base-url", "https://proxy.example/v1")
    assert call["url"] == "https://proxy.example/v1/videos"
    assert call["form"]["input_reference[]"] == ["https://a/1.jpg", "https://a/2.jpg"]
    assert "json" not in call


def test_encode_takes_the_other_route() -> None:
    call = encoded("omnirouters", {"prompt": "x"}, "--submit-path", "/v1/video/generations")
    assert call["url"] == "https://omnirouters.com/v1/video/generations"


@pytest.mark.parametrize(
    ("provider", "text", "said"),
    [
        ("jimmyai", '{"prompt": "x", "duration": 5}', "duration"),
        ("apimart", '{"prompt": "x", "colour": "red"}', "colour"),
        ("apimart", "no json", "standard input"),
        ("apimart", "[]", "standard input"),
        ("nobody", '{"prompt": "x"}', "12ai"),
    ],
)
def test_encode_refuses_with_exit_code_2(provider: str, text: str, said: str) -> None:
    done = omnivideo("encode", "--provider", provider, text=text)
    assert done.returncode == 2
    assert said in done.stderr
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
