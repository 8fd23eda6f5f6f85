"""`omnivideo prices`: what is known about the prices of accounts, and where each of them comes from."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from pydantic import SecretStr, ValidationError
from rich.console import Console
from rich.table import Table
from rich.text import Text

from prefect_omnivideo.cli.app import any_store, app, report_error, saved_credentials
from prefect_omnivideo.core.client.account import Account
from prefect_omnivideo.core.errors import OmniVideoError, refuse
from prefect_omnivideo.core.gateways.registry import gateway_names, get_gateway
from prefect_omnivideo.core.money.prices import PriceList
from prefect_omnivideo.core.prices.book import gather_prices
from prefect_omnivideo.core.prices.estimate import AccountPrices, Source, estimate
from prefect_omnivideo.core.request import VideoRequest

_Row = tuple[str, str, str, str, str, str]


@app.command
def prices(
    *,
    block: Sequence[str] = (),
    request: str | None = None,
    store: str | None = None,
    endpoint_url: str | None = None,
) -> int:
    """Show what videos cost, as far as that is known: each price with its source and date. Nothing is spent.

    Args:
        block: Saved credentials, such as apimart-credentials/prod; may be given several times. The public price lists
            of all gateways when left out.
        request: The price of one request only: a prompt request as JSON, or a file that holds it.
        store: Where earlier videos are, whose cost is a source too: s3://bucket/prefix, a folder, or a saved block.
        endpoint_url: Address of an S3-compatible server. Keys and region come from the default AWS chain.
    """
    try:
        wanted = _request(request) if request else None
        saved = [saved_credentials(slug) for slug in block]
        accounts = [each.account() for each in saved] or list(_public())
        lists = {each.account_id: listed for each in saved if (listed := each.price_list())}
        place = any_store(store, endpoint_url) if store else None
        book = asyncio.run(gather_prices(accounts, lists, place))
        found = [row for each in accounts for row in _rows(each, book[each.id], wanted)]
    except OmniVideoError as error:
        return report_error(str(error))
    _show(found)
    return 0


def _request(given: str) -> VideoRequest:
    try:
        text = given if given.lstrip().startswith("{") else Path(given).read_text("utf-8")
        return VideoRequest.model_validate_json(text)
    except OSError as error:
        raise refuse("request", f"{given} cannot be read: {error.strerror}", "JSON, or a file that holds it") from None
    except (ValidationError, UnicodeDecodeError) as error:
        faults = (
            "; ".join(f"{'.'.join(map(str, e['loc'])) or 'request'}: {e['msg']}" for e in error.errors())
            if isinstance(error, ValidationError)
            else "it is not UTF-8"
        )
        raise refuse("request", faults, 'such as {"prompt": "a red apple", "duration": 8}') from None


def _public() -> Iterator[Account]:
    """The gateways at their documented addresses; their public pages need no key."""
    for gateway in map(get_gateway, gateway_names()):
        if gateway.base_url:
            yield Account(gateway, gateway.name, gateway.base_url, SecretStr(""), gateway.routes[0])


def _rows(account: Account, known: AccountPrices, wanted: VideoRequest | None) -> Iterator[_Row]:
    if wanted:
        found = estimate(wanted, account, {account.id: known})
        shown = str(found.amount) if found.amount else "unknown"
        yield account.name, "this request", shown, str(found.source), _text(found.as_of), found.note
        return
    some = False
    for source, listed in ((Source.LIST, known.listed), (Source.GATEWAY, known.gateway)):
        for row in _listed(account, source, listed):
            some = True
            yield row
    for kind, quote in known.learned.items():
        some = True
        seconds = f"{kind.seconds:f} s" if kind.seconds is not None else ""
        sound = {True: "with sound", False: "without sound", None: ""}[kind.sound]
        what = " ".join(filter(None, (kind.model, seconds, kind.resolution, sound)))
        yield account.name, what, str(quote.amount), str(Source.LEARNED), _text(quote.as_of), ""
    if not some:
        yield account.name, "any video", "unknown", "", "", "neither a list nor the gateway tells"


def _listed(account: Account, source: Source, listed: PriceList | None) -> Iterator[_Row]:
    for price in listed.prices if listed else ():
        low, high = price.min_seconds, price.max_seconds
        seconds = {
            (False, False): "",
            (True, False): f"from {low} s",
            (False, True): f"up to {high} s",
            (True, True): f"{low} to {high} s",
        }[low is not None, high is not None]
        sound = {True: "with sound", False: "without sound", None: ""}[price.sound]
        what = " ".join(filter(None, (price.model or "any model", price.resolution, seconds, sound)))
        shown = f"{price.per_video} a video" if price.per_video else f"{price.per_second} a second"
        as_of = price.as_of or (listed.as_of if listed else None)
        yield account.name, what, shown, str(source), _text(as_of), price.note


def _text(value: object) -> str:
    return "" if value is None else str(value)


def _show(rows: Sequence[_Row]) -> None:
    table = Table(box=None, pad_edge=False)
    for column in ("account", "video", "price", "source", "as of", "note"):
        table.add_column(column, no_wrap=column != "note", overflow="fold")
    for row in rows:
        table.add_row(*map(Text, row))
    Console(width=None if sys.stdout.isatty() else 320).print(table)
