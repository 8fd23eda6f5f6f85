"""Jobs in flight across workers: a global concurrency limit of the Prefect server, applied if it exists."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager, suppress

from prefect.client.orchestration import get_client
from prefect.concurrency.asyncio import concurrency
from prefect.exceptions import ObjectNotFound

from prefect_omnivideo.blocks.credentials import GatewayCredentials


def limit_name(account: GatewayCredentials) -> str:
    """Name of the limit for an account: `omnivideo-<gateway>-<block name>`.

    `prefect gcl create omnivideo-apimart-prod --limit 50` limits all workers together to 50 jobs.
    """
    return f"omnivideo-{account.gateway.name}-{account.account_name}"


async def limited(accounts: Sequence[GatewayCredentials]) -> frozenset[str]:
    """Names of the limits that exist for these accounts."""
    found: set[str] = set()
    async with get_client() as client:
        for name in map(limit_name, accounts):
            with suppress(ObjectNotFound):
                await client.read_global_concurrency_limit_by_name(name)
                found.add(name)
    return frozenset(found)


@asynccontextmanager
async def slot(account: GatewayCredentials, limits: frozenset[str]) -> AsyncGenerator[None]:
    """A slot of the account's limit for one job; no wait if there is no limit."""
    if limit_name(account) not in limits:
        yield
        return
    # A renewal that fails must not stop a job that is paid for.
    async with concurrency(limit_name(account), strict=True, raise_on_lease_renewal_failure=False):
        yield
