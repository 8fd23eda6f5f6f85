"""Ours without Prefect: the same life of every video, called directly. The difference is what task runs cost."""

import asyncio
import logging
from itertools import repeat

from bench.order import Order, contend
from bench.ours import credentials, store
from prefect_omnivideo.flows.fanout import fan_out
from prefect_omnivideo.providers.request import VideoRequest
from prefect_omnivideo.store.records import Records
from prefect_omnivideo.tasks.delivery import deliver
from prefect_omnivideo.tasks.submission import submit
from prefect_omnivideo.tasks.waiting import wait

LOG = logging.getLogger(__name__)


def work(order: Order) -> None:
    """One batch."""
    account, records = credentials(order), Records(store(order).open())

    async def make(prompt: str, _: object) -> None:
        record = await submit(VideoRequest(prompt=prompt), account.account(), records, order.batch, LOG)
        job = await wait(record, account.account(), 3600, LOG)
        await deliver(record, job, account.account(), records, LOG)

    asyncio.run(fan_out(zip(order.prompts, repeat(frozenset({0})), strict=False), [account], make))


if __name__ == "__main__":
    contend(work)
