"""Limits that hold across workers, and the limits of one run, counted at the gateway."""

import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import GlobalConcurrencyLimitCreate

from prefect_omnivideo import LocalVideoStore
from prefect_omnivideo.flows import generate_videos
from prefect_omnivideo.flows.run.limits import limit_name
from prefect_omnivideo.sandbox import Sandbox
from tests.accounts import credentials

pytestmark = pytest.mark.usefixtures("prefect_server")


def most_at_a_time(sandbox: Sandbox) -> int:
    """The largest number of jobs that were being made at the same moment."""
    jobs = sandbox.jobs()
    return max(sum(other["accepted_at"] <= job["accepted_at"] < other["finished_at"] for other in jobs) for job in jobs)


async def test_jobs_in_flight_are_those_of_the_account(sandbox: Sandbox, store: LocalVideoStore) -> None:
    sandbox.reset()
    await generate_videos([f"job {n}" for n in range(9)], credentials(sandbox, "jimmyai", jobs_in_flight=3), store)
    assert most_at_a_time(sandbox) == 3


async def test_a_global_limit_holds_an_account_down(sandbox: Sandbox, store: LocalVideoStore) -> None:
    sandbox.reset()
    account = credentials(sandbox, "apimart")
    assert limit_name(account) == "omnivideo-apimart-apimart"
    async with get_client() as client:
        await client.create_global_concurrency_limit(GlobalConcurrencyLimitCreate(name=limit_name(account), limit=1))
        try:
            report = await generate_videos(["one", "two", "three"], account, store)
        finally:
            await client.delete_global_concurrency_limit_by_name(limit_name(account))
    assert len(report.stored) == 3
    assert most_at_a_time(sandbox) == 1
