"""The checks behind `omnivideo doctor`; they spend nothing."""

import asyncio
from collections.abc import Sequence

from prefect.blocks.core import Block
from rich.console import Console
from rich.text import Text

# Importing the blocks registers them, so that they can be loaded by their slugs.
from prefect_omnivideo.blocks.credentials import GatewayCredentials
from prefect_omnivideo.blocks.stores import VideoStore
from prefect_omnivideo.core.errors import OmniVideoError, StoreError
from prefect_omnivideo.core.gateways.registry import gateway_names

console = Console(soft_wrap=True)


def examine(slugs: Sequence[str]) -> int:
    """Check saved blocks, such as `apimart-credentials/prod`. Returns 0 if all are usable, otherwise 1."""
    console.print(f"gateways installed: {', '.join(gateway_names())}")
    if not slugs:
        console.print("give saved blocks to check, such as apimart-credentials/prod or s3-video-store/prod")
        return 0
    well = [asyncio.run(_examine(slug)) for slug in slugs]
    return 0 if all(well) else 1


async def _examine(slug: str) -> bool:
    try:
        block: Block = await Block.aload(slug)
    except (OmniVideoError, ValueError, RuntimeError) as error:
        return _say(False, slug, str(error))
    if isinstance(block, GatewayCredentials):
        found = await block.check()
        limits = (
            f"{block.jobs_in_flight} jobs in flight, {block.submissions_per_minute or 'any number of'} submissions a "
            f"minute, {block.requests_in_flight} requests in flight"
        )
        return _say(found.accepted, slug, f"{found.message}; {limits}")
    if isinstance(block, VideoStore):
        try:
            await block.check()
        except StoreError as error:
            return _say(False, slug, str(error))
        well = _say(True, slug, f"{block.open().uri('')} can be written from this machine")
        for danger in await asyncio.to_thread(block.open().dangers):
            console.print(Text("WARNING ", style="yellow") + Text(f"{slug}: {danger}"))
        return well
    return _say(False, slug, f"a {type(block).__name__} is neither credentials for a gateway nor a video store")


def _say(well: bool | None, slug: str, message: str) -> bool:
    mark, style = {True: ("ok", "green"), False: ("FAILS", "red"), None: ("unclear", "yellow")}[well]
    console.print(Text(f"{mark:<8}", style=style) + Text(f"{slug}: {message}"))
    return well is not False
