"""One sandbox with a clock in the tests' hands, and how each gateway is spoken to."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from prefect_omnivideo.sandbox import Sandbox, Settings, running

LATENCY = 10.0


class Clock:
    """Epoch seconds that move only when told to."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now

    def tick(self, seconds: float = LATENCY) -> None:
        self.now += seconds


@dataclass(frozen=True)
class Wire:
    """How a gateway is spoken to, as its documents say."""

    gateway: str
    submit: str
    query: str
    body: dict[str, Any]
    id: Callable[[Any], str]
    status: Callable[[Any], str]
    link: Callable[[Any], str]
    done: str = "completed"
    failed: str = "failed"


def _same(key: str) -> Callable[[Any], str]:
    return lambda answer: answer[key]


def _data(key: str) -> Callable[[Any], str]:
    return lambda answer: answer["data"][key]


WIRES = {
    "12ai": Wire(
        "12ai",
        "/v1/videos",
        "/v1/videos/{}",
        {"model": "omni_flash-10s"},
        _same("id"),
        _same("status"),
        _same("video_url"),
    ),
    "omnirouters": Wire(
        "omnirouters",
        "/v1/videos",
        "/v1/videos/{}",
        {"model": "Kling-3.0-omni", "seconds": "5"},
        _same("task_id"),
        _same("status"),
        lambda answer: answer["metadata"]["url"],
    ),
    "omnirouters-generations": Wire(
        "omnirouters",
        "/v1/video/generations",
        "/v1/video/generations/{}",
        {"model": "Kling-3.0-omni", "seconds": "5"},
        _same("task_id"),
        _data("status"),
        _data("result_url"),
        "SUCCESS",
        "FAILURE",
    ),
    "sora": Wire(
        "sora", "/v1/videos", "/v1/videos/{}", {"model": "sora-2"}, _same("id"), _same("status"), _same("video_url")
    ),
    "apimart": Wire(
        "apimart",
        "/v1/videos/generations",
        "/v1/tasks/{}",
        {"model": "gemini-omni-flash-preview"},
        lambda answer: answer["data"][0]["task_id"],
        _data("status"),
        lambda answer: answer["data"]["result"]["videos"][0]["url"][0],
    ),
    "jimmyai": Wire(
        "jimmyai",
        "/api/open-api/v1/gemini/omni/videos",
        "/api/open-api/v1/videos/{}",
        {"model": "Gemini-Omini"},
        _data("task_id"),
        _data("status"),
        lambda answer: answer["data"]["result"]["video_url"],
    ),
}


# Nothing here speaks TLS, and reading the certificates for each client would be most of the tests' time.
@pytest.fixture(scope="session")
def web() -> Iterator[httpx.Client]:
    """A client without a key."""
    with httpx.Client(verify=False, timeout=60) as http:
        yield http


class Client:
    """A client of one gateway that sends what it is told and retries nothing."""

    def __init__(self, wire: Wire, sandbox: Sandbox, clock: Clock) -> None:
        self.wire, self.sandbox, self.clock = wire, sandbox, clock
        headers = {"Authorization": f"Bearer {sandbox.key}"}
        self.http = httpx.Client(base_url=sandbox.base_url(wire.gateway), headers=headers, verify=False, timeout=60)

    def submit(self, prompt: str = "a red apple", **fields: Any) -> httpx.Response:
        return self.http.post(self.wire.submit, json=self.wire.body | {"prompt": prompt} | fields)

    def start(self, prompt: str = "a red apple", **fields: Any) -> str:
        return self.wire.id(self.submit(prompt, **fields).json())

    def query(self, identity: str) -> httpx.Response:
        return self.http.get(self.wire.query.format(identity))

    def status(self, identity: str) -> str:
        return self.wire.status(self.query(identity).json())

    def finish(self, prompt: str = "a red apple", **fields: Any) -> Any:
        """Submit, let the time pass, and give the final answer."""
        identity = self.start(prompt, **fields)
        self.clock.tick()
        return self.query(identity).json()

    def film(self, prompt: str = "a red apple", **fields: Any) -> str:
        """The link of a finished video."""
        return self.wire.link(self.finish(prompt, **fields))


@pytest.fixture(scope="session")
def clock() -> Clock:
    return Clock()


@pytest.fixture(scope="session")
def _running(clock: Clock) -> Iterator[Sandbox]:
    with running(Settings(latency=LATENCY), clock) as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(_running: Sandbox) -> Sandbox:
    _running.reset()
    return _running


@pytest.fixture
def speak(sandbox: Sandbox, clock: Clock) -> Iterator[Callable[[str], Client]]:
    """Clients by the name of their wire."""
    clients: list[Client] = []

    def open_client(name: str) -> Client:
        clients.append(Client(WIRES[name], sandbox, clock))
        return clients[-1]

    yield open_client
    for client in clients:
        client.http.close()


@pytest.fixture(params=list(WIRES))
def client(request: pytest.FixtureRequest, speak: Callable[[str], Client]) -> Client:
    """A client of each gateway in turn."""
    return speak(request.param)
