"""The first thing a newcomer does."""

import json
import re
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.server

DEMO = [sys.executable, "-m", "prefect_omnivideo.cli", "demo"]


def test_the_demo_tells_its_story_and_leaves_videos_and_commands_that_work(tmp_path: Path) -> None:
    done = subprocess.run(DEMO, cwd=tmp_path, capture_output=True, text=True, timeout=240, check=False)
    out = done.stdout
    assert done.returncode == 0, out + done.stderr
    assert done.stderr == ""
    faults = ["answers 429", "its answer is lost", "content filter", "with 500", "breaks off", "has expired"]
    assert all(out.count(f"FAULT      {word}") or f" {word}" in out for word in faults)
    assert "13 videos: 11 stored, 1 failed, 1 of unknown outcome that may have been paid" in out
    assert "The gateways billed 13 submissions." in out
    assert "it is submitted now" in out, "the decision about the lost answer"
    assert "13 videos: 12 stored, 1 failed" in out
    assert "The second run: 0 billed." in out
    assert "12 of the 12 expected videos play" in out
    assert len(list((tmp_path / "demo-videos" / "demo").glob("*.mp4"))) == 12
    *commands, again = re.findall(r"(?m)^  \$ (.*)$", out.partition("Next")[2])
    assert again.endswith("omnivideo demo --ui")
    shown = [
        subprocess.run(command, shell=True, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=True)
        for command in commands
    ]
    assert shown[0].stdout.count("stored") == 12
    assert json.loads(shown[1].stdout)["json"]["aspect_ratio"] == "9:16"


def test_the_demo_leaves_a_ui_where_a_person_makes_a_video(tmp_path: Path) -> None:
    demo = subprocess.Popen(
        [*DEMO, "--ui"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        assert demo.stdout
        lines = iter(demo.stdout.readline, "")
        story = []
        while not re.fullmatch(r"http://127\.0\.0\.1:\d+\n", line := next(lines)):
            story.append(line)
        address = line.strip()
        assert not [line for line in story if re.search(r" \| (INFO|WARNING|ERROR) ", line)], "the log is in the UI"
        assert any("Ctrl-C stops everything" in line for line in lines)
        with urllib.request.urlopen(f"{address}/ui-settings", timeout=20) as answer:
            assert json.load(answer)["api_url"] == f"{address}/api"

        def call(path: str, body: dict[str, Any] | None = None) -> Any:
            data = None if body is None else json.dumps(body).encode()
            request = urllib.request.Request(f"{address}/api{path}", data, {"Content-Type": "application/json"})
            with urllib.request.urlopen(request, timeout=20) as answer:
                return json.load(answer)

        end, found = time.monotonic() + 60, []
        while not found and time.monotonic() < end:
            found = [each for each in call("/deployments/filter", {}) if each["name"] == "demo"]
        given = {"prompts": ["my first video"], "batch": "mine"}
        run = call(
            f"/deployments/{found[0]['id']}/create_flow_run", {"parameters": {**found[0]["parameters"], **given}}
        )
        while run["state_type"] not in ("COMPLETED", "FAILED", "CRASHED") and time.monotonic() < end + 120:
            time.sleep(0.5)
            run = call(f"/flow_runs/{run['id']}")
        assert run["state_type"] == "COMPLETED", run["state"]
        assert len(list((tmp_path / "demo-videos" / "mine").glob("*.mp4"))) == 1
        assert len(call("/artifacts/filter", {})) >= 4, "reports of the demo's runs, and of this one"
        made = {"event": {"prefix": ["prefect.asset."]}, "resource": {"id_prefix": ["s3://omnivideo-demo/videos/demo"]}}
        assert call("/events/filter", {"filter": made})["events"], "the batch of the demo is an asset"
        # Not to the whole group, as a terminal does: the process of the run may just be ending, and Python says so.
        demo.send_signal(signal.SIGINT)
        rest = "".join(lines)
        assert demo.wait(240) == 0
        assert "Traceback" not in rest
    finally:
        demo.kill()
        demo.wait()
