"""The short version of `make month`: a growing sheet on a daily budget, runs killed, and the bill told to the cent."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from prefect.settings import PREFECT_API_URL

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.usefixtures("prefect_server")
def test_every_row_is_accounted_for_and_no_day_is_above_its_budget() -> None:
    command = [sys.executable, "-m", "bench.month", "--days", "3", "--seed", "18"]
    command += ["--api", str(PREFECT_API_URL.value())]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    line = json.loads(done.stdout.splitlines()[-1])
    assert line["killed"] >= 1
    assert line["spend"] == line["bill"]
    assert (line["duplicates"], line["lost"]) == (0, 0)
    assert line["stored"] + sum(line["failed"].values()) + line["unknown"] == line["rows"]
    assert line["days_used_up"] >= 1  # nothing is killed on the first day with this seed
