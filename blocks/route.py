"""The block for several accounts, and when each of them is taken."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any, ClassVar, Literal

from prefect.blocks.core import Block
from pydantic import Field, field_validator

from prefect_omnivideo.blocks.credentials import GatewayCredentials
from prefect_omnivideo.blocks.fields import Matches
from prefect_omnivideo.blocks.home import documentation, logo
from prefect_omnivideo.blocks.saved import BlockError, load_saved
from prefect_omnivideo.core.client.account import Fallback
from prefect_omnivideo.core.routes.order import Policy

AccountName = Annotated[
    str,
    Matches(
        r"^[a-z0-9-]+/[a-z0-9-]+$",
        "an account is given as the kind and the name of its block, such as apimart-credentials/prod",
    ),
]
Droppable = Literal["negative_prompt", "duration", "aspect_ratio", "resolution", "size", "sound", "seed"]
"""Fields that a route may leave out. Without any other one, the video would be a different one."""


class VideoRoute(Block):
    """Several accounts, the order in which they are taken, and when another one makes a video instead.

    Another account is tried only after a certain end: the gateway refused the job before it accepted it, or says in
    documented words that it failed. A job that still runs, or of unknown outcome, is never made a second time.

    Example:
        Load a saved route and make a video with it:
        ```python
        from prefect_omnivideo import S3VideoStore, VideoRoute
        from prefect_omnivideo.flows import generate_videos

        route, store = await VideoRoute.aload("BLOCK_NAME"), await S3VideoStore.aload("prod")
        await generate_videos(["a red apple"], route, store)
        ```
    """

    _block_type_name = "OmniVideo Route"
    _block_type_slug = "video-route"
    _logo_url: ClassVar[Any] = logo("route", like="secret")
    _documentation_url: ClassVar[Any] = documentation()

    accounts: list[AccountName] = Field(
        min_length=1,
        json_schema_extra={"uniqueItems": True},
        description="Saved credentials in their order, each by the kind and the name of its block, such as "
        "apimart-credentials/prod.",
    )
    policy: Policy = Field(
        default="first",
        description="Which account makes a video: the first in this order, one after the other only where it fails "
        "(first), any with room (spread), or the one that costs least by what is known of prices (cheapest).",
    )
    after_moderation: bool = Field(
        default=False,
        description="Send what the content filter of one gateway refused to the next account. Otherwise it fails.",
    )
    may_drop: list[Droppable] = Field(
        default=[],
        description="Fields of a request that may be left out for an account that cannot honour them. Accounts that "
        "honour everything come first. Empty: none, such accounts are not tried.",
    )

    @field_validator("accounts")
    @classmethod
    def _each_once(cls, names: list[str]) -> list[str]:
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"{', '.join(twice)} is named more than once")
        return names

    @property
    def fallback(self) -> Fallback:
        """The rules by which another account is tried."""
        return Fallback(self.after_moderation, frozenset(self.may_drop))

    async def load_accounts(self) -> list[GatewayCredentials]:
        """The credentials of all accounts, in their order.

        Raises:
            BlockError: naming every one that does not exist or cannot be used.
        """
        found: list[GatewayCredentials] = []
        problems: list[str] = []
        for name in self.accounts:
            try:
                block = await asyncio.to_thread(load_saved, {"block_document_slug": name})
            except BlockError as error:
                problems.append(str(error))
                continue
            if isinstance(block, GatewayCredentials):
                found.append(block.on_route(self.fallback))
            else:
                problems.append(f"block {name} is a {type(block).__name__}, not credentials of a gateway")
        if problems:
            route = f"route {self._block_document_name}" if self._block_document_name else "the route"
            raise BlockError(f"{route} cannot be used: {'; '.join(problems)}")
        return found
