"""Budgets: `python -m bench.budget kills` kills runs that share one, `python -m bench.budget rate` measures its price.

`kills`: four flow runs at once on one saved budget, two of them killed. The gateway's bill never exceeds the budget,
and the survivors use it up. Exit code 1 otherwise.

`rate`: four processes submit 50 jobs a second, each through the real submission and a store on disk, with and
without a budget.
"""

from __future__ import annotations

import asyncio
import json
import logging
import multiprocessing
import os
import sys
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cyclopts import App
from prefect.settings import PREFECT_API_URL, temporary_settings

from prefect_omnivideo.blocks import APIMartCredentials, LocalVideoStore, VideoBudget
from prefect_omnivideo.core.budget import purse
from prefect_omnivideo.core.budget.budget import of_block
from prefect_omnivideo.core.budget.ledger import Ledger
from prefect_omnivideo.core.budget.spending import Spending
from prefect_omnivideo.core.budget.usage import Limit
from prefect_omnivideo.core.jobs.submit import submit
from prefect_omnivideo.core.records.model import VideoState
from prefect_omnivideo.core.records.repository import Records
from prefect_omnivideo.core.request import VideoRequest
from prefect_omnivideo.core.storage.folder import Folder
from prefect_omnivideo.core.threads import on_records
from prefect_omnivideo.flows import BatchFailedError, generate_videos
from prefect_omnivideo.sandbox import Sandbox, Settings, running

PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(["bench.budget"])
RUNS = 4
LEASE = 8.0
"""Seconds: the survivors need not wait for a minute."""
BUDGET = "shared"
PATIENCE = 300.0

app = App(name="budget", help="Kill runs that share a budget, and measure what a budget costs.")
log = logging.getLogger("bench")


@dataclass(frozen=True)
class Order:
    """What one process does."""

    number: int
    jobs: int
    account: dict[str, Any]
    folder: str
    has_budget: bool = True

    @property
    def prompts(self) -> list[str]:
        """Of this process alone."""
        return [f"run {self.number} prompt {number}" for number in range(self.jobs)]


def run_flow(order: Order) -> None:
    """One flow run, which may be killed."""
    purse.LEASE_SECONDS = LEASE

    async def run() -> None:
        budget = await VideoBudget.aload(BUDGET)
        account, store = APIMartCredentials.model_validate(order.account), LocalVideoStore(folder=Path(order.folder))
        await generate_videos(order.prompts, account, store, batch=f"run-{order.number}", budgets=[budget])

    try:
        asyncio.run(run())
    except BatchFailedError as error:
        print(f"run {order.number}: {error}", file=sys.stderr)


@app.command
def kills(*, videos: int = 24, kills: int = 2, api: str | None = None) -> int:
    """Four flow runs at once on one budget, some of them killed.

    Args:
        videos: The budget.
        kills: Runs to kill, at most three.
        api: Address of a Prefect API to use; that of the profile when left out.
    """
    api = api or PREFECT_API_URL.value()
    if not api:
        sys.exit("start a Prefect server, and give its address with --api")
    os.environ["PREFECT_API_URL"] = api
    with ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="budget-")))
        sandbox = stack.enter_context(running(Settings(latency=1)))
        stack.enter_context(temporary_settings({PREFECT_API_URL: api}))
        VideoBudget(videos=videos, period="none").save(BUDGET, overwrite=True)
        account = _account(sandbox) | {"submissions_per_minute": 90, "jobs_in_flight": 8}
        orders = [Order(number, videos, account, str(home / "videos")) for number in range(RUNS)]
        runs = [PROCESSES.Process(target=run_flow, args=(order,)) for order in orders]
        for run in runs:
            run.start()
        highest, end = 0, time.monotonic() + PATIENCE
        doomed = runs[:kills]
        while any(run.is_alive() for run in runs) and time.monotonic() < end:
            billed = len(sandbox.jobs())
            highest = max(highest, billed)
            if doomed and billed >= videos * (kills - len(doomed) + 1) / (kills + 2):
                doomed.pop(0).kill()
            time.sleep(0.05)
        for run in runs:
            run.kill()
            run.join()
        line = _verdict(sandbox, Records(Folder(home / "videos")), videos) | {"killed": kills - len(doomed)}
    print(json.dumps(line))
    return 0 if line["accepted"] <= videos and line["accepted"] + line["may_have_been_spent"] >= videos - 1 else 1


def _verdict(sandbox: Sandbox, records: Records, videos: int) -> dict[str, int]:
    billed = {job["prompt"] for job in sandbox.jobs()}
    open_ = (VideoState.SUBMITTING, VideoState.UNKNOWN)
    lost = [each for each in records.all() if each.state in open_ and each.request.prompt not in billed]
    page = Ledger(records.store, of_block(BUDGET, Limit(), "none").ledger).open()
    return {
        "budget": videos,
        "accepted": len(sandbox.jobs()),
        "may_have_been_spent": len(lost),
        "in_the_ledger": page.total().videos,
    }


def run_submissions(order: Order, start: Any, took: Any) -> None:
    """Submit videos one after the other, eight at a time, without Prefect."""
    logging.disable(logging.INFO)
    account = APIMartCredentials.model_validate(order.account).account()
    store = Folder(order.folder)
    records, batch = Records(store), f"run-{order.number}"
    budgets = [of_block(BUDGET, Limit(videos=10**6), "none")] if order.has_budget else []

    async def run() -> float:
        store.prove()
        room = asyncio.Semaphore(8)
        async with Spending(budgets, batch, records, log.warning) as spending:

            async def one(prompt: str) -> None:
                async with room:
                    request = VideoRequest(prompt=prompt)
                    if not spending.covers(account.name):
                        await submit(request, account, records, batch, log)
                        return
                    ticket = spending.ticket(account.name, None)
                    if await on_records(records.load, batch, request) is None:
                        await ticket.hold()
                    ticket.saw(await submit(request, account, records, batch, log, ticket=ticket))

            start.wait()
            begin = time.monotonic()
            await asyncio.gather(*map(one, order.prompts))
            return time.monotonic() - begin

    took.put(asyncio.run(run()))


@app.command
def rate(*, jobs: int = 250, per_second: float = 50, repeat: int = 3) -> int:
    """Submissions a second of four processes, with and without a budget.

    Args:
        jobs: Submissions of each process.
        per_second: What they want to submit together; 0: as much as they can.
        repeat: How often to measure each; the best one counts.
    """
    best = {False: 0.0, True: 0.0}
    for _ in range(repeat):
        for has_budget in (False, True):
            best[has_budget] = max(best[has_budget], _rate(jobs, per_second, has_budget))
    line = {
        "without": round(best[False], 1),
        "with": round(best[True], 1),
        "lost": round(1 - best[True] / best[False], 3),
    }
    print(json.dumps(line))
    return 0


def _rate(jobs: int, per_second: float, has_budget: bool) -> float:
    with tempfile.TemporaryDirectory(prefix="budget-") as home, running(Settings(latency=3600)) as sandbox:
        start, took = PROCESSES.Barrier(RUNS), PROCESSES.Queue()
        account = _account(sandbox) | {"submissions_per_minute": round(60 * per_second / RUNS)}
        orders = [Order(number, jobs, account, f"{home}/videos", has_budget) for number in range(RUNS)]
        runs = [PROCESSES.Process(target=run_submissions, args=(order, start, took)) for order in orders]
        for run in runs:
            run.start()
        seconds = [took.get(timeout=PATIENCE) for _ in runs]
        for run in runs:
            run.join()
        return RUNS * jobs / max(seconds)


def _account(sandbox: Sandbox) -> dict[str, Any]:
    return {"api_key": sandbox.key, "base_url": sandbox.base_url("apimart"), "poll_seconds": 0.2}


if __name__ == "__main__":
    app()
