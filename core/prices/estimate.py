"""What videos will cost, each amount with its source."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum

from prefect_omnivideo.core.client.account import Account
from prefect_omnivideo.core.money.amount import Amount, told, total
from prefect_omnivideo.core.money.prices import Kind, PriceList, Quote
from prefect_omnivideo.core.prices.kind import kind_of
from prefect_omnivideo.core.request import VideoRequest


class Source(StrEnum):
    """Where an amount comes from, best first."""

    LIST = "price list"
    """The account's own price list: of its credentials, or of a file."""
    GATEWAY = "gateway"
    """The gateway's public list."""
    LEARNED = "earlier videos"
    """What videos of that kind did cost, by the records of the store."""
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Estimate:
    """What one video will cost; no amount if nothing tells."""

    amount: Amount | None
    source: Source
    as_of: date | None = None
    """When that was the price, if the source says so."""
    note: str = ""
    """Why there is no amount, or what it leaves open; a phrase."""


@dataclass(frozen=True)
class AccountPrices:
    """What is known about the prices of one account, best source first.

    Attributes:
        listed: the account's own price list.
        gateway: the gateway's public list.
        learned: what the last videos did cost, by kind.
    """

    listed: PriceList | None = None
    gateway: PriceList | None = None
    learned: Mapping[Kind, Quote] = field(default_factory=dict[Kind, Quote])


PriceBook = Mapping[str, AccountPrices]
"""What is known about prices, by the id of the account; gathered once for a run."""


def estimate(request: VideoRequest, account: Account, book: PriceBook) -> Estimate:
    """What the video will cost on that account, from the best source that has a price for it.

    Raises:
        RequestError: the account's gateway cannot honour the request.
    """
    known, kind = book.get(account.id, AccountPrices()), kind_of(request, account.gateway)
    reason = ""
    for source, prices in ((Source.LIST, known.listed), (Source.GATEWAY, known.gateway)):
        if prices is None:
            continue
        quote = prices.quote(kind)
        if quote.amount is not None:
            return Estimate(quote.amount, source, quote.as_of, quote.note)
        reason = reason or quote.note
    learned = known.learned.get(kind)
    if learned:
        return Estimate(learned.amount, Source.LEARNED, learned.as_of)
    return Estimate(None, Source.UNKNOWN, note=reason or f"nothing tells the price of {kind.model}")


@dataclass(frozen=True)
class AccountTotal:
    """What some videos will cost on one account.

    Attributes:
        videos: how many they are.
        amounts: what those with a known price cost together, one amount for each unit.
        learned: the part of it that is only derived from what earlier videos did cost.
        public: the part of it that is by the gateway's public list, which leaves factors open.
        unknown: how many have no known price; their cost comes on top.
        id: of the account; several may have the same name.
    """

    account: str
    videos: int
    amounts: tuple[Amount, ...]
    learned: tuple[Amount, ...]
    public: tuple[Amount, ...]
    unknown: int
    id: str = ""

    def __str__(self) -> str:
        """Such as "12.50 USD for 40 videos on account prod, 2.50 USD of it estimated from earlier videos"."""
        count = f"{self.videos} video{'' if self.videos == 1 else 's'} on account {self.account}"
        if self.unknown == self.videos:
            return f"unknown for {count}"
        parts = [f"{told(self.amounts)} for {count}"]
        if self.learned:
            parts.append(f"{told(self.learned)} of it estimated from earlier videos")
        if self.public:
            parts.append(f"{told(self.public)} of it by the gateway's public list, before factors for length or size")
        if self.unknown:
            parts.append(f"without {self.unknown} of them whose price is unknown")
        return ", ".join(parts)


def total_of(account: str, estimates: Iterable[Estimate], account_id: str = "") -> AccountTotal:
    """The sum of estimates on one account."""
    given: Sequence[Estimate] = tuple(estimates)
    return AccountTotal(
        account=account,
        videos=len(given),
        amounts=total(each.amount for each in given if each.amount),
        learned=_from(Source.LEARNED, given),
        public=_from(Source.GATEWAY, given),
        unknown=sum(each.amount is None for each in given),
        id=account_id,
    )


def _from(source: Source, estimates: Iterable[Estimate]) -> tuple[Amount, ...]:
    return total(each.amount for each in estimates if each.amount and each.source is source)
