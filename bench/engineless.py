"""Ours without Prefect: the same steps for every video, called directly. The difference is the cost of task runs."""

import asyncio
import logging
from itertools import repeat

from bench.order import Order, contend
from bench.ours import credentials, store
from prefect_omnivideo.core.jobs.deliver import deliver
from prefect_omnivideo.core.jobs.submit import submit
from prefect_omnivideo.core.jobs.wait import wait
from prefect_omnivideo.core.records.repository import Records
from prefect_omnivideo.core.request import VideoRequest
from prefect_omnivideo.flows.run.fan_out import fan_out

LOG = logging.getLogger(__name__)


def work(order: Order) -> None:
    """One batch."""
    account, records = credentials(order), Records(store(order).open())

    async def make(prompt: str, _: object) -> None:
        record = await submit(VideoRequest(prompt=prompt), account.account(), records, order.batch, LOG)
        job = await wait(record, account.account(), 3600, LOG)
        await deliver(record, job, account.account(), records, LOG)

    def give_up(prompt: str, error: Exception) -> None:
        raise error

    asyncio.run(fan_out(zip(order.prompts, repeat((frozenset({0}),)), strict=False), [account], make, give_up=give_up))


if __name__ == "__main__":
    contend(work)
