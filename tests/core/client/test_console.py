"""Reading a gateway's console: everything or nothing, and the credentials to the account's own address alone."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Generator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from prefect_omnivideo.blocks import SoraCompatibleCredentials
from prefect_omnivideo.core.client.account import Account
from prefect_omnivideo.core.client.console import (
    MOST_PAGES,
    Charge,
    Console,
    ConsoleTask,
    charges_between,
    tasks_between,
    tasks_seen,
)
from prefect_omnivideo.sandbox import Sandbox, Settings, running
from tests.accounts import credentials
from tests.core.client.server import Received, answer, serving

FAMILY = ("12ai", "omnirouters", "sora")
MODELS = {"12ai": "omni_flash-10s", "omnirouters": "Kling-3.0-omni", "sora": "sora-2"}
QUOTAS = {"12ai": 225_000, "omnirouters": 450_000, "sora": 175_000}
CONSOLE = Console(SecretStr("sandbox-access-token"), "1")
START, END = datetime(2026, 1, 1, tzinfo=UTC), datetime(2030, 1, 1, tzinfo=UTC)
ROW = {
    "task_id": "task_1",
    "submit_time": 1_790_000_000,
    "status": "SUCCESS",
    "quota": 500000,
    "fail_reason": "https://cdn.example/a.mp4?X-Amz-Signature=secret",
    "properties": {"input": "", "origin_model_name": "sora-2"},
    "data": None,
}


@pytest.fixture(scope="module")
def sandbox() -> Generator[Sandbox]:
    with running(Settings(latency=3600)) as sandbox:
        yield sandbox


def submit(sandbox: Sandbox, gateway: str, count: int = 1, **fields: Any) -> None:
    headers = {"Authorization": f"Bearer {sandbox.key}"}
    with httpx.Client(base_url=sandbox.base_url(gateway), headers=headers) as http:
        for number in range(count):
            http.post("/v1/videos", json={"model": MODELS[gateway], "prompt": f"pear {number}", **fields})


def account(url: str, **settings: Any) -> Account:
    given = {"api_key": "sk-key", "base_url": url, **settings}
    return SoraCompatibleCredentials.model_validate(given).account()


@pytest.mark.parametrize("gateway", FAMILY)
async def test_all_jobs_and_charges_of_the_sandbox_are_read(gateway: str, sandbox: Sandbox) -> None:
    sandbox.reset()
    submit(sandbox, gateway, 3)
    mine = credentials(sandbox, gateway).account()
    now = datetime.now(UTC)
    tasks = await tasks_between(mine, CONSOLE, now - timedelta(minutes=1), now)
    assert tasks is not None
    assert {task.task_id for task in tasks} == {job["id"] for job in sandbox.jobs()}
    assert {task.model for task in tasks} == {MODELS[gateway]}
    assert {task.prompt for task in tasks} == ({"pear 0", "pear 1", "pear 2"} if gateway == "omnirouters" else {""})
    assert all(abs((task.submitted_at - now).total_seconds()) < 10 for task in tasks)
    assert await tasks_between(mine, CONSOLE, now - timedelta(days=2), now - timedelta(days=1)) == []
    charges = await charges_between(mine, now - timedelta(minutes=1), now)
    assert charges is not None
    assert [(charge.type, charge.model_name, charge.quota) for charge in charges] == [
        (2, MODELS[gateway], QUOTAS[gateway])
    ] * 3


async def test_more_than_a_page_is_read_to_the_end(sandbox: Sandbox) -> None:
    sandbox.reset()
    submit(sandbox, "12ai", 205)
    tasks = await tasks_between(credentials(sandbox, "12ai").account(), CONSOLE, START, END)
    assert tasks is not None
    assert len(tasks) == len({task.task_id for task in tasks}) == 205


async def test_the_callers_own_id_is_found(sandbox: Sandbox) -> None:
    sandbox.reset()
    submit(sandbox, "sora", external_task_id="0123456789abcdef")
    tasks = await tasks_between(credentials(sandbox, "sora").account(), CONSOLE, START, END)
    assert tasks is not None
    assert tasks[0].own_id == "0123456789abcdef"


@pytest.mark.parametrize("gateway", ["apimart", "jimmyai"])
async def test_a_gateway_without_a_console_tells_nothing(gateway: str, sandbox: Sandbox) -> None:
    mine = credentials(sandbox, gateway).account()
    assert await tasks_between(mine, CONSOLE, START, END) is None
    assert await charges_between(mine, START, END) is None


@pytest.mark.parametrize(
    "console",
    [
        Console(SecretStr("wrong"), "1"),
        Console(SecretStr("sandbox-access-token"), "2"),
        Console(SecretStr("bad\ntoken"), "1"),
        Console(SecretStr("schlüssel"), "1"),
    ],
)
async def test_wrong_credentials_tell_nothing(console: Console, sandbox: Sandbox) -> None:
    assert await tasks_between(credentials(sandbox, "sora").account(), console, START, END) is None
    wrong = credentials(sandbox, "sora", api_key="sk-wrong").account()
    assert await charges_between(wrong, START, END) is None


def page(*rows: object, total: object = None) -> dict[str, Any]:
    return {"success": True, "data": {"items": list(rows), "total": len(rows) if total is None else total}}


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, "<html>not found</html>"),
        (200, ""),
        (200, "[" * 100_000),
        (200, json.dumps({"success": True, "data": None})),
        (200, json.dumps({"success": True, "data": [ROW]})),
        (200, json.dumps({"success": False, "message": "access token 无效"})),
        (200, json.dumps({"data": {"items": [ROW], "total": 1}})),
        (200, json.dumps({"success": True, "data": {"items": [ROW]}})),
        (200, json.dumps({"success": True, "data": {"items": None, "total": 0}})),
        (200, json.dumps(page(ROW, {"task_id": "task_2"}))),  # a row that cannot be placed in time
        (200, json.dumps(page(ROW, {"submit_time": 1_790_000_000}))),  # a row without an id
        (200, json.dumps(page(ROW, "x"))),
        (200, json.dumps(page(ROW, total=2))),  # always the same page
        (200, json.dumps(page(total=5))),  # its own query failed
        (200, json.dumps(page(ROW, total=0))),  # its own count failed
        (401, json.dumps({"success": False, "message": "x"})),
        (404, json.dumps(page(ROW))),
        (429, ""),
        (500, "x"),
    ],
    ids=lambda value: str(value)[:60],
)
async def test_what_is_not_told_in_full_is_not_told(status: int, body: str) -> None:
    async def reply(_: Received, writer: asyncio.StreamWriter) -> None:
        data = body.encode()
        writer.write(f"HTTP/1.1 {status} X\r\nContent-Length: {len(data)}\r\n\r\n".encode() + data)
        await writer.drain()

    async with serving(reply) as server:
        assert await tasks_between(account(server.url), CONSOLE, START, END) is None
        assert await charges_between(account(server.url), START, END) in (None, [])


async def test_a_listing_without_end_is_given_up() -> None:
    async def reply(request: Received, writer: asyncio.StreamWriter) -> None:
        number = request.path.partition("&p=")[2].partition("&")[0]
        await answer(writer, 200, page(ROW | {"task_id": f"task_{number}"}, total=1000))

    async with serving(reply) as server:
        assert await tasks_between(account(server.url), CONSOLE, START, END) is None
        assert len(server.received) == MOST_PAGES
        seen = await tasks_seen(account(server.url), CONSOLE, START, END)
        assert [task.task_id for task in seen] == [f"task_{number}" for number in range(1, MOST_PAGES + 1)]


async def test_nobody_there_and_nothing_coming_tell_nothing() -> None:
    assert await tasks_between(account("http://127.0.0.1:9"), CONSOLE, START, END) is None

    async def stall(_: Received, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n")
        for _ in range(100):
            writer.write(b" ")
            await writer.drain()
            await asyncio.sleep(0.05)

    async with serving(stall) as server:
        slow = account(server.url, request_seconds=0.2)
        assert await tasks_between(slow, CONSOLE, START, END) is None
        assert await charges_between(slow, START, END) is None


async def test_the_credentials_go_to_the_accounts_own_address_and_each_to_its_page() -> None:
    async with serving() as elsewhere:

        async def redirect(_: Received, writer: asyncio.StreamWriter) -> None:
            await answer(writer, 302, {}, Location=f"{elsewhere.url}/api/task/self")

        async with serving(redirect) as server:
            mine = account(f"{server.url}/v1")
            assert await tasks_between(mine, CONSOLE, START, END) is None
            assert await charges_between(mine, START, END) is None
            tasks, charges = server.received
        assert elsewhere.received == []
    assert tasks.path.startswith("/api/task/self?start_timestamp=")
    assert tasks.headers["authorization"] == "sandbox-access-token"
    assert tasks.headers["new-api-user"] == "1"
    assert charges.path == "/api/log/token"
    assert charges.headers["authorization"] == "Bearer sk-key"
    assert "new-api-user" not in charges.headers


async def test_rows_of_other_versions_are_read_and_show_no_secret() -> None:
    rows = [
        ROW,
        {"task_id": 7, "created_at": "1790000001", "properties": {"input": json.dumps({"prompt": "a pear"})}},
        ROW | {"task_id": "c", "submit_time": 1_790_000_002_000, "status": "failure", "fail_reason": "moderated"},
    ]

    async def reply(_: Received, writer: asyncio.StreamWriter) -> None:
        await answer(writer, 200, page(*rows))

    async with serving(reply) as server:
        tasks = await tasks_between(account(server.url), CONSOLE, START, END)
    moment = datetime.fromtimestamp(1_790_000_000, UTC)
    assert tasks is not None
    assert tasks[0] == ConsoleTask("task_1", moment, "SUCCESS", "sora-2", 500_000.0)
    assert tasks[1] == ConsoleTask("7", moment + timedelta(seconds=1), prompt="a pear")
    assert tasks[2].fail_reason == "moderated"
    assert tasks[2].submitted_at == moment + timedelta(seconds=2)
    assert "secret" not in repr(tasks)


async def test_charges_tell_what_they_know() -> None:
    row = {
        "type": 2,
        "created_at": 1_790_000_000,
        "model_name": "sora-2",
        "quota": 5,
        "content": "x",
        "request_id": "r",
    }

    async def reply(_: Received, writer: asyncio.StreamWriter) -> None:
        settled = row | {"request_id": "", "other": json.dumps({"task_id": "task_1", "actual_quota": 9})}
        await answer(writer, 200, {"success": True, "data": [row, "x", {"type": 1}, settled]})

    async with serving(reply) as server:
        charges = await charges_between(account(server.url), START, END)
    moment = datetime.fromtimestamp(1_790_000_000, UTC)
    assert charges == [
        Charge(2, moment, "sora-2", 5.0, "x", "r"),
        Charge(2, moment, "sora-2", 5.0, "x", "", "task_1", 9.0),
    ]


def test_the_access_token_shows_nowhere() -> None:
    assert "sandbox-access-token" not in repr(CONSOLE) + str(replace(CONSOLE, user_id="2"))
