from collections.abc import Generator
from pathlib import Path

import pytest

from prefect_omnivideo import LocalVideoStore
from prefect_omnivideo.sandbox import Sandbox, Settings, running


@pytest.fixture(scope="module")
def sandbox() -> Generator[Sandbox]:
    with running(Settings(latency=0.1)) as sandbox:
        yield sandbox


@pytest.fixture
def store(tmp_path: Path) -> LocalVideoStore:
    return LocalVideoStore(folder=tmp_path / "videos")
