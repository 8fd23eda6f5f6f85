"""An account at a gateway, and the limits it keeps to."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import SecretStr

from prefect_omnivideo.core.gateways.specification import Gateway, Route, join_url, route_of, task_path


@dataclass(frozen=True)
class Account:
    """One account at one gateway.

    Attributes:
        name: the credentials block's name, or the gateway's slug.
        route: which of the gateway's documented routes new jobs take.
        submissions_per_minute: begun in any minute, evenly spaced; None for as many as the gateway takes.
        requests_in_flight: HTTP requests at a time; more only burn CPU in httpx's pool.
        request_seconds: how long one request may take in all.
        poll_seconds: the shortest pause between two status queries of one job.
        key_field: the native field in which a record's key is sent; empty where none is.
    """

    gateway: Gateway
    name: str
    base_url: str
    api_key: SecretStr
    route: Route
    jobs_in_flight: int = 20
    submissions_per_minute: int | None = None
    requests_in_flight: int = 8
    request_seconds: float = 90.0
    poll_seconds: float = 5.0
    key_field: str = ""

    @property
    def connect_seconds(self) -> float:
        """How long a connection may take to come about."""
        return min(10.0, self.request_seconds)

    @property
    def send_window(self) -> float:
        """Seconds within which a submission must leave, first tries and repeats together."""
        return 2 * self.request_seconds

    @property
    def claim_seconds(self) -> float:
        """Seconds after which a submission is over, one way or the other: what still says `submitting` is unknown."""
        return self.send_window + self.connect_seconds + self.request_seconds + 5

    def is_same(self, gateway: str, name: str, base_url: str) -> bool:
        """Whether this is the account that made an attempt."""
        return (self.gateway.name, self.name, self.base_url.rstrip("/")) == (gateway, name, base_url.rstrip("/"))

    def content_url(self, task_id: str, submit_path: str) -> str | None:
        """Where the gateway itself serves a finished job's bytes, with the key; None when it does not."""
        content = route_of(self.gateway, submit_path).content
        return join_url(self.base_url, task_path(content, task_id)) if content else None
