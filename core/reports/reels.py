"""Sequences as the gallery shows them: the whole, and where each shot begins in it."""

from __future__ import annotations

import posixpath
from dataclasses import dataclass
from urllib.parse import quote

from prefect_omnivideo.core.records.sequence import Sequence, SequenceShot
from prefect_omnivideo.core.reports.report import BatchReport
from prefect_omnivideo.core.reports.wording import plain

STALE = "stale: what it continues was made anew since"


@dataclass(frozen=True, slots=True)
class ReelShot:
    """A shot of a sequence. Empty texts: there is none."""

    title: str
    file: str
    """Relative link of its own video."""
    moment: str
    """Relative link of the whole, from the beginning of this shot."""
    facts: str


@dataclass(frozen=True, slots=True)
class Reel:
    """A storyboard whose shots are played as one."""

    name: str
    whole: str
    """Relative link of the whole; empty if there is none."""
    poster: str
    facts: str
    why: str
    """Why there is no whole."""
    shots: tuple[ReelShot, ...]


def reels_of(report: BatchReport) -> list[Reel]:
    """The sequences of a batch, in the order of their names."""
    return [_reel(sequence, report.batch) for sequence in report.sequences]


def notes_of(report: BatchReport) -> dict[str, str]:
    """What is said of a video as a shot, by its key."""
    return {
        shot.key: f"shot {plain(shot.shot)} of {plain(sequence.storyboard)}"
        for sequence in report.sequences
        for shot in sequence.shots
    }


def stale_in(report: BatchReport) -> frozenset[str]:
    """The keys of videos that continue what was made anew since."""
    return frozenset(shot.key for each in report.sequences for shot in each.shots if shot.is_stale)


def _reel(sequence: Sequence, batch: str) -> Reel:
    whole = sequence.whole
    link = _link(whole.name, batch) if whole else ""
    count = f"{len(sequence.shots)} shot{'' if len(sequence.shots) == 1 else 's'}"
    facts = [count, *([f"{whole.seconds:.1f} s", f"{whole.size / 1e6:.1f} MB"] if whole else [])]
    facts += ["encoded again"] if whole and whole.re_encoded else []
    return Reel(
        name=plain(sequence.storyboard),
        whole=link,
        poster=_link(whole.poster, batch) if whole else "",
        facts=" · ".join(facts),
        why=plain(sequence.problem),
        shots=tuple(_shot(shot, link, batch) for shot in sequence.shots),
    )


def _shot(shot: SequenceShot, whole: str, batch: str) -> ReelShot:
    is_cut = bool(whole) and shot.starts_at is not None
    facts = [f"{shot.starts_at:.1f} s"] if is_cut else []
    facts += [f"{shot.seconds:.1f} s long"] if is_cut and shot.seconds is not None else []
    facts += [] if shot.file else ["not stored yet"]
    facts += [STALE] if shot.is_stale else []
    return ReelShot(
        title=f"Shot {plain(shot.shot)}",
        file=_link(shot.file, batch),
        moment=f"{whole}#t={shot.starts_at:g}" if is_cut else "",
        facts=" · ".join(facts),
    )


def _link(name: str, batch: str) -> str:
    # Quoted, so that a colon cannot turn the text before it into a scheme.
    return quote(posixpath.relpath(name, batch)) if name else ""
