"""Pages about money, which only inform: read in little time, or not at all."""

from __future__ import annotations

import asyncio
import json
from typing import cast

import httpx
from pydantic import JsonValue

from prefect_omnivideo.core.client.account import Account
from prefect_omnivideo.core.gateways.specification import join_url
from prefect_omnivideo.core.tls import tls

PATIENCE = 5.0
"""Seconds for a whole page: a run waits for it."""
_MOST_BYTES = 8 * 1024**2


async def get_json(account: Account, path: str, *, with_key: bool = False) -> JsonValue:
    """The JSON of a page of the account's gateway; None after any failure. Redirects are not followed.

    Args:
        with_key: whether the page needs the account's key.
    """
    url = join_url(account.base_url, "").removesuffix("/v1") + path
    headers = {"Authorization": f"Bearer {account.api_key.get_secret_value()}"} if with_key else {}
    try:
        return await _get(url, headers)
    except (httpx.HTTPError, httpx.InvalidURL, TimeoutError, ValueError, RecursionError):
        return None


async def _get(url: str, headers: dict[str, str]) -> JsonValue:
    content = bytearray()
    async with (
        asyncio.timeout(PATIENCE),
        httpx.AsyncClient(timeout=PATIENCE, follow_redirects=False, verify=tls()) as http,
        http.stream("GET", url, headers=headers) as response,
    ):
        response.raise_for_status()
        async for chunk in response.aiter_bytes():
            content += chunk
            if len(content) > _MOST_BYTES:
                raise ValueError("the page is too large")
    return cast("JsonValue", json.loads(content))
