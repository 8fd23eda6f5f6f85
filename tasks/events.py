"""Events that automations listen to: new states of videos, chosen videos, ends of runs, accounts that rest."""

from __future__ import annotations

from functools import partial

from prefect.context import FlowRunContext, TaskRunContext
from prefect.events import emit_event

from prefect_omnivideo.blocks.stores import VideoStore
from prefect_omnivideo.core.choosing.copies import ChosenVideo
from prefect_omnivideo.core.client.account import Account
from prefect_omnivideo.core.money.amount import told
from prefect_omnivideo.core.records.model import VideoRecord
from prefect_omnivideo.core.records.repository import Records
from prefect_omnivideo.core.reports.report import BatchReport
from prefect_omnivideo.core.routes.breaker import Rest
from prefect_omnivideo.core.routes.resting import News
from prefect_omnivideo.core.storage.base import ObjectStore, web_address
from prefect_omnivideo.tasks.showing import only_shows

LONGEST_TEXT = 500


def open_records(store: VideoStore) -> Records:
    """The records of a store, whose new states are announced as events."""
    objects = store.open()
    return Records(objects, partial(announce_video, store=objects))


def announce_video(record: VideoRecord, store: ObjectStore) -> None:
    """Emit an event for a video's new state; does nothing outside a flow run.

    The resource is `omnivideo.video.<key>`, with the batch as a related resource in the role `batch`.
    """
    if not _in_a_run():
        return
    with only_shows("the events of videos"):
        _announce_video(record, store)


def _announce_video(record: VideoRecord, store: ObjectStore) -> None:
    attempt, file = record.attempt, record.files[0] if record.files else None
    emit_event(
        f"omnivideo.video.{record.state}",
        resource=_video(record),
        related=[_batch(record.batch, "batch")],
        payload={
            "batch": record.batch,
            "prompt": record.request.prompt[:LONGEST_TEXT],
            "task_id": attempt.task_id,
            "uri": file.uri if file else None,
            "url": web_address(store.public_url, file.name) or None if file else None,
            "cost": told(record.cost, record.without_cost) or None,
            "category": record.failure.category if record.failure else None,
            "reason": record.failure.message[:LONGEST_TEXT] if record.failure else None,
        },
    )


def announce_chosen(chosen: ChosenVideo, store: ObjectStore) -> None:
    """Emit an event for a video that was chosen and copied, which starts whatever publishes it."""
    if not _in_a_run():
        return
    with only_shows("the events of videos"):
        video, file = chosen.video, chosen.files[0]
        emit_event(
            "omnivideo.video.chosen",
            resource=_video(video),
            related=[_batch(video.batch, "batch")],
            payload={
                "batch": video.batch,
                "prompt": video.request.prompt[:LONGEST_TEXT],
                "take": chosen.take,
                "uri": file.uri,
                "url": web_address(store.public_url, file.name) or None,
                "sha256": file.sha256,
                "poster": store.uri(file.poster) if file.poster else None,
                "copy_of": video.files[0].uri,
                "chosen_by": chosen.chosen_by or None,
            },
        )


def announce_batch(report: BatchReport) -> None:
    """Emit an event for the end of a run of a batch, with its result."""
    if not _in_a_run():
        return
    with only_shows("the event of the batch"):
        emit_event(
            "omnivideo.batch.completed",
            resource={
                **_batch(report.batch),
                **{f"omnivideo.{state}": str(count) for state, count in report.counts.items()},
            },
            payload={
                "batch": report.batch,
                "summary": report.summary(),
                "gallery": report.gallery,
                "report": report.report,
                "cost": told(report.cost, report.without_cost) or None,
                "jobs_without_cost": report.without_cost,
                **report.counts,
            },
        )


def _video(record: VideoRecord) -> dict[str, str]:
    return {
        "prefect.resource.id": f"omnivideo.video.{record.key}",
        "prefect.resource.name": record.request.slug,
        "omnivideo.gateway": record.attempt.gateway,
        "omnivideo.account": record.attempt.account,
    }


def announce_account(account: Account, news: News, rest: Rest) -> None:
    """Emit an event for an account that keeps failing and rests, or that works again."""
    if not _in_a_run():
        return
    with only_shows("the events of accounts"):
        emit_event(
            f"omnivideo.account.{news}",
            resource={
                "prefect.resource.id": f"omnivideo.account.{account.id}",
                "prefect.resource.name": account.name,
                "omnivideo.gateway": account.gateway.name,
            },
            payload={"until": rest.until.isoformat() if news == "rested" else None, "reason": rest.why},
        )


def _batch(name: str, role: str | None = None) -> dict[str, str]:
    resource = {"prefect.resource.id": f"omnivideo.batch.{name}", "prefect.resource.name": name}
    return resource | ({"prefect.resource.role": role} if role else {})


def _in_a_run() -> bool:
    return TaskRunContext.get() is not None or FlowRunContext.get() is not None
