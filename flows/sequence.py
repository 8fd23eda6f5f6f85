"""The flow for storyboards: shots that continue each other, joined into one video."""

from collections.abc import Sequence
from typing import Annotated

from prefect.runtime import flow_run
from pydantic import Field

from prefect_omnivideo.blocks.budget import VideoBudget
from prefect_omnivideo.core.records.batch import filled
from prefect_omnivideo.core.reports.report import BatchReport
from prefect_omnivideo.core.request import VideoRequest
from prefect_omnivideo.core.sheets.source import name_of
from prefect_omnivideo.core.storyboards.reading import boards_of, read_storyboards
from prefect_omnivideo.core.storyboards.storyboard import ONLY_ONE, Shot, Storyboard
from prefect_omnivideo.core.threads import on_records
from prefect_omnivideo.flows.batch import run_batch
from prefect_omnivideo.flows.run.accounts import as_accounts
from prefect_omnivideo.flows.run.approval import AskAbove
from prefect_omnivideo.flows.run.budgets import MaxCost, MaxVideos, Terms, UnknownPrice
from prefect_omnivideo.flows.run.cancelling import report_cancellation
from prefect_omnivideo.flows.run.ending import BatchFailedError, whereabouts
from prefect_omnivideo.flows.run.flow import video_flow
from prefect_omnivideo.flows.run.naming import Origin, batch_from, moment_of_run, origin_of_run
from prefect_omnivideo.flows.run.parameters import AnyAccounts, AnyStore, Seconds, Text
from prefect_omnivideo.flows.run.shots import Shots
from prefect_omnivideo.flows.sheet import file_at
from prefect_omnivideo.tasks.events import open_records

Mixed = list[str | Shot | VideoRequest]
# A form shows a union as tabs named by the titles, and only a list of one type as input fields.
Storyboards = (
    Annotated[str, Field(title="file")]
    | Annotated[list[str], Field(title="texts")]
    | Annotated[list[Shot], Field(title="shots")]
    | Annotated[Mixed, Field(title="mixed")]
    | Annotated[dict[str, Mixed], Field(title="several")]
)


def _run_name() -> str:
    shots: Storyboards = flow_run.parameters["shots"]
    batch = flow_run.parameters.get("batch")
    if isinstance(shots, str):
        what = name_of(shots)
    else:
        what = f"{len(shots)} {'storyboards' if isinstance(shots, dict) else 'shots'}"
    return f"sequence: {what} for {batch}" if batch else f"sequence: {what} of {moment_of_run():%Y-%m-%d %H:%M} UTC"


@video_flow(name="Generate sequence", flow_run_name=_run_name, on_cancellation=[report_cancellation])
async def generate_sequence(
    shots: Storyboards,
    credentials: AnyAccounts,
    store: AnyStore,
    batch: Text = "",
    remake_stale: bool = False,
    re_encode: bool = False,
    deadline: Seconds = 3600,
    max_cost: MaxCost = "",
    max_videos: MaxVideos = 0,
    budgets: Sequence[VideoBudget] = (),
    unknown_price: UnknownPrice = "highest",
    ask_above: AskAbove = "",
) -> BatchReport:
    """Make shots that continue each other, and join them into one video.

    Run again with the same batch to go on at the first shot that is missing. Nothing is paid twice.

    Args:
        shots: The shots in their order; each continues the one before it. A file or sheet with a column shot (a path
            on the worker, an https:// URL or s3://bucket/key); texts; shots with key, predecessor and any field of a
            request; or several storyboards by name, which are made side by side.
        credentials: The account that makes and bills the videos, or several: each takes whole storyboards, as only the
            account that made a shot can extend it. Or a saved route, which says when each of its accounts is taken.
        store: Where the videos and their records are kept.
        batch: Name of the batch, such as Autumn campaign, or a template such as daily-{date}. Empty: a new batch,
            named by the id of this run, or of the outermost one around it. The same shot in the same batch is made and
            paid once.
        remake_stale: Make shots anew, and pay for them, that continue what was made anew since. Otherwise they are
            only marked.
        re_encode: Encode shots again that cannot be joined as they are. Otherwise they are not joined, with the reason.
        deadline: Seconds to wait for each video. One that takes longer is collected by the next run of the batch.
        max_cost: Most money that the batch may cost, over all its runs, such as 20 USD or 300 credits. Empty: no limit.
        max_videos: Most videos to submit for the batch, over all its runs. 0: no limit.
        budgets: Saved budgets that this batch shares with others. Empty: none.
        unknown_price: With a limit on money, what a video of unknown price counts as: the highest known price of its
            account, or nothing is submitted (stop). Without any known price nothing is submitted either.
        ask_above: Ask a person, through a form of this UI, before submitting more than so much at once: 20 USD, 300
            credits or 50 videos. A cost that is not known is more. Empty: never ask.

    Returns:
        The state of every shot, and in `.sequences` the joined videos with their cut points.

    Raises:
        RequestError: a storyboard cannot be made by any of the accounts, or a budget cannot be kept; nothing was
            submitted.
        StoreError: the store cannot be read or written; nothing was submitted.
        BatchIncompleteError: a shot was paid for and is not in the store yet: it still runs, or could not be
            stored. The run ends as Incomplete, which is a failure; the next one continues.
        BatchFailedError: a shot failed or has an unknown outcome, and what follows it was not made; or the shots could
            not be joined. The report is in `.report`.
        BatchStoppedError: shots were left out as a budget is reached, or as nobody approved them. The run ends as
            Budget reached, Trial made or Stopped, which are failures; the next one continues.
    """
    (accounts, policy), origin = await as_accounts(credentials), await origin_of_run()
    name, boards = batch_from(origin, batch), await _boards(shots, store, origin)
    terms = Terms(max_cost, max_videos, budgets, unknown_price, ask_above)
    plan = await Shots.plan(boards, accounts, name, open_records(store), remake_stale=remake_stale)
    plan.re_encode = re_encode
    report = await run_batch(plan.requests, accounts, store, name, deadline, terms, policy=policy, shots=plan)
    if problems := [
        f"Storyboard {each.storyboard} is not joined: {each.problem}." for each in report.sequences if each.problem
    ]:
        advice = "The shots are stored. Run again with re_encode to encode them again; it pays for nothing."
        raise BatchFailedError(f"{report.summary()} {' '.join(problems)} {advice}{whereabouts(report)}", report)
    return report


async def _boards(shots: Storyboards, store: AnyStore, origin: Origin) -> list[Storyboard]:
    if isinstance(shots, str):
        location = filled(shots.strip(), origin.moment, field="shots")
        return await on_records(lambda: read_storyboards(file_at(location, store)))
    if isinstance(shots, dict):
        return boards_of(shots)
    return boards_of({ONLY_ONE: shots})
