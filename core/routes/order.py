"""The order in which the accounts of a route are taken for one request."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

from prefect_omnivideo.core.money.amount import Amount

Policy = Literal["first", "spread", "cheapest"]
"""Which account makes a video: the first that can, any with room, or the one that costs least."""

Accounts = frozenset[int]
"""Positions in a list of credentials."""
Rungs = tuple[Accounts, ...]
"""The accounts that may make a request; those of a rung only while there is none on the rungs before it."""


class Candidate(NamedTuple):
    """An account that can make a request.

    Attributes:
        account: its position.
        dropped: fields of the request that it cannot honour, and that may be left out.
        price: what the video will cost on it; None if that is not known.
    """

    account: int
    dropped: tuple[str, ...] = ()
    price: Amount | None = None


def rungs(policy: Policy, candidates: Sequence[Candidate]) -> Rungs:
    """The order in which accounts are taken; those that honour the whole request always before the others.

    Args:
        candidates: in the order in which the route names them.
    """
    whole = [each for each in candidates if not each.dropped]
    partly = [each for each in candidates if each.dropped]
    if policy == "spread":
        groups = [frozenset(each.account for each in group) for group in (whole, partly)]
        return tuple(group for group in groups if group)
    if policy == "cheapest":
        whole, partly = _by_price(whole), _by_price(partly)
    return tuple(frozenset((each.account,)) for each in (*whole, *partly))


def _by_price(candidates: Sequence[Candidate]) -> list[Candidate]:
    """Cheapest first; at the end, in the given order, those without a price that compares with the first known one."""
    unit = next((each.price.unit for each in candidates if each.price), None)
    known = [each for each in candidates if each.price and each.price.unit == unit]
    known.sort(key=lambda each: each.price.value if each.price else 0)
    return [*known, *(each for each in candidates if each not in known)]
