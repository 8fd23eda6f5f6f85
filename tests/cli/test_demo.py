"""The first thing a newcomer does."""

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.server, pytest.mark.xdist_group("demo")]


def test_the_demo_ends_well_and_leaves_videos_that_play(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "prefect_omnivideo.cli", "demo"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "12 videos: 11 stored, 1 failed" in done.stdout
    assert "11 of the 11 videos that should exist play" in done.stdout
    videos = list((tmp_path / "demo-videos" / "demo").glob("*.mp4"))
    assert len(videos) == 11
    page = (tmp_path / "demo-videos" / "demo" / "index.html").read_text()
    assert page.count("<video") == 11
