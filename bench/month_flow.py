"""One scheduled run of the month, in a process of its own, with the clock of its day."""

import asyncio
import logging
import sys
from dataclasses import dataclass
from datetime import datetime, timedelta
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from prefect_omnivideo.blocks import APIMartCredentials, LocalVideoStore, OmniRoutersCredentials, VideoBudget
from prefect_omnivideo.core.budget import purse
from prefect_omnivideo.core.client import poll_schedule
from prefect_omnivideo.core.records import model
from prefect_omnivideo.flows import BatchFailedError, generate_from_sheet
from prefect_omnivideo.flows.run.parameters import AnyCredentials
from prefect_omnivideo.tasks import poll_apimart_video, poll_omnirouters_video, store_video

BATCH = "month"
LEASE_SECONDS = 4.0
"""Runs of the same moment need not wait for a minute for what a killed one held."""
PAUSES = [1.0, 3.0]
"""Seconds between the tries of a task; in real life 5 and 30."""
LONGEST_PAUSE = 3.0
"""Seconds between two looks at a job of the day before; in real life 30."""


@dataclass(frozen=True)
class Order:
    """What one run is given, in a form that can be sent between processes."""

    ahead: float
    """Seconds that its clock is ahead of this machine's; in the past: below 0."""
    sheet: str
    folder: str
    budget: str
    """Name of the saved budget."""
    apimart: dict[str, Any]
    omnirouters: dict[str, Any]


def run_flow(order: Order, said: Connection) -> None:
    """Send `None` when the flow is about to start, and at the end the name of the error and its message, if any."""
    logging.getLogger("stamina").setLevel(logging.CRITICAL)
    purse.LEASE_SECONDS = LEASE_SECONDS
    poll_schedule.LONGEST_PAUSE = LONGEST_PAUSE
    for task in (store_video, poll_apimart_video, poll_omnirouters_video):
        task.retry_delay_seconds = PAUSES
    set_clock(order.ahead)
    said.send(None)
    try:
        asyncio.run(_generate(order))
    except BatchFailedError as error:
        said.send((type(error).__name__, str(error)))
    except Exception as error:  # any error is sent to the parent
        said.send((type(error).__name__, f"unexpected: {error}"))
    else:
        said.send(("Completed", ""))


async def _generate(order: Order) -> None:
    accounts: list[AnyCredentials] = [
        APIMartCredentials.model_validate(order.apimart),
        OmniRoutersCredentials.model_validate(order.omnirouters),
    ]
    budget = await VideoBudget.aload(order.budget)
    store = LocalVideoStore(folder=Path(order.folder))
    await generate_from_sheet(order.sheet, accounts, store, batch=BATCH, deadline=60, budgets=[budget])


def set_clock(ahead: float) -> None:
    """Move the clock that records and budgets go by, in every module that has it; it runs on at its usual speed.

    Prefect and the leases, which are measured by the uptime of the machine, keep theirs.
    """
    real, shift = model.now, timedelta(seconds=ahead)

    def now() -> datetime:
        return real() + shift

    for name, module in list(sys.modules.items()):
        if name.startswith("prefect_omnivideo.") and vars(module).get("now") is real:
            vars(module)["now"] = now
