"""Four flow runs at once on one budget, two of them killed: the bill is within it, and it is used up."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from prefect.settings import PREFECT_API_URL

ROOT = Path(__file__).resolve().parents[2]
VIDEOS = 16


@pytest.mark.usefixtures("prefect_server")
def test_a_budget_holds_although_runs_are_killed() -> None:
    command = [sys.executable, "-m", "bench.budget", "kills", "--videos", str(VIDEOS)]
    command += ["--api", str(PREFECT_API_URL.value())]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=400, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    line = json.loads(done.stdout.splitlines()[-1])
    assert line["killed"] == 2
    assert line["accepted"] <= VIDEOS
    assert line["accepted"] + line["may_have_been_spent"] >= VIDEOS - 1
    assert line["in_the_ledger"] <= VIDEOS
