from collections.abc import Generator
from pathlib import Path

import pytest

from prefect_omnivideo.sandbox import Sandbox, Settings, running
from prefect_omnivideo.store.local import Folder
from prefect_omnivideo.store.records import Records
from tests.store.conftest import s3, s3_client, seaweed  # noqa: F401  # fixtures


@pytest.fixture(scope="module")
def sandbox() -> Generator[Sandbox]:
    with running(Settings(latency=0.05)) as sandbox:
        yield sandbox


@pytest.fixture
def records(tmp_path: Path) -> Records:
    return Records(Folder(tmp_path))
