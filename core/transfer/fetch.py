"""One GET for the bytes of a finished video, following redirects."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from typing import NamedTuple

import httpx
from pydantic import SecretStr

from prefect_omnivideo.core.answers.links import is_inline
from prefect_omnivideo.core.errors import TransferError
from prefect_omnivideo.core.records.model import now
from prefect_omnivideo.core.threads import TRANSFERS_IN_FLIGHT
from prefect_omnivideo.core.tls import tls
from prefect_omnivideo.core.transfer.url_policy import check_link, check_peer, origin, proxy_for, safe_url, same_origin

MAX_REDIRECTS = 5
CONNECT_SECONDS = 10.0
_LIMITS = httpx.Limits(max_connections=None, max_keepalive_connections=TRANSFERS_IN_FLIGHT, keepalive_expiry=15.0)


@dataclass(frozen=True)
class Source:
    """Where a finished video can be fetched.

    Attributes:
        url: the result link, or the gateway's own content endpoint.
        base_url: the account's base URL; only its origin gets the key.
        key: the account's API key, sent as a Bearer token.
        expires_at: when the link expires, if reported. It is tried anyway (clocks differ); but
            an error after that moment is a `LinkExpiredError`.
    """

    url: str = field(repr=False)
    base_url: str
    key: SecretStr | None = None
    expires_at: datetime | None = None

    @property
    def host(self) -> str:
        """The host of the link; empty for a `data:` link."""
        return "" if self.is_inline else origin(self.url)[1]

    @property
    def is_inline(self) -> bool:
        """Whether the link holds the file itself, in base64."""
        return is_inline(self.url)

    @property
    def has_expired(self) -> bool:
        """Whether the link has expired."""
        return self.expires_at is not None and self.expires_at <= now()


class Fetched(NamedTuple):
    """The response after redirects: which URL sent it, and whether that URL got the key."""

    response: httpx.Response
    url: str
    with_key: bool


@contextmanager
def fetch(source: Source, headers: Mapping[str, str], timeout: float) -> Generator[Fetched]:
    """Request a source and follow its redirects, each of which is checked like the link itself.

    The key goes only to the origin of `base_url`. A redirect that leaves it drops the key for good, even if a later
    one leads back.

    Args:
        source: what to request.
        headers: sent with every request.
        timeout: seconds without data after which the connection counts as broken.

    Raises:
        TransferError: a link that must not be followed, or too many redirects.
        OSError, httpx.TransportError: no answer came.
    """
    url, key = source.url, source.key
    with ExitStack() as stack:
        for _ in range(MAX_REDIRECTS + 1):
            check_link(url, source.base_url)
            if not same_origin(url, source.base_url):
                key = None
            response = stack.enter_context(_get(url, headers, key, timeout))
            check_peer(response, url, source.base_url)
            if not response.has_redirect_location:
                break
            url = _join(url, response.headers["location"])
        else:
            raise TransferError(f"{safe_url(source.url)}: more than {MAX_REDIRECTS} redirects")
        yield Fetched(response, url, key is not None)


@contextmanager
def _get(url: str, headers: Mapping[str, str], key: SecretStr | None, timeout: float) -> Generator[httpx.Response]:
    """One request, by the transport itself: `httpx.Client` would log the link with its signature."""
    fields = {"Accept": "*/*", "User-Agent": "prefect-omnivideo", **headers}
    if key is not None:
        fields["Authorization"] = f"Bearer {key.get_secret_value()}"
    request = httpx.Request(
        "GET",
        url,
        # As bytes: an encoding error would quote the header.
        headers={name.encode(): value.encode("utf-8", "replace") for name, value in fields.items()},
        extensions={"timeout": httpx.Timeout(timeout, connect=min(timeout, CONNECT_SECONDS)).as_dict()},
    )
    try:
        response = _transport(proxy_for(url)).handle_request(request)
    except httpx.LocalProtocolError:  # its message quotes the header
        raise TransferError("the API key cannot be sent: it is not a valid HTTP header value") from None
    try:
        yield response
    finally:
        response.close()


@cache
def _transport(proxy: str | None) -> httpx.HTTPTransport:
    """Shared by all downloads: most come from one host, and each new connection costs a TLS handshake."""
    return httpx.HTTPTransport(verify=tls(), proxy=proxy, limits=_LIMITS)


def _join(url: str, location: str) -> str:
    try:
        return str(httpx.URL(url).join(location))
    except httpx.InvalidURL:
        raise TransferError(f"{safe_url(url)}: redirects to something that is not a URL") from None
