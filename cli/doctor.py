"""The checks behind `omnivideo doctor`; they spend nothing."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress

from prefect.client.orchestration import get_client
from prefect.exceptions import ObjectNotFound
from rich.console import Console
from rich.text import Text

# Importing the blocks registers them, so that they can be loaded by their slugs.
from prefect_omnivideo import blocks
from prefect_omnivideo.blocks.budget import VideoBudget
from prefect_omnivideo.blocks.credentials import GatewayCredentials
from prefect_omnivideo.blocks.route import VideoRoute
from prefect_omnivideo.blocks.saved import BlockError, load_saved
from prefect_omnivideo.blocks.stores import VideoStore
from prefect_omnivideo.core.errors import StoreError
from prefect_omnivideo.core.gateways.registry import gateway_names

console = Console(soft_wrap=True)


def examine(slugs: Sequence[str]) -> int:
    """Check saved blocks, such as `apimart-credentials/prod`: those given, or all of this package.

    Returns:
        0 if all are usable, otherwise 1.
    """
    console.print(f"gateways installed: {', '.join(gateway_names())}")
    found = list(slugs) or _saved()
    if not found:
        console.print("no block is saved yet: save credentials and a store under Blocks in the Prefect UI")
    well = [asyncio.run(_examine(slug)) for slug in found]
    return 0 if all(well) else 1


def _saved() -> list[str]:
    """Every saved block whose type is one of this package."""
    found: list[str] = []
    with get_client(sync_client=True) as client:
        for kind in sorted(getattr(blocks, name).get_block_type_slug() for name in blocks.__all__):
            with suppress(ObjectNotFound):  # the type is not registered
                client.read_block_type_by_slug(kind)
                documents = client.read_block_documents_by_type(kind, include_secrets=False)
                found += [f"{kind}/{document.name}" for document in documents if document.name]
    return found


async def _examine(slug: str) -> bool:
    try:
        block = await asyncio.to_thread(load_saved, {"block_document_slug": slug})
    except BlockError as error:
        return _say(False, str(error))
    if isinstance(block, GatewayCredentials):
        found = await block.check()
        limits = (
            f"{block.jobs_in_flight} jobs in flight, {block.submissions_per_minute or 'any number of'} submissions a "
            f"minute, {block.requests_in_flight} requests in flight"
        )
        return _say(found.accepted, f"{slug}: {found.message}; {limits}")
    if isinstance(block, VideoStore):
        try:
            await block.check()
        except StoreError as error:
            return _say(False, f"{slug}: {error}")
        well = _say(True, f"{slug}: {block.open().uri('')} can be written from this machine")
        for danger in await asyncio.to_thread(block.open().dangers):
            console.print(Text("WARNING ", style="yellow") + Text(f"{slug}: {danger}"))
        return well
    if isinstance(block, VideoRoute):
        try:
            accounts = await block.load_accounts()
        except BlockError as error:
            return _say(False, f"{slug}: {error}")
        return _say(True, f"{slug}: {block.policy} of {len(accounts)} accounts, all of which are saved")
    if isinstance(block, VideoBudget):
        if missing := await block.missing_accounts():
            return _say(
                False, f"{slug} counts the videos of {', '.join(missing)}, and no block is saved under such a name"
            )
        return _say(True, f"{slug}: {block.budget()}")
    return _say(False, f"{slug} is a {type(block).__name__}: it is not of this package")


def _say(well: bool | None, message: str) -> bool:
    mark, style = {True: ("ok", "green"), False: ("FAILS", "red"), None: ("unclear", "yellow")}[well]
    console.print(Text(f"{mark:<8}", style=style) + Text(message))
    return well is not False
