import time
from collections.abc import Generator
from pathlib import Path

import pytest

from prefect_omnivideo import LocalVideoStore
from prefect_omnivideo.sandbox import Sandbox, Settings, running


@pytest.fixture(scope="module")
def sandbox() -> Generator[Sandbox]:
    with running(Settings(latency=0.1)) as sandbox:
        yield sandbox


class Held:
    """A clock for the gateways that stands a minute still, until the jobs may finish."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def __call__(self) -> float:
        return time.time() + self.ahead

    def finish(self) -> None:
        self.ahead += 3600


@pytest.fixture
def held() -> Held:
    return Held()


@pytest.fixture
def slow_sandbox(held: Held) -> Generator[Sandbox]:
    """Gateways whose jobs finish when `held` says so."""
    with running(Settings(latency=1800), clock=held) as sandbox:
        yield sandbox


@pytest.fixture
def store(tmp_path: Path) -> LocalVideoStore:
    return LocalVideoStore(folder=tmp_path / "videos")
