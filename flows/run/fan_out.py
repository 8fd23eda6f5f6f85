"""Distributes videos over accounts: each is kept busy, and memory grows with the jobs in flight, not with the list."""

import asyncio
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import TypeVar

from prefect_omnivideo.blocks.credentials import GatewayCredentials
from prefect_omnivideo.core.errors import BudgetReachedError, NoBalanceError, Problem, RequestError, UnauthorizedError
from prefect_omnivideo.core.references.plan import check
from prefect_omnivideo.core.request import VideoRequest
from prefect_omnivideo.core.storage.base import ObjectStore

T = TypeVar("T")
Accounts = frozenset[int]
"""Positions in a list of credentials."""
ACCOUNT_ERRORS = (NoBalanceError, UnauthorizedError)
"""Refusals that concern the account, not the request: another account may accept it."""


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
                problem._replace(field=f"{credentials[index].gateway.title}, {problem.field}", item=f"prompt {number}")
                for index, error in refusals.items()
                for problem in error.problems
            ]
        found.append(frozenset(index for index in range(len(credentials)) if index not in refusals))
    if problems:
        raise RequestError(problems, subject="prompts")
    return found


async def fan_out(
    work: Iterable[tuple[T, Accounts]],
    credentials: Sequence[GatewayCredentials],
    make: Callable[[T, GatewayCredentials], Awaitable[None]],
    *,
    give_up: Callable[[T, Exception], None],
    model: Callable[[T], str] = lambda item: "",
) -> None:
    """Make every item with one of its accounts, as many at a time as each account allows.

    An account takes the next item when it has room, so a slow gateway never delays a fast one. An account that
    refuses an item for a reason of its own (`ACCOUNT_ERRORS`: nothing was spent) gets no more of that kind, and the
    item goes to the others. So does an item for which a budget has no room on that account.

    Args:
        make: raises nothing but `ACCOUNT_ERRORS` and `BudgetReachedError`.
        give_up: called with each item that no account is left for, and the last refusal.
        model: the model that an item is for; a key may be valid for some models only.
    """
    waiting: dict[tuple[Accounts, str], deque[T]] = {}
    for item, accounts in work:
        waiting.setdefault((accounts, model(item)), deque()).append(item)
    busy: Counter[int] = Counter()
    rested: set[tuple[int, str | None]] = set()
    """Accounts that get no more items: none at all, or none of a model."""

    def serves(index: int, accounts: Accounts, name: str) -> bool:
        return index in accounts and rested.isdisjoint({(index, None), (index, name)})

    def take(index: int) -> tuple[Accounts, str] | None:
        # Items that the fewest accounts can make go first: the others have a choice.
        mine = [kind for kind, queue in waiting.items() if queue and serves(index, *kind)]
        return min(mine, key=lambda kind: len(kind[0])) if mine else None

    def rest(index: int, name: str, error: Exception) -> None:
        """Exclude accounts; items that no account is left for are given up."""
        rested.add((index, name if isinstance(error, UnauthorizedError) and error.http_status != 401 else None))
        for kind, queue in waiting.items():
            if not any(serves(other, *kind) for other in kind[0]):
                while queue:
                    give_up(queue.popleft(), error)

    async with asyncio.TaskGroup() as group:

        async def run(index: int, kind: tuple[Accounts, str], item: T) -> None:
            try:
                await make(item, credentials[index])
            except ACCOUNT_ERRORS as error:
                waiting[kind].append(item)
                rest(index, kind[1], error)
            except BudgetReachedError as error:
                others = (kind[0] - {index}, kind[1])
                if any(serves(other, *others) for other in others[0]):
                    waiting.setdefault(others, deque()).append(item)
                else:
                    give_up(item, error)
            busy[index] -= 1
            fill()

        def fill() -> None:
            """Give every account with room its next item, round robin."""
            free = set(range(len(credentials)))
            while free:
                for index in sorted(free):
                    kind = take(index) if busy[index] < credentials[index].jobs_in_flight else None
                    if kind is None:
                        free.remove(index)
                    else:
                        busy[index] += 1
                        group.create_task(run(index, kind, waiting[kind].popleft()))

        fill()
