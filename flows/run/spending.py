"""What a run is about to spend: looked up once, and said before the first submission."""

from collections.abc import Sequence

from prefect_omnivideo.blocks.credentials import GatewayCredentials
from prefect_omnivideo.core.jobs.persist import Log
from prefect_omnivideo.core.prices.book import gather_prices
from prefect_omnivideo.core.prices.estimate import AccountPrices, Estimate, PriceBook, estimate
from prefect_omnivideo.core.prices.learned import learn_costs
from prefect_omnivideo.core.prices.outlook import Outlook, outlook
from prefect_omnivideo.core.records.compact import PackedRecords
from prefect_omnivideo.core.records.repository import Records, name_in
from prefect_omnivideo.core.request import VideoRequest
from prefect_omnivideo.core.storage.base import ObjectStore
from prefect_omnivideo.core.threads import on_records
from prefect_omnivideo.flows.run.fan_out import Accounts
from prefect_omnivideo.tasks.showing import only_shows


async def prices_of(accounts: Sequence[GatewayCredentials], store: ObjectStore) -> PriceBook:
    """What is known about the prices of the accounts of a run.

    Raises:
        RequestError: an account's price file cannot be used.
        StoreUnavailableError: it cannot be read for now.
    """
    lists = {account.account_name: await on_records(account.price_list) for account in accounts}
    known = {name: prices for name, prices in lists.items() if prices}
    with only_shows("the prices of gateways and of earlier videos"):
        return await gather_prices([account.account() for account in accounts], known, store)
    return {name: AccountPrices(prices) for name, prices in known.items()}


async def announce_spending(
    wanted: Sequence[VideoRequest],
    accounts_of: Sequence[Accounts],
    accounts: Sequence[GatewayCredentials],
    book: PriceBook,
    records: Records,
    batch: str,
    log: Log,
) -> Outlook:
    """Log what those videos will cost that the batch has no record of yet, by account.

    Args:
        accounts_of: for each video, the accounts that support it.
    """
    found = Outlook()
    with only_shows("the estimate of the cost"):
        names = await on_records(records.names, batch)
        known = [account.account() for account in accounts]
        pairs = [
            (request, [known[index] for index in sorted(of)])
            for request, of in zip(wanted, accounts_of, strict=True)
            if name_in(batch, request) not in names
        ]
        found = await on_records(outlook, pairs, book)
        for line in found.lines():
            log.info("about to spend %s", line)
    return found


def estimate_of(request: VideoRequest, credentials: GatewayCredentials, book: PriceBook) -> Estimate | None:
    """What the video will cost on the account, if that can be said."""
    with only_shows("the estimate of the cost"):
        return estimate(request, credentials.account(), book)
    return None


async def remember_costs(records: Records, made: PackedRecords) -> None:
    """Keep what the videos of a run did cost, for the estimates of later ones."""
    with only_shows("what videos did cost"):
        await on_records(learn_costs, records.store, (each.record for each in made.packed if each.cost))
