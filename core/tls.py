"""The certificates that every connection trusts."""

from __future__ import annotations

import ssl
from functools import cache

import httpx


@cache
def tls() -> ssl.SSLContext:
    """Loading the certificates takes tens of milliseconds; once is enough."""
    return httpx.create_ssl_context()
