"""The result of one flow run: progress while it runs, gallery and report at the end."""

from collections.abc import AsyncGenerator, Generator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager

from prefect.context import FlowRunContext
from prefect.runtime import flow_run

from prefect_omnivideo.blocks.credentials import GatewayCredentials
from prefect_omnivideo.core.errors import BudgetReachedError, StoreError
from prefect_omnivideo.core.jobs.persist import Log
from prefect_omnivideo.core.records.batch import BatchName
from prefect_omnivideo.core.records.compact import Packed, PackedRecords, in_order, pack
from prefect_omnivideo.core.records.model import VideoRecord, now
from prefect_omnivideo.core.records.repository import Records, name_in, record_name
from prefect_omnivideo.core.records.sequence import Sequence as Joined
from prefect_omnivideo.core.records.sequence import sequences_in
from prefect_omnivideo.core.redaction import shorten
from prefect_omnivideo.core.reports.approval import Answer, Decision
from prefect_omnivideo.core.reports.gallery import gallery
from prefect_omnivideo.core.reports.report import BatchReport
from prefect_omnivideo.core.reports.start_page import Entry, entry_of, list_batch
from prefect_omnivideo.core.request import VideoRequest
from prefect_omnivideo.core.storage.address import address_of
from prefect_omnivideo.core.storage.base import ObjectStore
from prefect_omnivideo.core.threads import on_records
from prefect_omnivideo.flows.run.balances import balances_after
from prefect_omnivideo.flows.run.charges import settle
from prefect_omnivideo.flows.run.ending import BatchFailedError, BatchIncompleteError, BatchStoppedError, whereabouts
from prefect_omnivideo.flows.run.fan_out import ACCOUNT_ERRORS, MovesOnError
from prefect_omnivideo.flows.run.naming import SHARD_TAG
from prefect_omnivideo.flows.run.progress import Progress, show_report
from prefect_omnivideo.flows.run.spending import Announced, remember_costs
from prefect_omnivideo.tasks.assets import materialize_batch
from prefect_omnivideo.tasks.events import announce_batch

NOBODY_ASKED = Decision()
NOTHING_SAID = Announced()
REASONS_SHOWN = 5
_HEAD = 4096
"""Bytes of a report that hold its title."""


class Outcome:
    """Collects the results of the requests of one flow run.

    Args:
        rested: told at the end: the accounts that were sent to rest meanwhile, or came back.
    """

    def __init__(
        self, batch: str, records: Records, requests: Sequence[VideoRequest], log: Log, rested: Sequence[str] = ()
    ) -> None:
        self.batch = batch
        self.title = batch.typed if isinstance(batch, BatchName) else batch
        self._records = records
        self._requests = requests
        self._log = log
        self._rested = rested
        self._began_at = now()
        self._progress = Progress(len(requests))
        self._made: dict[str, Packed] = {}  # by the names of the records
        self._problems: dict[str, str] = {}
        self._left_out: dict[str, VideoRequest] = {}
        self.sequences: list[Joined] = []
        """Storyboards whose shots were joined, or why not."""
        log.info("batch %s: %d videos into %s", self.title, len(requests), records.store.uri(batch))

    def add(self, record: VideoRecord) -> None:
        """Add the record of a finished video."""
        self._made[record_name(record)] = pack(record)

    def record_of(self, request: VideoRequest) -> VideoRecord | None:
        """The record of a video that this run made, or found made."""
        found = self._made.get(name_in(self.batch, request))
        return found.record if found else None

    @asynccontextmanager
    async def of(self, request: VideoRequest) -> AsyncGenerator[None]:
        """Work on one video: no error of it may stop the others.

        Raises:
            NoBalanceError, UnauthorizedError: the account's problem; another one may make the video.
            MovesOnError: another account of the route may make it.
        """
        try:
            with _results_of_its_own():
                yield
        except (*ACCOUNT_ERRORS, MovesOnError) as error:
            self._log.warning("%r goes to another account, if there is one: %s", shorten(request.prompt, 60), error)
            raise
        except BudgetReachedError:
            raise
        except Exception as error:  # reported with its video
            self.give_up(request, error)
        done = len(self._made) + len(self._problems)
        text = f"{done} of {len(self._requests)} done, {len(self._made)} of them stored"
        if await self._progress.show(done, f"{text}: batch {self.batch}"):
            self._log.info("%s", text)

    @property
    def left_out(self) -> Sequence[VideoRequest]:
        """Requests for which a budget had no room."""
        return list(self._left_out.values())

    def readmitted(self) -> Sequence[VideoRequest]:
        """Requests that were left out, and are to be tried once more."""
        again = self.left_out
        for request in again:
            del self._problems[request.key]
        self._left_out = {}
        return again

    def give_up(self, request: VideoRequest, error: Exception) -> None:
        """Why there is no video from this run."""
        if isinstance(error, BudgetReachedError):
            self._left_out[request.key] = request
        self._problems[request.key] = str(error).rstrip(". ") or type(error).__name__

    async def conclude(
        self,
        accounts: Sequence[GatewayCredentials],
        skipped: tuple[str, ...] = (),
        announced: Announced = NOTHING_SAID,
        used: tuple[str, ...] = (),
        decision: Decision = NOBODY_ASKED,
    ) -> BatchReport:
        """Write gallery and report, and return the report.

        Args:
            accounts: those of the run; their logs may tell what videos did cost.
            skipped: rows of a sheet that were left out, and why.
            announced: what the run said before its first submission.
            used: what is used of the budgets, if one is reached.
            decision: what a person approved.

        Raises:
            BatchIncompleteError: videos that were paid for are not stored yet.
            BatchFailedError: videos failed, or have an unknown outcome.
            BatchStoppedError: videos were left out as a budget is reached, or as nobody approved them.
        """
        for request in self._requests:
            if request.key in self._problems or (decision.stops and request.key not in decision.held):
                await self._look_up(request)
        names = [name_in(self.batch, request) for request in self._requests]
        made = {name: self._made[name] for name in names if name in self._made}
        costs, charged = await settle(accounts, made, self._records, self._began_at, self._log)
        made |= costs
        recorded = PackedRecords(made.values())
        charged += await balances_after(accounts, announced.balances, recorded, self._began_at, self._log)
        store, endpoint_url = address_of(self._records.store)
        report = BatchReport(
            batch=self.batch,
            title=self.title,
            records=recorded,
            skipped=skipped,
            spending=announced.lines,
            rested=tuple(self._rested),
            charged=charged,
            store=store,
            endpoint_url=endpoint_url,
            left_out=sum(name_in(self.batch, request) not in made for request in self.left_out),
            budgets=used,
            approval=decision.approval,
            sequences=tuple(self.sequences),
            held=sum(
                request.key in decision.held and name not in made
                for request, name in zip(self._requests, names, strict=True)
            ),
        )
        await remember_costs(self._records, report.records)
        is_shard = SHARD_TAG in flow_run.tags
        if not is_shard:
            report = await written(self._records, report, made, self._log)
        self._log.info("%s", report.summary())
        await show_report(report)
        if not is_shard:
            announce_batch(report)
        on_the_way, bad = ({record.key for record in found} for found in (report.pending, report.unresolved))
        explained = {*self._left_out, *decision.held}
        reasons = [
            f"{shorten(request.prompt, 60)!r}: {self._problems.get(request.key, 'no record was written')}"
            for name, request in zip(names, self._requests, strict=True)
            if (request.key in bad | on_the_way or name not in made) and request.key not in explained
        ]
        more = [f"and {len(reasons) - REASONS_SHOWN} more"] if len(reasons) > REASONS_SHOWN else []
        message = f"{report.summary()} {'; '.join(reasons[:REASONS_SHOWN] + more)}"
        if decision.stops:
            raise BatchStoppedError(f"{report.summary()} {asks_again(report)}{whereabouts(report)}", report)
        if on_the_way:
            message += f". {goes_on(len(on_the_way), self.batch)}"
            raise BatchIncompleteError(f"{message}.{whereabouts(report)}", report)
        if reasons:
            raise BatchFailedError(f"{message}.{whereabouts(report)}", report)
        if self._left_out:
            raise BatchStoppedError(f"{report.summary()} {continues(report)}{whereabouts(report)}", report)
        if report.held:
            raise BatchStoppedError(f"{report.summary()} {asks_again(report)}{whereabouts(report)}", report)
        return report

    async def _look_up(self, request: VideoRequest) -> None:
        """Read the record: the store is authoritative, not what this run saw."""
        try:
            found = await on_records(self._records.load, self.batch, request)
        except StoreError:
            return  # this run has met the same error and reports it
        if found:
            self.add(found.record)


def continues(report: BatchReport) -> str:
    """How to go on after a budget was reached."""
    return (
        f"{'; '.join(report.budgets)}. Run batch {report.batch} again with a higher limit, or in the next period: it "
        "submits what was left out, and pays for nothing again."
    )


def asks_again(report: BatchReport) -> str:
    """What a person answered, and how to go on with what was not approved."""
    approval = report.approval
    nothing = (
        " This run has submitted nothing, and nothing was spent." if approval and approval.answer is Answer.STOP else ""
    )
    return f"{approval}.{nothing} Run batch {report.batch} again to be asked again."


def goes_on(count: int, batch: str) -> str:
    """How to collect the paid videos that a run did not store."""
    return (
        f"{count} of them may have been paid and can still be collected: run batch {batch} again, or the flow "
        "Collect videos for it; neither pays again"
    )


async def written(records: Records, report: BatchReport, known: Mapping[str, Packed], log: Log) -> BatchReport:
    """The report, written as `write_report` does; unwritten if that fails for any reason: it is informational."""
    try:
        report, whole = await on_records(write_report, records, report, known, log)
    except Exception as error:
        log.error("gallery and report could not be written: %s", error)
        return report
    await materialize_batch(report, whole, records.store)
    return report


def write_report(
    records: Records, report: BatchReport, known: Mapping[str, Packed], log: Log
) -> tuple[BatchReport, Entry]:
    """Write gallery and report beside the videos; they show the whole batch, not only one run.

    Args:
        known: records by name that need not be read again, in the order to be shown.

    Returns:
        The report with the addresses of both, and of the store; and the figures of the whole batch.

    Raises:
        StoreError: they cannot be written.
    """
    store, everything = records.store, draw_gallery(records, report, known, log)
    whole_report = everything.to_json()
    store.put(f"{report.batch}/report.json", whole_report, content_type="application/json")
    entry = entry_of(whole_report)
    try:
        list_batch(store, entry)
    except Exception as error:  # gallery and report are written
        log.error("the batch could not be put on the start page of the store: %s", error)
    return everything.model_copy(update={"records": report.records, "sequences": report.sequences}), entry


def draw_gallery(records: Records, report: BatchReport, known: Mapping[str, Packed], log: Log) -> BatchReport:
    """Write the gallery alone; see `write_report`.

    Returns:
        The report of the whole batch, with its addresses and that of the store.
    """
    store, page, data = records.store, f"{report.batch}/index.html", f"{report.batch}/report.json"
    others = records.batch(report.batch, lambda error: log.error("left out of the report: %s", error), besides=known)
    whole = in_order(known, {record_name(record): pack(record) for record in others})
    address, endpoint_url = address_of(store)
    typed = report.title if report.title not in ("", report.batch) else _title_before(store, data)
    everything = report.model_copy(
        update={
            "records": PackedRecords(whole.values()),
            "title": typed,
            "gallery": store.address(page),
            "report": store.address(data),
            "store": address,
            "endpoint_url": endpoint_url,
            "public_url": store.public_url,
            "sequences": tuple(sequences_in(store, report.batch)),
        }
    )
    store.put(page, gallery(everything).encode(), content_type="text/html; charset=utf-8")
    return everything


def _title_before(store: ObjectStore, name: str) -> str:
    """The title that an earlier run was given, where this one was given the name in the store."""
    if not store.size(name):
        return ""
    with store.open(name) as file:
        return BatchReport.title_in(file.read(_HEAD))


@contextmanager
def _results_of_its_own() -> Generator[None]:
    """Prefect keeps all task results of a flow run to draw arrows in its graph: 13 KB per video, until the run ends.

    Arrows connect the tasks of one video only, so each video gets its own results, which are freed with it.
    """
    run = FlowRunContext.get()
    if run is None:
        yield
        return
    with run.model_copy(update={"run_results": {}, "task_run_assets": {}}):
        yield
