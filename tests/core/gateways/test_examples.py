"""Every request example of the gateways' documents is accepted and sent as the same JSON."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from prefect_omnivideo.core.gateways.registry import gateway_names

_FILES = {path.stem: json.loads(path.read_text("utf-8")) for path in Path(__file__).parent.glob("examples/*.json")}
_EXAMPLES = [
    pytest.param(gateway, body, id=f"{gateway}: {place}")
    for gateway, examples in sorted(_FILES.items())
    for place, body in examples.items()
]


def test_every_gateway_has_all_its_examples() -> None:
    """The documents hold this many different request examples."""
    counts = {gateway: len(examples) for gateway, examples in _FILES.items()}
    assert counts == {"12ai": 3, "omnirouters": 20, "sora": 2, "apimart": 4, "jimmyai": 2}
    assert set(counts) <= set(gateway_names())


@pytest.mark.parametrize(("gateway", "body"), _EXAMPLES)
def test_an_example_comes_out_as_the_same_json(gateway: str, body: dict[str, Any], call: Any) -> None:
    sent = call(gateway, body)
    assert json.loads(json.dumps(sent.json)) == body
    assert (sent.method, sent.form, sent.files) == ("POST", (), ())


@pytest.mark.parametrize(
    ("gateway", "path"),
    [
        ("12ai", "/v1/videos"),
        ("omnirouters", "/v1/videos"),
        ("sora", "/v1/videos"),
        ("apimart", "/v1/videos/generations"),
        ("jimmyai", "/api/open-api/v1/gemini/omni/videos"),
    ],
)
def test_an_example_is_posted_to_the_documented_path(gateway: str, path: str, call: Any) -> None:
    assert call(gateway, next(iter(_FILES[gateway].values()))).path == path
