"""Shared by all tests: one sandbox a session, fast retries, and one Prefect server for those that need it."""

import logging
from collections.abc import Generator

import pytest
import stamina
from prefect.settings import PREFECT_LOGGING_TO_API_ENABLED, temporary_settings
from prefect.testing.utilities import prefect_test_harness


@pytest.fixture(autouse=True)
def _no_back_off() -> Generator[None]:
    """Retries happen as many times as they should, without the pauses between them."""
    stamina.set_testing(True, attempts=10_000, cap=True)
    yield
    stamina.set_testing(False)


@pytest.fixture(scope="session")
def prefect_server() -> Generator[None]:
    """A Prefect server of its own, with a database of its own."""
    with (
        prefect_test_harness(server_startup_timeout=120),
        temporary_settings({PREFECT_LOGGING_TO_API_ENABLED: False}),
    ):
        yield


@pytest.fixture
def log() -> logging.Logger:
    return logging.getLogger("test")
