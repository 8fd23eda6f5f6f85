"""One page beside the videos of a batch, to look at them all. It needs no other files."""

from __future__ import annotations

import base64
import hashlib
import posixpath
from urllib.parse import quote

from markupsafe import Markup

from prefect_omnivideo.core.money.amount import told
from prefect_omnivideo.core.records.model import VideoRecord, VideoState
from prefect_omnivideo.core.reports.report import BatchReport
from prefect_omnivideo.core.reports.templating import render
from prefect_omnivideo.core.reports.wording import plain, reason, what_to_do

_GROUPS = {
    VideoState.STORED: "stored",
    VideoState.SUBMITTING: "pending",
    VideoState.SUBMITTED: "pending",
    VideoState.FINISHED: "pending",
    VideoState.FAILED: "failed",
    VideoState.UNKNOWN: "unknown",
}


def gallery(report: BatchReport) -> str:
    """The page `index.html` in the folder of the batch.

    Videos and posters are linked relative to it, so that it works from disk and from a bucket that serves pages. A
    prompt may contain anything: it stays text, and the page may load only media and run no script.
    """
    counts = {"all": len(report.records), **report.counts}
    shown = {group: count for group, count in counts.items() if count or group == "all"}
    # The filter is radio buttons and CSS only: a page whose policy allows no script cannot run an injected one.
    style = render("gallery.css", groups=shown)
    policy = (
        f"default-src 'none'; style-src 'sha256-{_sha256(style)}'; media-src 'self' data: file: https:; "
        "img-src 'self' data: file: https:; base-uri 'none'; form-action 'none'"
    )
    return render(
        "gallery.html",
        report=report,
        policy=Markup(policy),  # noqa: S704  # written here
        style=Markup(style),  # noqa: S704  # the browser hashes it verbatim; it holds no data of the batch
        groups=shown,
        group_of=_GROUPS,
        link=_link,
        facts=_facts,
        plain=plain,
        reason=reason,
        what_to_do=what_to_do,
    )


def _link(name: str, record: VideoRecord) -> str:
    # Quoted, so that a colon cannot turn the text before it into a scheme.
    return quote(posixpath.relpath(name, record.batch))


def _facts(record: VideoRecord) -> list[str]:
    """The known properties of the video, in a few words each."""
    facts = [record.attempt.gateway]
    if record.request.take > 1:
        facts.append(f"take {record.request.take}")
    for file in record.files:
        seconds, width, height = (file.media.get(name) for name in ("duration", "width", "height"))
        if isinstance(seconds, int | float):
            facts.append(f"{seconds:.1f} s")
        if isinstance(width, int) and isinstance(height, int):
            facts.append(f"{width}×{height}")
        facts.append(f"{file.size / 1e6:.1f} MB")
    if record.cost:
        facts.append(f"cost {told(record.cost)}")
    return [*facts, record.key]


def _sha256(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
