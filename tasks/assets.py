"""A finished batch as a Prefect asset: one materialization, for lineage and for automations."""

from __future__ import annotations

import re
from datetime import datetime
from urllib.parse import unquote

from prefect.assets import Asset, AssetProperties, materialize
from prefect.cache_policies import NO_CACHE
from prefect.context import FlowRunContext

from prefect_omnivideo.core.reports.report import BatchReport
from prefect_omnivideo.core.reports.start_page import Entry
from prefect_omnivideo.core.storage.base import ObjectStore
from prefect_omnivideo.tasks.showing import only_shows

MADE_BY = "prefect-omnivideo"
_LONGEST_KEY = 512
_LONGEST_TEXT = 500
_NOT_IN_A_KEY = re.compile(r"""[\s#?&%"'<>\[\]{}|\\^`\x00-\x1f]""")


async def materialize_batch(report: BatchReport, batch: Entry, store: ObjectStore) -> None:
    """Tell Prefect that the batch was made, if this flow run has stored a video and none of the batch is pending.

    A run that finds everything stored makes nothing: an automation must not start once more.

    Args:
        report: the videos of this run.
        batch: the figures of the whole batch.
        store: where the batch is. A saved block's name, as commands take it, is no key of an asset.
    """
    run = FlowRunContext.get()
    if run is None or batch.counts.get("pending") or not _is_news(report, run.start_time):
        return
    with only_shows("the asset of the batch"):
        is_on_the_web = bool(report.gallery and report.gallery.startswith("http"))
        asset = Asset(
            key=asset_key(store.uri(""), report.batch),
            properties=AssetProperties(
                name=report.title or report.batch,
                description=report.summary()[:_LONGEST_TEXT],
                url=report.gallery if is_on_the_web else None,
            ),
        )

        @materialize(
            asset,
            by=MADE_BY,
            name="Publish batch",
            task_run_name=f"Publish {report.title or report.batch}",
            cache_policy=NO_CACHE,
            persist_result=False,
        )
        async def publish() -> None:
            asset.add_metadata(
                {
                    "batch": report.batch,
                    **batch.counts,
                    "cost": batch.told or None,
                    "gallery": report.gallery,
                    "report": report.report,
                }
            )

        await publish()


def asset_key(store: str, batch: str) -> str:
    """The address of the batch in its store, with hyphens for what Prefect does not allow in the key of an asset."""
    return _NOT_IN_A_KEY.sub("-", unquote(f"{store.rstrip('/')}/{batch}"))[:_LONGEST_KEY]


def _is_news(report: BatchReport, since: datetime) -> bool:
    return any(record.updated_at >= since for record in report.stored)
