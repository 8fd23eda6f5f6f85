"""Gathers what is known about the prices of some accounts: once for a run."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from prefect_omnivideo.core.client.account import Account
from prefect_omnivideo.core.errors import StoreError
from prefect_omnivideo.core.money.prices import Kind, PriceList, Quote
from prefect_omnivideo.core.prices.estimate import AccountPrices, PriceBook
from prefect_omnivideo.core.prices.learned import Place, learned
from prefect_omnivideo.core.prices.pages import gateway_prices
from prefect_omnivideo.core.storage.base import ObjectStore
from prefect_omnivideo.core.threads import on_records


async def gather_prices(
    accounts: Sequence[Account], lists: Mapping[str, PriceList], store: ObjectStore | None = None
) -> PriceBook:
    """What is known about the prices of the accounts. What cannot be looked up is not known.

    Args:
        lists: the accounts' own price lists, by id.
        store: where earlier videos are; None if nothing is to be learned from them.
    """
    pages, known = await asyncio.gather(asyncio.gather(*map(gateway_prices, accounts)), _learned(store))
    return {
        account.id: AccountPrices(
            listed=lists.get(account.id),
            gateway=page,
            learned=known.get((account.gateway.name, account.base_url), {}),
        )
        for account, page in zip(accounts, pages, strict=True)
    }


async def _learned(store: ObjectStore | None) -> Mapping[Place, Mapping[Kind, Quote]]:
    try:
        return await on_records(learned, store) if store else {}
    except StoreError:
        return {}
