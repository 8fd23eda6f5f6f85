"""`omnivideo prices`: every price with its source, and bad input refused by name."""

import json
from pathlib import Path

import pytest

from prefect_omnivideo.cli import prices as command
from prefect_omnivideo.cli.commands import app
from prefect_omnivideo.core.prices import fetch
from prefect_omnivideo.sandbox import Sandbox, Settings, running
from tests.accounts import credentials


@pytest.fixture(scope="module")
def sandbox():
    with running(Settings()) as sandbox:
        yield sandbox


def show(*args: str) -> int:
    code = app(["prices", *args], result_action="return_value")
    assert isinstance(code, int)
    return code


def test_prices_are_shown_with_their_sources(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    file = tmp_path / "prices.yaml"
    file.write_text(
        "as_of: 2026-05-01\nprices:\n  - {model: gemini-omni, min_seconds: 8, sound: true, per_second: 0.1 USD}\n"
    )
    block = credentials(sandbox, "sora", price_file=str(file))
    monkeypatch.setattr(command, "saved_credentials", lambda slug: block)
    monkeypatch.setattr(fetch, "PATIENCE", 60.0)  # a busy machine is no gateway that is away
    assert show("--block", "sora-credentials/prod") == 0
    shown = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert "sora gemini-omni from 8 s with sound 0.10 USD a second price list 2026-05-01" in shown
    assert any(line.startswith("sora sora-2-pro 1.50 USD a video gateway 20") for line in shown)

    request = tmp_path / "request.json"
    request.write_text(json.dumps({"prompt": "x", "duration": 4}))
    assert show("--block", "sora-credentials/prod", "--request", str(request)) == 0
    assert "0.35 USD" in capsys.readouterr().out
    assert sandbox.jobs() == []


@pytest.mark.parametrize(
    ("request_", "says"),
    [
        ('{"prompt": "x", "length": 4}', "length: Extra inputs are not permitted"),
        ('{"prompt": ', "request: Invalid JSON"),
        ("missing.json", "missing.json cannot be read"),
    ],
)
def test_a_bad_request_is_refused_by_name(request_: str, says: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert show("--request", request_) == 2
    assert says in capsys.readouterr().err


def test_a_bad_price_file_is_refused_by_name(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    file = tmp_path / "prices.yaml"
    file.write_text("- {per_minute: 1 USD}\n")
    monkeypatch.setattr(command, "saved_credentials", lambda slug: credentials(sandbox, "sora", price_file=str(file)))
    assert show("--block", "sora-credentials/prod") == 2
    assert "price 1, per_minute: Extra inputs are not permitted" in capsys.readouterr().err
