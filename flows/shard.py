"""The flow for one part of a long sheet, started by `generate_sharded` and not by hand."""

from collections.abc import Sequence
from typing import Annotated

from prefect.runtime import flow_run
from pydantic import Field

from prefect_omnivideo.blocks.budget import VideoBudget
from prefect_omnivideo.core.reports.report import BatchReport
from prefect_omnivideo.core.sheets.expansion import OnBadRow
from prefect_omnivideo.flows.run.accounts import as_accounts
from prefect_omnivideo.flows.run.budgets import MaxCost, MaxVideos, Terms, UnknownPrice
from prefect_omnivideo.flows.run.cancelling import report_cancellation
from prefect_omnivideo.flows.run.flow import video_flow
from prefect_omnivideo.flows.run.parameters import AnyAccounts, AnyStore, Seconds, Text
from prefect_omnivideo.flows.sheet import make_sheet


def _run_name() -> str:
    given = flow_run.parameters
    return f"{given['batch']}: videos {given['offset'] + 1} to {given['offset'] + given['limit']}"


@video_flow(name="Generate a shard", flow_run_name=_run_name, on_cancellation=[report_cancellation])
async def generate_shard(
    sheet: str,
    credentials: AnyAccounts,
    store: AnyStore,
    batch: str,
    offset: Annotated[int, Field(ge=0)],
    limit: Annotated[int, Field(ge=1)],
    template: Text = "",
    on_bad_row: OnBadRow = "stop",
    deadline: Seconds = 3600,
    max_cost: MaxCost = "",
    max_videos: MaxVideos = 0,
    budgets: Sequence[VideoBudget] = (),
    unknown_price: UnknownPrice = "highest",
) -> BatchReport:
    """Make a part of the videos of a sheet; the deployment for it is started by Generate sharded.

    Args:
        sheet: Address of the sheet, without placeholders.
        credentials: The account that makes and bills the videos, or several; or their route.
        store: Where the videos and their records are kept.
        batch: Name of the batch, without placeholders.
        offset: Number of videos at the top of the sheet that belong to other shards.
        limit: Largest number of videos of this shard.
        template: Prompt made of columns, such as {product} in {style}. Empty: the column prompt.
        on_bad_row: What to do about a row that cannot be used: stop refuses the whole sheet, skip leaves the row out.
        deadline: Seconds to wait for each video. One that takes longer is collected by the next run of the batch.
        max_cost: Most money that the batch may cost, over all its runs, such as 20 USD or 300 credits. Empty: no limit.
        max_videos: Most videos to submit for the batch, over all its runs. 0: no limit.
        budgets: Saved budgets that this batch shares with others. Empty: none.
        unknown_price: With a limit on money, what a video of unknown price counts as: the highest known price of its
            account, or nothing is submitted (stop). Without any known price nothing is submitted either.

    Returns:
        The state of every video of the shard.

    Raises:
        As `generate_from_sheet`.
    """
    accounts, policy = await as_accounts(credentials)
    terms = Terms(max_cost, max_videos, budgets, unknown_price)
    return await make_sheet(
        sheet, accounts, policy, store, batch, template, on_bad_row, limit, offset, False, deadline, terms
    )
