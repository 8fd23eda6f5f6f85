"""An account at a gateway, and its limits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from pydantic import SecretStr

from prefect_omnivideo.core.gateways.specification import Answer, Gateway, Route, join_url, route_of, task_path


@dataclass(frozen=True)
class Fallback:
    """What a route allows when one of its accounts does not make a video.

    Attributes:
        after_moderation: whether another account may be sent what a content filter refused.
        may_drop: portable fields that may be left out for an account that cannot honour them.
    """

    after_moderation: bool = False
    may_drop: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Account:
    """One account at one gateway.

    Attributes:
        name: the credentials block's name, or the gateway's slug.
        route: which of the gateway's documented routes new jobs take.
        submissions_per_minute: started in any minute, evenly spaced; None for no limit.
        requests_in_flight: HTTP requests at a time; more only waste CPU in httpx's pool.
        request_seconds: how long one request may take in all.
        poll_seconds: the shortest pause between two status queries of one job.
        fallback: the rules of the route that it is an account of; None if it is of none.
        key_field: the native field in which a record's key is sent; empty if it is not sent.
        heard: called with every answer of the gateway, which may contain signed links.
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
    fallback: Fallback | None = None
    heard: Callable[[Answer], object] = field(default=lambda answer: None, repr=False, compare=False)

    @property
    def id(self) -> str:
        """What tells it apart from the other accounts of a run: blocks of two kinds may have the same name."""
        return f"{self.gateway.name}/{self.name}"

    @property
    def connect_seconds(self) -> float:
        """Connect timeout."""
        return min(10.0, self.request_seconds)

    @property
    def send_window(self) -> float:
        """Seconds within which a submission must be sent, retries included."""
        return 2 * self.request_seconds

    @property
    def claim_seconds(self) -> float:
        """Seconds after which a submission is over in any case: a record that is still `submitting` is unknown."""
        return self.send_window + self.connect_seconds + self.request_seconds + 5

    def is_same(self, gateway: str, name: str, base_url: str) -> bool:
        """Whether this is the account that made an attempt."""
        return (self.gateway.name, self.name, self.base_url.rstrip("/")) == (gateway, name, base_url.rstrip("/"))

    def content_url(self, task_id: str, submit_path: str) -> str | None:
        """The gateway's own content endpoint for a finished job, which needs the key; None if it has none."""
        content = route_of(self.gateway, submit_path).content
        return join_url(self.base_url, task_path(content, task_id)) if content else None
