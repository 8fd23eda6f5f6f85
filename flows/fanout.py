"""Many videos at once: every account is kept busy, and memory grows with the jobs in flight, not with the list."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence

from prefect_omnivideo.blocks.credentials import GatewayCredentials
from prefect_omnivideo.providers.errors import Problem, RequestError
from prefect_omnivideo.providers.native import translate
from prefect_omnivideo.providers.request import VideoRequest


def eligible(requests: Sequence[VideoRequest], credentials: Sequence[GatewayCredentials]) -> list[frozenset[int]]:
    """For each request, the accounts (by position) whose gateway can honour it.

    Raises:
        RequestError: naming every request that none of them can honour, and why; nothing was sent.
    """
    problems: list[Problem] = []
    found: list[frozenset[int]] = []
    for number, request in enumerate(requests, start=1):
        refusals: dict[int, RequestError] = {}
        for index, account in enumerate(credentials):
            try:
                translate(account.provider, request)
            except RequestError as error:
                refusals[index] = error
        if len(refusals) == len(credentials):
            problems += [
                Problem(f"prompt {number}, {credentials[index].provider.title}, {field}", rule, accepted)
                for index, error in refusals.items()
                for field, rule, accepted in error.problems
            ]
        found.append(frozenset(index for index in range(len(credentials)) if index not in refusals))
    if problems:
        raise RequestError(problems, subject="prompts")
    return found


async def fan_out(
    requests: Sequence[VideoRequest],
    credentials: Sequence[GatewayCredentials],
    make: Callable[[VideoRequest, GatewayCredentials], Awaitable[None]],
) -> None:
    """Make every request with one of the accounts that can honour it, as many at a time as each account allows.

    An account takes the next request when it has room, so a slow gateway never holds up a fast one.
    """
    waiting: dict[frozenset[int], deque[VideoRequest]] = {}
    for request, accounts in zip(requests, eligible(requests, credentials), strict=True):
        waiting.setdefault(accounts, deque()).append(request)

    def take(index: int) -> VideoRequest | None:
        # Those that fewest accounts can make go first: the others have a choice.
        for accounts in sorted((a for a, queue in waiting.items() if queue and index in a), key=len):
            return waiting[accounts].popleft()
        return None

    async def work(index: int) -> None:
        while (request := take(index)) is not None:
            await make(request, credentials[index])

    async with asyncio.TaskGroup() as group:
        for slot in range(min(len(requests), max(account.jobs_in_flight for account in credentials))):
            for index, account in enumerate(credentials):
                if slot < account.jobs_in_flight:
                    group.create_task(work(index))
