"""What the console of a new-api gateway lists for an account: its jobs, and the charges to a key.

No gateway documents these pages (docs/gateways.md, The console of a new-api gateway). A gateway without them, a
refusal and an answer that is not fully understood all give None, never an exception.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import cast

import httpx
from pydantic import JsonValue, SecretStr

from prefect_omnivideo.core.answers.json_paths import first_number, first_text, first_time, parsed
from prefect_omnivideo.core.client.account import Account

PAGE_SIZE = 100
"""The largest page that the software returns."""
MOST_PAGES = 20
_MOST_BYTES = 32 * 1024**2
"""Largest answer: a row contains the vendor's raw answer, which may contain a video."""


@dataclass(frozen=True)
class Console:
    """The credentials of a user's console: its access token, which is not an API key, and the user's number."""

    access_token: SecretStr
    user_id: str


@dataclass(frozen=True)
class ConsoleTask:
    """One job as the console lists it.

    Attributes:
        task_id: the gateway's name for the job.
        submitted_at: when the gateway accepted it, by its own clock, in whole seconds.
        status: NOT_START, SUBMITTED, QUEUED, IN_PROGRESS, SUCCESS, FAILURE or UNKNOWN.
        model: the model the request named; empty if not reported.
        quota: what it cost in the gateway's unit (500,000 are one US dollar by default), if reported.
        fail_reason: why it failed; empty for all others, whose links are in that field.
        prompt: of the request; empty if not reported, as in the stock software.
        own_id: the caller's own id, if the vendor's answer repeats it; else empty.
    """

    task_id: str
    submitted_at: datetime
    status: str = ""
    model: str = ""
    quota: float | None = None
    fail_reason: str = field(default="", repr=False)
    prompt: str = field(default="", repr=False)
    own_id: str = ""


@dataclass(frozen=True)
class Charge:
    """One row of a key's log: type 2 is a charge, 6 a refund, 5 an error; `quota` as in `ConsoleTask`.

    Attributes:
        request_id: the gateway's id of the request that was charged; empty if not told.
        task_id: the job, where the row names it: refunds and later settlements do.
        settled: what the job costs in all since this row, in the same unit; settlements tell it.
    """

    type: int
    created_at: datetime
    model_name: str
    quota: float | None
    content: str = field(repr=False)
    request_id: str
    task_id: str = ""
    settled: float | None = None


async def tasks_between(account: Account, console: Console, start: datetime, end: datetime) -> list[ConsoleTask] | None:
    """All jobs of the console's user that the gateway accepted in that time, or None if the list is incomplete."""
    found, is_whole = await _listed(account, console, start, end)
    return [task for task in found if start.replace(microsecond=0) <= task.submitted_at <= end] if is_whole else None


async def tasks_seen(account: Account, console: Console, start: datetime, end: datetime) -> list[ConsoleTask]:
    """The jobs that can be read of that list, the latest 2,000 at most."""
    return (await _listed(account, console, start, end))[0]


async def _listed(account: Account, console: Console, start: datetime, end: datetime) -> tuple[list[ConsoleTask], bool]:
    """What could be read, and whether that is all."""
    headers = {"Authorization": console.access_token.get_secret_value(), "New-Api-User": console.user_id}
    query = {"start_timestamp": int(start.timestamp()), "end_timestamp": int(end.timestamp()) + 1}
    found: dict[str, ConsoleTask] = {}
    async with _http(account) as http:
        for page in range(1, MOST_PAGES + 1):
            data = await _get(http, account, "/api/task/self", headers, {**query, "p": page, "page_size": PAGE_SIZE})
            tasks, total = _page(data)
            before = len(found)
            found |= {task.task_id: task for task in tasks}
            if len(found) == total:
                return list(found.values()), True
            # A query that failed within the software leaves the rows or the total empty, but still reports success.
            if len(found) == before or total is None or len(found) > total:
                break
    return list(found.values()), False


async def charges_between(account: Account, start: datetime, end: datetime) -> list[Charge] | None:
    """The charges to the API key in that time, from the latest thousand rows of its log, or None if not available.

    The software limits such queries (20 in 20 minutes for one address): query once for all.
    """
    headers = {"Authorization": f"Bearer {account.api_key.get_secret_value()}"}
    async with _http(account) as http:
        rows = await _get(http, account, "/api/log/token", headers, {})
    if not isinstance(rows, list):
        return None
    charges = [_charge(row) for row in rows]
    return [charge for charge in charges if charge and start.replace(microsecond=0) <= charge.created_at <= end]


def _page(data: JsonValue) -> tuple[list[ConsoleTask], int | None]:
    """A page's rows and how many there are on all pages: None unless every row was understood."""
    rows, total = (data.get("items"), data.get("total")) if isinstance(data, dict) else (None, None)
    if not isinstance(rows, list) or not isinstance(total, int):
        return [], None
    tasks = [task for row in rows if (task := _task(row))]
    return tasks, total if len(tasks) == len(rows) else None


def _task(row: JsonValue) -> ConsoleTask | None:
    if not isinstance(row, dict):
        return None
    task_id = first_text(row, ("task_id",))
    submitted_at = first_time(row, ("submit_time", "created_at"))
    if not task_id or submitted_at is None:
        return None
    status = first_text(row, ("status",)).upper()
    return ConsoleTask(
        task_id=task_id,
        submitted_at=submitted_at,
        status=status,
        model=first_text(row, ("properties.origin_model_name",)),
        quota=first_number(row, ("quota",)),
        fail_reason=first_text(row, ("fail_reason",)) if status == "FAILURE" else "",
        prompt=_prompt(first_text(row, ("properties.input",))),
        own_id=first_text(row, ("data.task_info.external_task_id", "data.data.task_info.external_task_id")),
    )


def _prompt(text: str) -> str:
    """Some versions keep the whole request there, as JSON."""
    try:
        request: object = json.loads(text)
    except (ValueError, RecursionError):
        return text
    return first_text(cast("dict[str, JsonValue]", request), ("prompt",)) if isinstance(request, dict) else text


def _charge(row: JsonValue) -> Charge | None:
    if not isinstance(row, dict) or (created_at := first_time(row, ("created_at",))) is None:
        return None
    other = parsed(first_text(row, ("other",)))
    return Charge(
        type=int(first_number(row, ("type",)) or 0),
        created_at=created_at,
        model_name=first_text(row, ("model_name",)),
        quota=first_number(row, ("quota",)),
        content=first_text(row, ("content",)),
        request_id=first_text(row, ("request_id",)),
        task_id=first_text(other, ("task_id",)),
        settled=first_number(other, ("actual_quota",)),
    )


def _http(account: Account) -> httpx.AsyncClient:
    timeout = httpx.Timeout(account.request_seconds, connect=account.connect_seconds)
    return httpx.AsyncClient(timeout=timeout, follow_redirects=False)


async def _get(
    http: httpx.AsyncClient, account: Account, path: str, headers: Mapping[str, str], query: Mapping[str, int]
) -> JsonValue:
    """The `data` of a page that succeeded, or None."""
    url = account.base_url.rstrip("/").removesuffix("/v1") + path
    content = bytearray()
    try:
        # httpx counts its time-outs per read; a slow trickle of bytes could last forever.
        async with (
            asyncio.timeout(account.connect_seconds + account.request_seconds),
            http.stream("GET", url, params=query, headers=headers) as response,
        ):
            if response.status_code != 200:
                return None
            async for chunk in response.aiter_bytes():
                content += chunk
                if len(content) > _MOST_BYTES:
                    return None
        answer: object = json.loads(content)
    except (httpx.HTTPError, httpx.InvalidURL, TimeoutError, ValueError, RecursionError):
        return None
    known = cast("dict[str, JsonValue]", answer) if isinstance(answer, dict) else {}
    return known.get("data") if known.get("success") is True else None
