"""The command `omnivideo`, and what its subcommands share."""

from __future__ import annotations

import asyncio
import re
import sys
from importlib.metadata import version
from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter

from prefect_omnivideo.core.errors import StoreError
from prefect_omnivideo.core.storage.address import open_store
from prefect_omnivideo.core.storage.base import ObjectStore

if TYPE_CHECKING:
    from prefect.blocks.core import Block

    from prefect_omnivideo.blocks.credentials import GatewayCredentials

NOT_ACCEPTABLE = 2

GatewayName = Annotated[str, Parameter(name=["--gateway", "--provider"])]
_STORE_BLOCK = re.compile(r"(s3|local)-video-store/[\w-]+")

app = App(
    name="omnivideo",
    version=version("prefect-omnivideo"),
    help="Prompt lists to stored videos through AI-video gateways, paying once.",
)


def report_error(reason: str) -> int:
    """Say on standard error why nothing was done; the exit code for that."""
    sys.stderr.write(f"omnivideo: {reason}\n")
    return NOT_ACCEPTABLE


def any_store(store: str, endpoint_url: str | None) -> ObjectStore:
    """The store at an address, or that of a saved block such as `s3-video-store/prod`.

    Raises:
        StoreError: there is none.
    """
    if not _STORE_BLOCK.fullmatch(store):
        return open_store(store, endpoint_url=endpoint_url)
    # Here and not above: an address needs neither Prefect nor the second it takes to import it.
    from prefect_omnivideo.blocks.stores import VideoStore

    block = _saved(store)
    if not isinstance(block, VideoStore):
        raise StoreError(f"{store} is no video store")
    return block.open()


def saved_credentials(slug: str) -> GatewayCredentials:
    """Saved credentials such as `apimart-credentials/prod`.

    Raises:
        StoreError: there are none.
    """
    from prefect_omnivideo.blocks.credentials import GatewayCredentials

    block = _saved(slug)
    if not isinstance(block, GatewayCredentials):
        raise StoreError(f"{slug} is no gateway's credentials, such as apimart-credentials/prod")
    return block


def _saved(slug: str) -> Block:
    from prefect.blocks.core import Block

    from prefect_omnivideo import blocks

    assert blocks  # importing them makes them known to Prefect
    try:
        loaded: Block = asyncio.run(Block.aload(slug))
    except (ValueError, RuntimeError) as error:
        raise StoreError(f"the block {slug} cannot be loaded: {error}") from None
    return loaded
