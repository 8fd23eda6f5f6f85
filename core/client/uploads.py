"""Uploads of a file to a gateway's own endpoint, with retries, since they cost nothing."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import httpx
import stamina

from prefect_omnivideo.core.answers.json_paths import search
from prefect_omnivideo.core.answers.refusal import find_refusal, reason_of, retry_after
from prefect_omnivideo.core.client.client import LONGEST_RETRY_AFTER, GatewayClient
from prefect_omnivideo.core.errors import (
    NotAcceptedError,
    RefusedError,
    UnauthorizedError,
    UnavailableError,
    UnreachableError,
)
from prefect_omnivideo.core.gateways.specification import Answer, Gateway, Reason, Upload
from prefect_omnivideo.core.gateways.validation import is_link

UPLOAD_ATTEMPTS = 5
SLOWEST = 128 * 1024
"""Bytes per second; a slower upload is aborted."""


async def upload(client: GatewayClient, endpoint: Upload, file: Path, name: str, content_type: str) -> str:
    """Upload a file, in at most `UPLOAD_ATTEMPTS` attempts.

    Args:
        name: file name sent to the gateway.

    Returns:
        The gateway's link to it, valid for `endpoint.valid_for` seconds.

    Raises:
        NotAcceptedError: the gateway rejects it, or cannot be reached; nothing was spent.
    """

    async def once() -> str:
        answer = await _post(client, endpoint, file, name, content_type)
        return _read_link(client.account.gateway, endpoint, answer, name)

    retrying = stamina.AsyncRetryingCaller(
        attempts=UPLOAD_ATTEMPTS, timeout=None, wait_initial=1, wait_max=30, wait_jitter=1
    )
    return await retrying(_again, once)


async def _post(client: GatewayClient, endpoint: Upload, file: Path, name: str, content_type: str) -> Answer:
    title = client.account.gateway.title
    try:
        with await asyncio.to_thread(file.open, "rb") as opened:
            seconds = os.fstat(opened.fileno()).st_size / SLOWEST
            return await client.post_file(endpoint.path, endpoint.field, (name, opened, content_type), seconds)
    except (httpx.HTTPError, TimeoutError) as error:
        raise UnreachableError(
            f"{title} could not be sent {file} ({type(error).__name__}). Nothing was spent."
        ) from None
    except OSError as error:
        raise RefusedError(f"{file} cannot be read ({error.strerror}). Nothing was spent.") from None


def _read_link(gateway: Gateway, endpoint: Upload, answer: Answer, name: str) -> str:
    reason = reason_of(gateway, answer)
    if reason:
        text = f"{gateway.title} did not take the file {name}: {find_refusal(answer)}"
        if reason.passes or answer.status in (408, 425):
            raise UnavailableError(text, http_status=answer.status, retry_after=retry_after(answer))
        if reason is Reason.UNAUTHORIZED:
            raise UnauthorizedError(f"{text}. Check the key of the credentials block.", http_status=answer.status)
        raise RefusedError(text, http_status=answer.status)
    for link in search(answer.body, endpoint.url_path):
        if isinstance(link, str) and is_link(link):
            return link
    raise UnavailableError(f"{gateway.title} took the file {name} and gave no link", http_status=answer.status)


def _again(error: Exception) -> bool | float:
    if not (isinstance(error, NotAcceptedError) and error.waiting_helps):
        return False
    seconds = error.retry_after if isinstance(error, UnavailableError) else None
    return True if seconds is None else min(seconds, LONGEST_RETRY_AFTER)
