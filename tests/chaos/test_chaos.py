"""The short version of `make chaos`: the real flow is killed, doubled and cut off, and what was paid is counted."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from prefect.settings import PREFECT_API_URL

ROOT = Path(__file__).resolve().parents[2]
PROMPTS = 10


@pytest.mark.usefixtures("prefect_server")
def test_nothing_is_paid_twice_and_nothing_is_lost() -> None:
    command = [sys.executable, "-m", "bench.chaos", "--api", str(PREFECT_API_URL.value()), "--seed", "7"]
    command += ["--prompts", str(PROMPTS), "--kills", "3", "--scenario", "kill", "twice", "drops"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=600, check=False)
    lines = {line["scenario"]: line for line in map(json.loads, done.stdout.splitlines())}
    assert done.returncode == 0, done.stdout + done.stderr
    assert set(lines) == {"kill", "twice", "drops"}
    for line in lines.values():
        assert (line["duplicates"], line["lost"]) == (0, 0)
        assert line["stored"] + line["unknown"] == PROMPTS
        assert line["unknown"] <= line["may_be_unknown"]
    assert lines["kill"]["kills"] >= 1, "it may be done before the last"
    assert lines["twice"]["stored"] == lines["twice"]["accepted"] == PROMPTS
    assert lines["drops"]["unknown"] == 4, "two cut before acceptance, two after it"
