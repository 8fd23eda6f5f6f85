"""One page beside the videos of a batch, to look at them all and choose. It needs no other files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from prefect_omnivideo.core.reports.cards import SHAPES, Group, groups_of
from prefect_omnivideo.core.reports.reels import reels_of
from prefect_omnivideo.core.reports.report import BatchReport
from prefect_omnivideo.core.reports.templating import inline, render
from prefect_omnivideo.core.reports.wording import plain


def gallery(report: BatchReport) -> str:
    """The page `index.html` in the folder of the batch.

    Videos, posters and records are linked relative to it, so that it works from disk and from a bucket that serves
    pages. Nothing but posters in sight is loaded before somebody plays a video. Without script it shows everything and
    links every video; the script adds search, players and marks. A prompt may contain anything: it stays text, and
    the page's policy lets a browser run this script alone.
    """
    style = render("gallery.css", shapes=SHAPES)
    script = render("gallery.js")
    groups = groups_of(report)
    return render(
        "gallery.html",
        report=report,
        **inline(style, script),
        reels=reels_of(report),
        missing=_having(groups, "failed", "unknown"),
        shown=_having(groups, "stored", "pending"),
        facets=_facets(groups),
        orders=_orders(groups),
        counts=report.counts,
        plain=plain,
    )


def _having(groups: Sequence[Group], *states: str) -> list[Group]:
    parts = (group.having(*states) for group in groups)
    return [part for part in parts if part.cards]


def _facets(groups: Sequence[Group]) -> dict[str, list[tuple[str, str]]]:
    """The properties in which videos differ: each value, and how many videos have it; the most frequent first."""
    cards = [card for group in groups for card in group.cards]
    facets = {
        name: Counter(value for card in cards if (value := getattr(card, name)))
        for name in ("state", "gateway", "model", "shape")
    }
    return {
        name: [(value, f"{value} ({count})") for value, count in counts.most_common()]
        for name, counts in facets.items()
        if len(counts) > 1
    }


def _orders(groups: Sequence[Group]) -> list[tuple[str, str]]:
    """The orders to choose from. Costs in different units do not compare."""
    units = {amount.unit for group in groups for card in group.cards for amount in card.cost}
    orders = [("", "as ordered"), ("started", "newest"), ("seconds", "longest"), ("bytes", "largest file")]
    return [*orders, ("cost", "highest cost")] if len(units) == 1 else orders
