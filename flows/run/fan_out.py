"""Distributes videos over accounts: each is kept busy, and memory grows with the jobs in flight, not with the list."""

import asyncio
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import TypeVar

from prefect_omnivideo.blocks.credentials import GatewayCredentials
from prefect_omnivideo.core.errors import BudgetReachedError, NoBalanceError, UnauthorizedError
from prefect_omnivideo.core.routes.order import Accounts, Rungs

T = TypeVar("T")
Kind = tuple[Rungs, str]
"""What items are alike in: the accounts that may make them, and the model they are for."""
ACCOUNT_ERRORS = (NoBalanceError, UnauthorizedError)
"""Refusals that concern the account, not the request: another account may accept it."""


class MovesOnError(Exception):
    """An account did not make an item, and its route goes on with the next one.

    Attributes:
        reason: why; what is reported if there is no other account.
    """

    def __init__(self, reason: Exception) -> None:
        super().__init__(str(reason))
        self.reason = reason


async def fan_out(
    work: Iterable[tuple[T, Rungs]],
    credentials: Sequence[GatewayCredentials],
    make: Callable[[T, GatewayCredentials], Awaitable[None]],
    *,
    give_up: Callable[[T, Exception], None],
    model: Callable[[T], str] = lambda item: "",
    rests: Callable[[int], bool] = lambda index: False,
) -> None:
    """Make every item with one of its accounts, as many at a time as each account allows.

    An account takes the next item when it has room, so a slow gateway never delays a fast one. An item waits for the
    accounts of its first rung, as long as there are any. An account that refuses an item for a reason of its own
    (`ACCOUNT_ERRORS`: nothing was spent) gets no more of that kind, and the item goes to the others. So does an item
    that an account did not make (`MovesOnError`), or for which a budget has no room on that account.

    Args:
        make: raises nothing but `ACCOUNT_ERRORS`, `MovesOnError` and `BudgetReachedError`.
        give_up: called with each item that no account is left for, and the last refusal.
        model: the model that an item is for; a key may be valid for some models only.
        rests: whether an account is passed over for now, as long as there is another.
    """
    waiting: dict[Kind, deque[T]] = {}
    for item, rungs in work:
        waiting.setdefault((rungs, model(item)), deque()).append(item)
    busy: Counter[int] = Counter()
    out: set[tuple[int, str | None]] = set()
    """Accounts that get no more items: none at all, or none of a model."""

    def serving(kind: Kind) -> Accounts:
        """The accounts that items of this kind wait for: those left of the first rung that has any."""
        rungs, name = kind
        left = [frozenset(i for i in rung if out.isdisjoint({(i, None), (i, name)})) for rung in rungs]
        awake = [frozenset(i for i in rung if not rests(i)) for rung in left]
        return next((accounts for accounts in (*awake, *left) if accounts), Accounts())

    def take(index: int) -> Kind | None:
        # Items that the fewest accounts can make go first: the others have a choice.
        mine = [kind for kind, queue in waiting.items() if queue and index in serving(kind)]
        return min(mine, key=lambda kind: sum(map(len, kind[0]))) if mine else None

    def again(kind: Kind, item: T, error: Exception) -> None:
        """Another account is to make the item, if there is one."""
        if serving(kind):
            waiting.setdefault(kind, deque()).append(item)
        else:
            give_up(item, error)

    def exclude(index: int, name: str, error: Exception) -> None:
        """Give an account no more; items that no account is left for are given up."""
        out.add((index, name if isinstance(error, UnauthorizedError) and error.http_status != 401 else None))
        for kind, queue in waiting.items():
            if not serving(kind):
                while queue:
                    give_up(queue.popleft(), error)

    async with asyncio.TaskGroup() as group:

        async def run(index: int, kind: Kind, item: T) -> None:
            rungs, name = kind
            others = tuple(rung - {index} for rung in rungs)
            try:
                await make(item, credentials[index])
            except ACCOUNT_ERRORS as error:
                exclude(index, name, error)
                again(kind, item, error)
            except MovesOnError as error:
                again((others, name), item, error.reason)
            except BudgetReachedError as error:
                again((others, name), item, error)
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
