"""The CA certificates for every connection."""

from __future__ import annotations

import ssl
from functools import cache

import httpx


@cache
def tls() -> ssl.SSLContext:
    """Cached: loading the certificates takes tens of milliseconds."""
    return httpx.create_ssl_context()
