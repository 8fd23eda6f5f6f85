"""The accounts of a run: which there are, which can make a request, and in which order they are taken."""

from collections.abc import Callable, Collection, Mapping, Sequence

from prefect_omnivideo.blocks.credentials import GatewayCredentials
from prefect_omnivideo.blocks.route import VideoRoute
from prefect_omnivideo.core.errors import Problem, RequestError, refuse
from prefect_omnivideo.core.money.amount import Amount
from prefect_omnivideo.core.references.plan import check
from prefect_omnivideo.core.request import VideoRequest
from prefect_omnivideo.core.routes.dropping import sent_to
from prefect_omnivideo.core.routes.order import Accounts, Candidate, Policy, Rungs, rungs
from prefect_omnivideo.core.storage.base import ObjectStore


async def as_accounts(
    given: GatewayCredentials | Sequence[GatewayCredentials] | VideoRoute,
) -> tuple[list[GatewayCredentials], Policy]:
    """One account, several, or those of a route; and the policy by which they are taken.

    Raises:
        RequestError: there is none.
        BlockError: an account of the route cannot be used.
    """
    if isinstance(given, VideoRoute):
        return await given.load_accounts(), given.policy
    accounts = [given] if isinstance(given, GatewayCredentials) else list(given)
    if not accounts:
        raise refuse("credentials", "the list is empty", "at least one account", subject="parameters")
    return accounts, "spread"


def eligible(
    requests: Sequence[VideoRequest],
    credentials: Sequence[GatewayCredentials],
    store: ObjectStore | None = None,
    only: Mapping[str, Accounts] | None = None,
) -> list[Accounts]:
    """For each request, the accounts whose gateway supports it, including its references.

    Args:
        store: where the videos go. None: whether local files can go through it is not checked.
        only: the accounts that a request may go to, by its key; all if it is not among them.

    Raises:
        RequestError: naming every request that none of them supports, and why; nothing was sent.
    """
    problems: list[Problem] = []
    found: list[Accounts] = []
    for number, request in enumerate(requests, start=1):
        allowed = sorted((only or {}).get(request.key, range(len(credentials))))
        refusals: dict[int, RequestError] = {}
        for index in allowed:
            try:
                account = credentials[index].account()
                check(sent_to(account, request, store).request, account, store)
            except RequestError as error:
                refusals[index] = error
        if len(refusals) == len(allowed):
            problems += [
                problem._replace(field=f"{credentials[index].gateway.title}, {problem.field}", item=f"prompt {number}")
                for index, error in refusals.items()
                for problem in error.problems
            ]
        found.append(frozenset(index for index in allowed if index not in refusals))
    if problems:
        raise RequestError(problems, subject="prompts")
    return found


def rungs_of(
    request: VideoRequest,
    able: Collection[int],
    credentials: Sequence[GatewayCredentials],
    policy: Policy,
    price: Callable[[VideoRequest, GatewayCredentials], Amount | None],
) -> Rungs:
    """The order in which accounts are taken for a request.

    Args:
        able: the accounts that can make it.
        price: what the video will cost on an account.
    """
    return rungs(
        policy,
        [
            Candidate(
                index,
                sent_to(credentials[index].account(), request).dropped,
                price(request, credentials[index]) if policy == "cheapest" else None,
            )
            for index in sorted(able)
        ],
    )
