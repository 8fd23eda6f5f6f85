"""The price page of a new-api gateway: read without a key, in little time, or not at all."""

import asyncio
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prefect_omnivideo.core.money.prices import Kind
from prefect_omnivideo.core.prices import fetch
from prefect_omnivideo.core.prices.pages import gateway_prices, read_page
from prefect_omnivideo.sandbox import Sandbox
from tests.accounts import credentials


@pytest.mark.parametrize(
    ("gateway", "model", "price"),
    [
        ("12ai", "omni_flash-10s", "0.45 USD"),
        ("omnirouters", "veo-3.1", "1.20 USD"),
        ("sora", "gemini-omni", "0.35 USD"),
    ],
)
async def test_the_page_of_the_sandbox_is_read(gateway: str, model: str, price: str, sandbox: Sandbox) -> None:
    prices = await gateway_prices(credentials(sandbox, gateway).account())
    assert prices is not None
    quote = prices.quote(Kind(model))
    assert (str(quote.amount), quote.as_of is not None) == (price, True)
    assert quote.note == "before factors for length or size, which the page does not tell"


@pytest.mark.parametrize("gateway", ["apimart", "jimmyai"])
async def test_a_gateway_without_such_a_page_is_not_asked(gateway: str, sandbox: Sandbox) -> None:
    assert await gateway_prices(credentials(sandbox, gateway).account()) is None
    assert sandbox.stats()["gateways"][gateway].get("prices", 0) == 0


def page(*rows: dict[str, Any], **groups: Any) -> dict[str, Any]:
    return {"success": True, "data": [*rows], **groups}


ROW = {"model_name": "veo", "quota_type": 1, "model_price": 0.1}


@pytest.mark.parametrize(
    ("row", "ratios", "amount"),
    [
        ({}, {"default": 1}, "0.10 USD"),
        ({}, {"default": 3}, "0.30 USD"),
        ({}, {}, "0.10 USD"),
        ({"enable_groups": ["vip"]}, {"default": 1, "vip": 0.5}, "0.05 USD"),
        ({"enable_groups": ["default", "vip"]}, {"default": 1.1, "vip": 0.5}, "0.11 USD"),
        ({"enable_groups": ["a", "b"]}, {"default": 1, "a": 2, "b": 2}, "0.20 USD"),
        ({"enable_groups": ["all"]}, {"default": 1, "vip": 0.5}, "0.10 USD"),
        ({"enable_groups": ["a", "b"]}, {"a": 2, "b": 3}, None),
        ({"enable_groups": ["a"]}, {"b": 3}, None),
        ({"quota_type": 0, "model_ratio": 2}, {"default": 1}, None),
        ({"billing_expr": "tier(1)"}, {"default": 1}, None),
        ({"model_price": -1}, {"default": 1}, None),
        ({"model_price": "0.1"}, {"default": 1}, None),
        ({"model_name": 5}, {"default": 1}, None),
    ],
)
def test_a_price_counts_with_the_factor_of_its_group(
    row: dict[str, Any], ratios: dict[str, Any], amount: str | None
) -> None:
    """Where the group of the key decides, that of most keys counts, and it is said so; else nothing is guessed."""
    prices = read_page(page({**ROW, **row}, group_ratio=ratios))
    quote = prices.quote(Kind("veo")) if prices else None
    assert (str(quote.amount) if quote else None) == amount
    if quote and len(set(ratios.values())) > 1 and row.get("enable_groups") in (["all"], ["default", "vip"]):
        assert quote.note.startswith("for a key of the group default; ")


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=5) | st.sampled_from(["success", "data"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["model_name", "quota_type", "model_price", "enable_groups", "group_ratio", "x"]), inner
        )
    ),
    max_leaves=12,
)


GIVEN = {name: st.just(value) for name, value in ROW.items()}


@given(rows=st.lists(JSON | st.fixed_dictionaries({**GIVEN, "enable_groups": JSON}), max_size=4), ratios=JSON)
def test_no_page_breaks_a_run(rows: list[Any], ratios: Any) -> None:
    read_page({"success": True, "data": rows, "group_ratio": ratios})
    read_page(ratios)


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n<!DOCTYPE",
        b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 302 Found\r\nLocation: http://other.example/\r\nContent-Length: 0\r\n\r\n",
        b"nonsense",
        b"",
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nslow",  # and silence
    ],
)
async def test_a_failing_page_costs_little_time_and_tells_nothing(
    answer: bytes, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetch, "PATIENCE", 0.3)
    heard: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(answer)
        await writer.drain()
        if answer.endswith(b"slow"):
            await asyncio.sleep(5)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
        account = credentials(sandbox, "sora").model_copy(update={"base_url": url}).account()
        async with asyncio.timeout(3):
            assert await gateway_prices(account) is None
    assert heard[0].startswith(b"GET /api/pricing HTTP/1.1")
    assert b"authorization" not in heard[0].lower()
    assert account.api_key.get_secret_value().encode() not in heard[0]


def test_a_page_of_the_public_software_is_read() -> None:
    """As its struct is written, with what a video does not need."""
    text = """{"success":true,"data":[{"model_name":"sora-2","icon":"","tags":"","vendor_id":1,"quota_type":1,
    "model_ratio":0,"model_price":0.3,"owner_by":"","completion_ratio":0,"enable_groups":["default","vip"],
    "supported_endpoint_types":["openai-video"],"pricing_version":"5a90"},{"model_name":"gpt-5","quota_type":0,
    "model_ratio":0.625,"model_price":0,"owner_by":"","completion_ratio":8,"enable_groups":["default"],
    "supported_endpoint_types":["openai"]}],"vendors":[],"group_ratio":{"default":1,"vip":1},"usable_group":{},
    "supported_endpoint":{},"auto_groups":["default"],"pricing_version":"a42d"}"""
    prices = read_page(json.loads(text))
    assert prices is not None
    assert [(price.model, str(price.per_video)) for price in prices.prices] == [("sora-2", "0.30 USD")]
