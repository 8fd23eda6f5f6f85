"""Shares one client per account and event loop, and rate limits that outlive it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from weakref import WeakKeyDictionary

from prefect_omnivideo.core.client.account import Account
from prefect_omnivideo.core.client.client import GatewayClient, Rates
from prefect_omnivideo.core.client.clock import Clock
from prefect_omnivideo.core.client.rate_limit import Rate


@dataclass
class _Shared:
    """What all callers of an account on one event loop share. The rate limits outlive the connections."""

    rates: Rates
    clock: Clock
    client: GatewayClient | None = None
    holders: int = 0


_accounts: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[Account, _Shared]] = WeakKeyDictionary()


@asynccontextmanager
async def connect(account: Account) -> AsyncGenerator[GatewayClient]:
    """The account's client on this event loop, shared by all callers, closed when the last one exits."""
    shared = _shared(account)
    client = shared.client = shared.client or GatewayClient(account, shared.rates, shared.clock)
    shared.holders += 1
    try:
        yield client
    finally:
        shared.holders -= 1
        if not shared.holders:
            shared.client = None
            await client.close()


def _shared(account: Account) -> _Shared:
    accounts = _accounts.setdefault(asyncio.get_running_loop(), {})
    if account not in accounts:
        clock = Clock()
        rates = Rates(Rate(account.submissions_per_minute, clock), Rate(None, clock))
        accounts[account] = _Shared(rates, clock)
    return accounts[account]
