"""A list of prompts, fanned out over one or several accounts."""

from prefect import flow
from prefect.logging import get_run_logger
from prefect.runtime import flow_run

from prefect_omnivideo.blocks.credentials import GatewayCredentials
from prefect_omnivideo.flows.fanout import eligible, fan_out
from prefect_omnivideo.flows.naming import batch_of_run
from prefect_omnivideo.flows.parameters import AnyCredentials, AnyStore
from prefect_omnivideo.flows.video import make_video
from prefect_omnivideo.providers.errors import OmniVideoError, Problem, RequestError
from prefect_omnivideo.providers.request import VideoRequest, as_request
from prefect_omnivideo.store.gallery import gallery
from prefect_omnivideo.store.record import VideoRecord
from prefect_omnivideo.store.records import Records
from prefect_omnivideo.store.report import BatchReport
from prefect_omnivideo.tasks.threads import on_records


class BatchFailedError(OmniVideoError):
    """Some videos of a batch failed or have an unknown outcome. The others are stored.

    Attributes:
        report: what became of every video.
    """

    def __init__(self, message: str, report: BatchReport) -> None:
        super().__init__(message)
        self.report = report


def _run_name() -> str:
    parameters = flow_run.parameters
    return f"{len(parameters['prompts'])} prompts for {parameters.get('batch') or 'a batch of their own'}"


@flow(name="Generate videos", flow_run_name=_run_name)
async def generate_videos(
    prompts: list[str | VideoRequest],
    credentials: AnyCredentials | list[AnyCredentials],
    store: AnyStore,
    batch: str | None = None,
    deadline: float = 3600,
) -> BatchReport:
    """Make a list of videos and keep them in the store, paying once for each whatever happens in between.

    Run again with the same batch, and only what is missing is submitted; what still runs is collected.

    Args:
        prompts: What the videos show: prompts, or full requests.
        credentials: The account that makes and bills the videos, or several: each takes the next prompt it can honour
            as soon as it has room.
        store: Where the videos and their records are kept.
        batch: Name of the batch, or a template such as daily-{date}. Empty: the id of this run. The same request in
            the same batch is made and paid once.
        deadline: Seconds to wait for each video. One that takes longer is picked up by the next run of the batch.

    Returns:
        What became of every video.

    Raises:
        RequestError: a prompt that no account can honour; nothing was submitted.
        StoreError: the store cannot be written; nothing was submitted.
        BatchFailedError: a video failed or has an unknown outcome; the report is in `.report`.
    """
    log = get_run_logger()
    accounts = list(credentials) if isinstance(credentials, list) else [credentials]
    if not prompts or not accounts:
        missing = "credentials" if prompts else "prompts"
        raise RequestError([Problem(missing, "the list is empty", "at least one")], subject="parameters")
    name = batch_of_run(batch)
    requests = list({request.key: request for request in map(as_request, prompts)}.values())
    if len(requests) < len(prompts):
        log.warning(
            "%d prompts are repeated and made once; give them a different take to get several videos",
            len(prompts) - len(requests),
        )
    eligible(requests, accounts)
    records = Records(store.open())
    await on_records(records.store.check)
    log.info("batch %s: %d videos into %s", name, len(requests), records.store.uri(name))

    made: dict[str, VideoRecord] = {}
    problems: dict[str, str] = {}

    async def make(request: VideoRequest, account: GatewayCredentials) -> None:
        try:
            made[request.key] = await make_video(request, account, accounts, store, name, deadline)
        except Exception as error:  # one video's trouble, of whatever kind, must not stop the others
            problems[request.key] = str(error) or type(error).__name__
        log.info("%d of %d done, %d of them stored", len(made) + len(problems), len(requests), len(made))

    await fan_out(requests, accounts, make)

    for request in requests:
        if request.key in problems and (found := await on_records(records.load, name, request)):
            made[request.key] = found.record
    report = await on_records(_write_report, records, name, [made[r.key] for r in requests if r.key in made], problems)
    log.info("%s", report.summary())
    lost = [f"{r.prompt[:60]!r}: {problems[r.key]}" for r in requests if r.key not in made]
    if report.failed or report.unknown or lost:
        reasons = [
            f"{record.request.prompt[:60]!r}: {problems[record.key]}" for record in (*report.failed, *report.unknown)
        ]
        raise BatchFailedError(f"{report.summary()} " + "; ".join([*reasons, *lost][:5]), report)
    return report


def _write_report(records: Records, batch: str, made: list[VideoRecord], problems: dict[str, str]) -> BatchReport:
    """The gallery and the report beside the videos; they show everything the batch holds, not this run alone."""
    page, data = f"{batch}/index.html", f"{batch}/report.json"
    store = records.store
    everything = BatchReport(
        batch=batch, records=tuple(records.batch(batch)), gallery=store.uri(page), report=store.uri(data)
    )
    store.put(page, gallery(everything).encode(), content_type="text/html; charset=utf-8")
    store.put(data, everything.to_json(), content_type="application/json")
    return everything.model_copy(update={"records": tuple(made)})
