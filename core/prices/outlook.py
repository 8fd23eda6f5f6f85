"""What a run is about to spend, by account."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from prefect_omnivideo.core.client.account import Account
from prefect_omnivideo.core.money.amount import Amount, total
from prefect_omnivideo.core.prices.estimate import AccountTotal, PriceBook, estimate, total_of
from prefect_omnivideo.core.request import VideoRequest


class Outlook(NamedTuple):
    """What some videos will cost.

    Attributes:
        shares: videos that the same accounts support, with what they cost if all of them are made on each of these.
    """

    shares: tuple[tuple[AccountTotal, ...], ...] = ()

    @property
    def videos(self) -> int:
        """How many they are."""
        return sum(totals[0].videos for totals in self.shares)

    @property
    def accounts(self) -> frozenset[str]:
        """Ids of the accounts that may be charged."""
        return frozenset(each.id for totals in self.shares for each in totals)

    def least(self, account_id: str) -> tuple[Amount, ...]:
        """What the account is charged at least: for videos that no other account supports."""
        return total(
            amount
            for totals in self.shares
            for amount in totals[0].amounts
            if len(totals) == 1 and totals[0].id == account_id
        )

    def lines(self) -> tuple[str, ...]:
        """The same for people: a line for each share."""
        return tuple(" or else ".join(map(str, totals)) for totals in self.shares)


def outlook(requests: Iterable[Sequence[tuple[Account, VideoRequest]]], book: PriceBook) -> Outlook:
    """What requests will cost, each on one of the accounts that support it.

    Args:
        requests: for each of them, those accounts, with the request as each of them is sent it.

    Raises:
        RequestError: one of those accounts cannot honour its request.
    """
    shares: dict[tuple[str, ...], list[Sequence[tuple[Account, VideoRequest]]]] = {}
    for ways in requests:
        shares.setdefault(tuple(account.id for account, _ in ways), []).append(ways)
    return Outlook(
        tuple(
            tuple(
                total_of(
                    same[0][0].name, [estimate(request, account, book) for account, request in same], same[0][0].id
                )
                for same in zip(*members, strict=True)
            )
            for names, members in shares.items()
            if names
        )
    )
