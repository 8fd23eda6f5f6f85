"""Shared by all tests: one sandbox a session, fast retries, and one Prefect server for those that need it.

Tests that start something are marked `server`, by the fixtures they use; `make check` leaves them out.
"""

import logging
import subprocess
from collections.abc import Generator
from pathlib import PurePosixPath

import pytest
import stamina
from hypothesis import HealthCheck, settings
from prefect.settings import PREFECT_LOGGING_TO_API_ENABLED, temporary_settings
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

settings.register_profile("usual", max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("thorough", parent=settings.get_profile("usual"), max_examples=2000)
settings.load_profile("usual")
# `.venv/bin/pytest --hypothesis-profile=thorough tests/core` looks for what sixty examples do not find.

SERVERS = {"prefect_server", "stage", "laptop", "browser", "s3", "seaweed", "sandbox", "slow_sandbox"}
"""Fixtures, and parameters that name fixtures, that start Prefect, the gateways or SeaweedFS."""


SHARED = {
    "deployments": "deployments",
    "blocks": "prefect",
    "flows": "prefect",
    "chaos": "prefect",
    "docs": "prefect",
    "browser": "browser",
}
"""Folder -> the server that its tests share; what takes longest first."""


class ByServer(LoadScopeScheduling):
    """One worker runs all tests that share a server; of the others, whoever is free takes the next module.

    The groups of pytest-xdist itself (`--dist loadgroup`) do nothing with pytest 9.
    """

    def _split_scope(self, nodeid: str) -> str:
        module = PurePosixPath(nodeid.partition("::")[0])
        return SHARED.get(module.parent.name, str(module))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> ByServer:
    return ByServer(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what starts servers. What shares one comes first, as it takes longest."""
    for item in items:
        fixtures: list[str] = getattr(item, "fixturenames", [])
        parameters: dict[str, object] = item.callspec.params if hasattr(item, "callspec") else {}
        if SERVERS & {*fixtures, *(value for value in parameters.values() if isinstance(value, str))}:
            item.add_marker(pytest.mark.server)
    servers = list(dict.fromkeys(SHARED.values()))
    shared = (SHARED.get(item.path.parent.name) for item in items)
    order = {item: servers.index(name) if name else len(servers) for item, name in zip(items, shared, strict=True)}
    items.sort(key=order.__getitem__)


@pytest.fixture(autouse=True)
def _no_process(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is not marked `server` starts no process, so that `make check` stays fast."""

    def refuse(*_: object, **__: object) -> None:
        pytest.fail("this test starts a process: mark it with @pytest.mark.server")

    if request.node.get_closest_marker("server") is None:
        monkeypatch.setattr(subprocess.Popen, "__init__", refuse)


@pytest.fixture(autouse=True)
def _no_back_off() -> Generator[None]:
    """Retries happen as many times as they should, without the pauses between them."""
    stamina.set_testing(True, attempts=10_000, cap=True)
    yield
    stamina.set_testing(False)


@pytest.fixture(scope="session")
def prefect_server() -> Generator[None]:
    """A Prefect server of its own, with a database of its own."""
    from prefect.testing.utilities import prefect_test_harness  # takes seconds, and most processes need none

    with (
        prefect_test_harness(server_startup_timeout=120),
        temporary_settings({PREFECT_LOGGING_TO_API_ENABLED: False}),
    ):
        yield


@pytest.fixture
def log() -> logging.Logger:
    return logging.getLogger("test")
