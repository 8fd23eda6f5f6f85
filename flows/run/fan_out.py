"""Distributes videos over accounts: each is kept busy, and memory grows with the jobs in flight, not with the list."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import TypeVar

from prefect_omnivideo.blocks.credentials import GatewayCredentials
from prefect_omnivideo.core.errors import Problem, RequestError
from prefect_omnivideo.core.references.plan import check
from prefect_omnivideo.core.request import VideoRequest
from prefect_omnivideo.core.storage.base import ObjectStore

T = TypeVar("T")
Accounts = frozenset[int]
"""Positions in a list of credentials."""


def eligible(
    requests: Sequence[VideoRequest], credentials: Sequence[GatewayCredentials], store: ObjectStore | None = None
) -> list[Accounts]:
    """For each request, the accounts whose gateway supports it, including its references.

    Args:
        store: where the videos go. None: whether local files can go through it is not checked.

    Raises:
        RequestError: naming every request that none of them supports, and why; nothing was sent.
    """
    problems: list[Problem] = []
    found: list[Accounts] = []
    for number, request in enumerate(requests, start=1):
        refusals: dict[int, RequestError] = {}
        for index, account in enumerate(credentials):
            try:
                check(request, account.account(), store)
            except RequestError as error:
                refusals[index] = error
        if len(refusals) == len(credentials):
            problems += [
                Problem(f"prompt {number}, {credentials[index].gateway.title}, {field}", rule, accepted)
                for index, error in refusals.items()
                for field, rule, accepted in error.problems
            ]
        found.append(frozenset(index for index in range(len(credentials)) if index not in refusals))
    if problems:
        raise RequestError(problems, subject="prompts")
    return found


async def fan_out(
    work: Iterable[tuple[T, Accounts]],
    credentials: Sequence[GatewayCredentials],
    make: Callable[[T, GatewayCredentials], Awaitable[None]],
) -> None:
    """Make every item with one of its accounts, as many at a time as each account allows.

    An account takes the next item when it has capacity, so a slow gateway never delays a fast one.
    """
    waiting: dict[Accounts, deque[T]] = {}
    for item, accounts in work:
        waiting.setdefault(accounts, deque()).append(item)
    total = sum(map(len, waiting.values()))

    def take(index: int) -> deque[T] | None:
        # Items that the fewest accounts can make go first: the others have a choice.
        mine = [accounts for accounts, queue in waiting.items() if queue and index in accounts]
        return waiting[min(mine, key=len)] if mine else None

    async def serve(index: int) -> None:
        while (queue := take(index)) is not None:
            await make(queue.popleft(), credentials[index])

    async with asyncio.TaskGroup() as group:
        for slot in range(min(total, max(account.jobs_in_flight for account in credentials))):
            for index, account in enumerate(credentials):
                if slot < account.jobs_in_flight:
                    group.create_task(serve(index))
