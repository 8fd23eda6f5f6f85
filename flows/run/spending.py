"""What a run is about to spend: looked up once, and said before the first submission."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from prefect.runtime import flow_run

from prefect_omnivideo.blocks.credentials import GatewayCredentials
from prefect_omnivideo.core.client.account import Account
from prefect_omnivideo.core.errors import refuse
from prefect_omnivideo.core.jobs.persist import Log
from prefect_omnivideo.core.money.amount import Amount
from prefect_omnivideo.core.prices.book import gather_prices
from prefect_omnivideo.core.prices.estimate import AccountPrices, Estimate, PriceBook, estimate
from prefect_omnivideo.core.prices.learned import learn_costs
from prefect_omnivideo.core.prices.outlook import Outlook, outlook
from prefect_omnivideo.core.records.compact import PackedRecords
from prefect_omnivideo.core.records.repository import Records, name_in, record_name
from prefect_omnivideo.core.request import VideoRequest
from prefect_omnivideo.core.routes.dropping import sent_to, ways
from prefect_omnivideo.core.routes.fallback import may_submit
from prefect_omnivideo.core.routes.order import Accounts
from prefect_omnivideo.core.storage.base import ObjectStore
from prefect_omnivideo.core.threads import on_records
from prefect_omnivideo.flows.run.balances import balances_of, name_of, told
from prefect_omnivideo.flows.run.naming import SHARD_TAG
from prefect_omnivideo.tasks.showing import only_shows


async def prices_of(accounts: Sequence[GatewayCredentials], store: ObjectStore) -> PriceBook:
    """What is known about the prices of the accounts of a run.

    Raises:
        RequestError: an account's price file cannot be used.
        StoreUnavailableError: it cannot be read for now.
    """
    lists = {account.account_id: await on_records(account.price_list) for account in accounts}
    known = {name: prices for name, prices in lists.items() if prices}
    with only_shows("the prices of gateways and of earlier videos"):
        return await gather_prices([account.account() for account in accounts], known, store)
    return {name: AccountPrices(prices) for name, prices in known.items()}


class Announced(NamedTuple):
    """What a run said before its first submission.

    Attributes:
        lines: what it is about to spend, by account, and the balances; for the report.
        balances: of the accounts that may be charged, by their ids, where a page tells it.
    """

    lines: tuple[str, ...] = ()
    balances: Mapping[str, Amount] = MappingProxyType({})


async def announce_spending(
    wanted: Sequence[VideoRequest],
    accounts_of: Sequence[Accounts],
    accounts: Sequence[GatewayCredentials],
    book: PriceBook,
    records: Records,
    batch: str,
    log: Log,
) -> Announced:
    """Log what those videos will cost that the run may submit, and the balance, by account.

    A shard says nothing: the run that started it has, for the whole sheet.

    Args:
        accounts_of: for each video, the accounts that support it.

    Raises:
        RequestError: an account has less than the estimate, and its credentials require a sufficient balance.
    """
    if SHARD_TAG in flow_run.tags:
        return Announced()
    found = Outlook()
    with only_shows("the estimate of the cost"):
        known = [account.account() for account in accounts]
        makers = [[known[index] for index in sorted(of)] for of in accounts_of]
        done = await on_records(settled_keys, records, batch, wanted, makers)
        pairs = [ways(request, able) for request, able in zip(wanted, makers, strict=True) if request.key not in done]
        found = await on_records(outlook, pairs, book)
    lines = [f"about to spend {line}" for line in found.lines()]
    balances, short = await balances_before(accounts, found)
    lines += told(balances)
    for line in lines:
        log.info("%s", line)
    for line in short.values():
        log.warning("%s", line)
    refused = [short[each.account_id] for each in accounts if each.require_balance and each.account_id in short]
    if refused:
        raise refuse("require_balance", "; ".join(refused), "more balance, or fewer videos", subject="balance")
    return Announced((*lines, *short.values()), balances)


def settled_keys(
    records: Records, batch: str, wanted: Sequence[VideoRequest], makers: Sequence[Sequence[Account]]
) -> frozenset[str]:
    """Keys of the videos that the batch has and submits to none of their accounts again.

    One whose record cannot be read is among them.
    """
    names = {name_in(batch, request): able for request, able in zip(wanted, makers, strict=True)}
    has = records.names(batch)
    here = names.keys() & has
    again = {
        record.key
        for record in (records.batch(batch, lambda _: None, besides=has - here) if here else ())
        if any(may_submit(record, account) for account in names.get(record_name(record), ()))
    }
    return frozenset(request.key for request in wanted if name_in(batch, request) in has) - again


async def balances_before(
    accounts: Sequence[GatewayCredentials], expected: Outlook
) -> tuple[dict[str, Amount], dict[str, str]]:
    """The balances of accounts that may be charged, and what is said of those too small, by the ids of accounts."""
    balances: dict[str, Amount] = {}
    short: dict[str, str] = {}
    with only_shows("the balances"):
        balances = await balances_of(each.account() for each in accounts if each.account_id in expected.accounts)
        for account_id, left in balances.items():
            name = name_of(account_id)
            needed = next((each for each in expected.least(account_id) if each.unit == left.unit), None)
            if needed and left.value < needed.value:
                short[account_id] = f"account {name} has {left} left, and this run is about to spend {needed} on it"
    return balances, short


def estimate_of(request: VideoRequest, credentials: GatewayCredentials, book: PriceBook) -> Estimate | None:
    """What the video will cost on the account, if that can be said."""
    with only_shows("the estimate of the cost"):
        account = credentials.account()
        return estimate(sent_to(account, request).request, account, book)
    return None


async def remember_costs(records: Records, made: PackedRecords) -> None:
    """Keep what the videos of a run did cost, for the estimates of later ones."""
    with only_shows("what videos did cost"):
        await on_records(learn_costs, records.store, (each.record for each in made.packed if each.cost))
