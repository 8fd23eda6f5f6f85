"""Prefect only: as many task runs as ours, which do nothing. No flow with three tasks per video costs less."""

import asyncio

from prefect import flow, task
from prefect.cache_policies import NO_CACHE

from bench.order import Order, contend


@task(cache_policy=NO_CACHE)
async def nothing(prompt: str) -> str:
    return prompt


def work(order: Order) -> None:
    """Empty submit, poll and store tasks; as many videos at a time as jobs are in flight."""
    slots = asyncio.Semaphore(order.in_flight)

    async def make(prompt: str) -> None:
        async with slots:
            for _ in ("submit", "poll", "store"):
                await nothing(prompt)
                await asyncio.sleep(order.latency / 3)

    @flow
    async def videos(prompts: list[str]) -> None:
        await asyncio.gather(*map(make, prompts))

    asyncio.run(videos(order.prompts))


if __name__ == "__main__":
    contend(work)
