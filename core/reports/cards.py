"""The videos of a batch as the gallery shows them: takes of one prompt together, each as texts, links and numbers."""

from __future__ import annotations

import math
import posixpath
import re
from dataclasses import dataclass, replace
from urllib.parse import quote

from prefect_omnivideo.core.money.amount import Amount, told
from prefect_omnivideo.core.records.model import StoredFile, VideoRecord, VideoState
from prefect_omnivideo.core.records.repository import record_name
from prefect_omnivideo.core.reports.commands import resolve_commands
from prefect_omnivideo.core.reports.reels import STALE, notes_of, stale_in
from prefect_omnivideo.core.reports.report import BatchReport
from prefect_omnivideo.core.reports.routing import differences
from prefect_omnivideo.core.reports.wording import plain, reason, what_to_do

STATES = {
    VideoState.STORED: "stored",
    VideoState.SUBMITTING: "pending",
    VideoState.SUBMITTED: "pending",
    VideoState.FINISHED: "pending",
    VideoState.FAILED: "failed",
    VideoState.UNKNOWN: "unknown",
}
SHAPES = {
    f"{width}:{height}": width / height
    for width, height in ((21, 9), (16, 9), (3, 2), (4, 3), (1, 1), (3, 4), (2, 3), (9, 16), (9, 21))
}


@dataclass(frozen=True, slots=True)
class Card:
    """One video. Empty texts and None: not known."""

    key: str
    take: int
    state: str
    gateway: str
    model: str
    shape: str
    """One of `SHAPES`."""
    files: tuple[tuple[str, str], ...]
    """Relative links of each video and its poster; the latter may be empty."""
    record: str
    """Relative link of the record."""
    facts: tuple[str, ...]
    """The known properties, in a few words each."""
    why: str
    what_to_do: str
    commands: dict[str, str]
    """For a video of unknown outcome: the command for each decision, by the case it is for."""
    started: int
    """Epoch seconds; for sorting, as are the numbers below."""
    seconds: float | None
    bytes: int | None
    cost: tuple[Amount, ...]
    """What gateways reported: an amount for each unit."""


@dataclass(frozen=True, slots=True)
class Group:
    """The takes of one request, in their order."""

    prompt: str
    """Lines without anything that could break the page around them."""
    verbatim: str
    """As it was written, if that is something else; for the clipboard."""
    cards: tuple[Card, ...]

    def having(self, *states: str) -> Group:
        """The group with only the cards in one of the states."""
        return replace(self, cards=tuple(card for card in self.cards if card.state in states))


def groups_of(report: BatchReport) -> list[Group]:
    """The videos of a report, in its order, takes of one request together."""
    found: dict[str, tuple[str, list[Card]]] = {}
    shots, stale = notes_of(report), stale_in(report)
    for record in report.records:
        request = record.request.model_copy(update={"take": 1})
        notes = (shots.get(record.key, ""), STALE if record.key in stale else "")
        found.setdefault(request.key, (request.prompt, []))[1].append(card_of(record, report, *notes))
    return [
        Group(*_prompt(prompt), tuple(sorted(cards, key=lambda card: card.take))) for prompt, cards in found.values()
    ]


def _prompt(text: str) -> tuple[str, str]:
    shown = "\n".join(plain(line) for line in text.splitlines()).strip()
    return shown, "" if shown == text else text


def card_of(record: VideoRecord, report: BatchReport, shot: str = "", stale: str = "") -> Card:
    """One video, with links relative to the folder of the report's batch.

    Args:
        shot, stale: what is said of it as a shot of a sequence.
    """
    request = record.request
    gateway, model = plain(record.attempt.gateway), plain(request.model or "")
    facts = [part for part in (shot, gateway, model) if part]
    facts += [fact for file in record.files for fact in facts_of(file)]
    facts += [f"cost {told(record.cost, record.without_cost)}"] if record.cost else []
    durations = [seconds for file in record.files if (seconds := _number(file, "duration")) is not None]
    is_unknown = record.state is VideoState.UNKNOWN
    return Card(
        key=record.key,
        take=request.take,
        state=STATES[record.state],
        gateway=gateway,
        model=model,
        shape=_shape(record),
        files=tuple((_link(file.name, report), _link(file.poster or "", report)) for file in record.files),
        record=_link(record_name(record), report),
        facts=tuple(facts),
        why="; ".join(filter(None, (stale, reason(record), plain("; ".join(differences(record)))))),
        what_to_do=what_to_do(record),
        commands=resolve_commands(record, report.store, report.endpoint_url) if is_unknown else {},
        started=int(record.attempt.started_at.timestamp()),
        seconds=sum(durations) if durations else None,
        bytes=sum(file.size for file in record.files) if record.files else None,
        cost=record.cost,
    )


def _link(name: str, report: BatchReport) -> str:
    # Quoted, so that a colon cannot turn the text before it into a scheme.
    return quote(posixpath.relpath(name, report.batch)) if name else ""


def facts_of(file: StoredFile) -> list[str]:
    """What is known of a file: seconds, width and height, size."""
    seconds, width, height = (_number(file, name) for name in ("duration", "width", "height"))
    properties = [] if seconds is None else [f"{seconds:.1f} s"]
    properties += [f"{width:.0f}×{height:.0f}"] if width and height else []
    return [*properties, f"{file.size / 1e6:.1f} MB"]


def _number(file: StoredFile, name: str) -> float | None:
    value = file.media.get(name)
    return value if isinstance(value, int | float) and value >= 0 else None


def _shape(record: VideoRecord) -> str:
    """The known shape that is nearest to what was stored, or else to what was asked for."""
    for file in record.files:
        width, height = _number(file, "width"), _number(file, "height")
        if width and height:
            return _nearest(width / height)
    if asked := re.fullmatch(r"(\d+)[:x](\d+)", record.request.aspect_ratio or record.request.size or ""):
        width, height = float(asked[1]), float(asked[2])
        return _nearest(width / height) if width and height else ""
    return ""


def _nearest(ratio: float) -> str:
    return min(SHAPES, key=lambda shape: abs(math.log(SHAPES[shape] / ratio)))
