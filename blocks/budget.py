"""The block for a budget that several batches share."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any, ClassVar, Literal, Self

from prefect.blocks.core import Block
from pydantic import Field, field_validator, model_validator

from prefect_omnivideo.blocks.home import documentation, logo
from prefect_omnivideo.blocks.saved import saved_names
from prefect_omnivideo.core.budget.budget import Budget, of_block
from prefect_omnivideo.core.budget.usage import Limit
from prefect_omnivideo.core.errors import refuse
from prefect_omnivideo.core.gateways.registry import gateway_names
from prefect_omnivideo.core.money.amount import Amount

AMOUNT_OR_EMPTY = r"^(\d{1,12}(\.\d{1,12})? ([A-Z]{3}|credits))?$"
"""Pattern of an amount of money in a form; empty: none."""


class VideoBudget(Block):
    """A limit on what batches may spend together: money, or a number of videos, in a day, a month or all time.

    What is spent is kept in the store, so it counts for everything that goes into the same store.

    Example:
        Load a saved budget and keep to it:
        ```python
        from prefect_omnivideo import APIMartCredentials, S3VideoStore, VideoBudget
        from prefect_omnivideo.flows import generate_videos

        budget = await VideoBudget.aload("BLOCK_NAME")
        account, store = await APIMartCredentials.aload("prod"), await S3VideoStore.aload("prod")
        await generate_videos(["a red apple"], account, store, budgets=[budget])
        ```
    """

    _block_type_name = "OmniVideo Budget"
    _block_type_slug = "video-budget"
    _logo_url: ClassVar[Any] = logo("budget", like="secret")
    _documentation_url: ClassVar[Any] = documentation()

    amount: str = Field(
        default="",
        pattern=AMOUNT_OR_EMPTY,
        description="Most money to spend in a period, such as 20 USD or 300 credits, in the unit that the accounts are "
        "billed in. Empty: no limit.",
    )
    videos: int = Field(default=0, ge=0, description="Most videos to submit in a period. 0: no limit.")
    period: Literal["day", "month", "none"] = Field(
        default="day", description="What the limits are for: a day or a month in UTC, or all time (none)."
    )
    accounts: list[str] = Field(
        default=[], description="Names of the credentials blocks whose videos count. Empty: all accounts."
    )

    @field_validator("accounts")
    @classmethod
    def _names(cls, names: list[str]) -> list[str]:
        if not all(name.strip() for name in names):
            raise ValueError("a name is empty: give the names of saved credentials blocks, or no names at all")
        return names

    @model_validator(mode="after")
    def _limits_something(self) -> Self:
        if not self.amount and not self.videos:
            raise ValueError("the budget limits nothing: give an amount such as 20 USD, a number of videos, or both")
        return self

    async def missing_accounts(self, known: Collection[str] = ()) -> list[str]:
        """Names in `accounts` under which no block is saved: nothing would count towards the budget.

        Args:
            known: names of accounts that exist, saved or not.
        """
        unknown = set(self.accounts) - set(known) - set(gateway_names())
        return sorted(unknown - await saved_names()) if unknown else []

    def budget(self, prices: Iterable[Amount] = ()) -> Budget:
        """The budget.

        Args:
            prices: the highest of them is what a video of unknown price counts as.

        Raises:
            RequestError: the block was never saved: it has no name under which its use could be kept.
        """
        name = self._block_document_name
        if not name:
            raise refuse("budgets", "a budget was never saved", "a saved VideoBudget block", subject="parameters")
        return of_block(name, Limit.of(self.amount, self.videos, prices), self.period, self.accounts)
