"""Which links may be followed, and which may get the key.

A result link comes from the gateway's answer: untrusted, and could point into the internal network. So a link to
a private address is refused, unless the account's own base URL is such an address (a self-hosted gateway). Plain http
is followed, without the key: a paid video behind a plain http link would be lost otherwise.

The addresses a name resolves to are checked before the connection, and the address really connected to again after it
(`check_peer`): a name that changes its address in between (DNS rebinding) can provoke a GET without the key, and no
byte of the answer is kept. Through a proxy only literal addresses can be checked; names are resolved by the proxy.
"""

from __future__ import annotations

import socket
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from urllib.request import getproxies, proxy_bypass

import httpx

from prefect_omnivideo.core.errors import TransferError

_PORTS = {"http": 80, "https": 443}
_NAT64 = IPv6Network("64:ff9b::/96")


def origin(url: str) -> tuple[str, str, int]:
    """Scheme, host and port of a URL, in their normal form.

    Raises:
        TransferError: not an absolute http or https URL.
    """
    parsed = _parse(url)
    return parsed.scheme, parsed.host, _PORTS[parsed.scheme] if parsed.port is None else parsed.port


def same_origin(a: str, b: str) -> bool:
    """Whether two URLs share scheme, host and port: only then may they share a key."""
    return origin(a) == origin(b)


def safe_url(url: str) -> str:
    """Host and path of a URL, for messages: the query may hold a signature, the user part a password."""
    parsed = _parse(url)
    port = "" if parsed.port is None else f":{parsed.port}"
    path = parsed.raw_path.partition(b"?")[0].decode("ascii")  # still percent-encoded: no line breaks in a log
    return f"{parsed.host}{port}{path}"


def check_link(url: str, base_url: str) -> None:
    """Refuse a link that must not be followed for an account at `base_url`.

    Raises:
        TransferError: neither http nor https; a name or password in the URL; or a host that is, or resolves to, a
            private, loopback, link-local, multicast, reserved or unspecified address although the host of `base_url`
            does not.
        OSError: the name does not resolve now.
    """
    if _parse(url).userinfo:
        raise TransferError(f"link to {safe_url(url)} refused: it carries a name or password")
    if origin(url) == origin(base_url):
        return
    if any(map(is_private, _addresses(url))) and not any(map(is_private, _addresses(base_url))):
        raise TransferError(f"link to {safe_url(url)} refused: a private address")


def check_peer(response: httpx.Response, url: str, base_url: str) -> None:
    """Refuse a response from a private address; `check_link` checked the name, not the connection.

    Raises:
        TransferError: as in `check_link`.
        OSError: the host of `base_url` does not resolve now.
    """
    stream = response.extensions.get("network_stream")
    peer = stream.get_extra_info("server_addr") if stream is not None else None
    if not peer or proxy_for(url) or origin(url) == origin(base_url):
        return
    if is_private(peer[0]) and not any(map(is_private, _addresses(base_url))):
        raise TransferError(f"answer of {safe_url(url)} refused: it came from a private address")


def is_private(host: str) -> bool:
    """Whether a host is not public: an address that is not a public unicast one, or a local name.

    Names are not resolved.
    """
    try:
        address = _embedded(ip_address(host))
    except ValueError:
        return "." not in host or host.endswith((".local", ".localhost", ".internal", ".lan"))
    return (
        not address.is_global
        or address.is_multicast
        or address.is_reserved
        or (isinstance(address, IPv6Address) and address.is_site_local)
    )


def proxy_for(url: str) -> str | None:
    """The proxy the environment prescribes for a URL (HTTP_PROXY, HTTPS_PROXY, ALL_PROXY, NO_PROXY), or None."""
    parsed = _parse(url)
    proxies = getproxies()
    proxy = proxies.get(parsed.scheme) or proxies.get("all")
    if not proxy or proxy_bypass(parsed.host):
        return None
    return proxy if "://" in proxy else f"http://{proxy}"


def _parse(url: str) -> httpx.URL:
    """With the parser that also makes the request: two parsers could disagree about the host."""
    try:
        parsed = httpx.URL(url)
    except (httpx.InvalidURL, TypeError):
        raise TransferError("link refused: it is not a URL") from None  # the message could quote a signature
    if parsed.port is not None and not 0 < parsed.port < 65536:
        raise TransferError("link refused: it has no valid port")
    if parsed.scheme not in _PORTS or not parsed.host:
        raise TransferError(f"link refused: only http and https are followed, not {parsed.scheme or 'a relative one'}")
    return parsed


def _addresses(url: str) -> list[str]:
    """Every address of a URL's host, by the resolver that also connects: it resolves 127.1 and 0x7f000001 as well."""
    parsed = _parse(url)
    host = parsed.raw_host.decode("ascii")
    proxied = proxy_for(url) is not None
    try:
        found = socket.getaddrinfo(
            host, parsed.port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST if proxied else 0
        )
    except socket.gaierror:
        if proxied:
            return []
        raise
    except UnicodeError:
        raise TransferError("link refused: its host is not a valid name") from None
    return [str(address[0]) for *_, address in found]


def _embedded(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    """The IPv4 address embedded in an IPv6 one (mapped, 6to4, NAT64), else the address itself."""
    if isinstance(address, IPv4Address):
        return address
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or address
