"""Joins the stored shots of a storyboard into one file, and records where each begins."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence as List
from functools import partial
from pathlib import Path

from prefect_omnivideo.core.errors import NotAVideoError
from prefect_omnivideo.core.media.likeness import begins_with
from prefect_omnivideo.core.media.probe import examine
from prefect_omnivideo.core.media.stitch import Part, StitchError, stitch
from prefect_omnivideo.core.records.model import StoredFile, VideoState, now
from prefect_omnivideo.core.records.sequence import Sequence, SequenceShot, Whole, read_sequence, sequence_stem
from prefect_omnivideo.core.storage.base import ObjectStore, json_bytes
from prefect_omnivideo.core.storyboards.planning import Known, Link, is_stale
from prefect_omnivideo.core.storyboards.storyboard import Storyboard


def join(
    board: Storyboard, links: List[Link], known: Known, batch: str, store: ObjectStore, *, re_encode: bool = False
) -> Sequence:
    """Join the shots if all of them are stored, unless that was done; and write the record of the sequence.

    Args:
        links: the shots of the storyboard, as videos of this run.
        known: the records of the batch.
        re_encode: as `stitch` takes it.

    Returns:
        The sequence; with the reason if there is no whole. The shots are as they were in any case.

    Raises:
        StoreError: the store cannot be read or written.
    """
    stem = sequence_stem(batch, board.stem)
    shots = tuple(_shot(link, known) for link in links)
    sequence = Sequence(storyboard=board.name, batch=batch, shots=shots, written_at=now())
    before = read_sequence(store, f"{stem}.json")
    if missing := [repr(shot.shot) for shot in shots if not shot.file]:
        problem = f"not stored yet: shot {', '.join(missing[:5])}{', and others' * (len(missing) > 5)}"
        sequence = sequence.model_copy(update={"problem": problem})
    elif before and _is_same(before, sequence, store):
        joined = zip(before.shots, shots, strict=True)
        shots = tuple(old.model_copy(update={"is_stale": new.is_stale}) for old, new in joined)
        sequence = before.model_copy(update={"shots": shots})
    else:
        try:
            sequence = _joined(sequence, links, known, stem, store, re_encode=re_encode)
        except (StitchError, NotAVideoError) as error:
            sequence = sequence.model_copy(update={"problem": str(error)})
    if sequence != before:
        store.put(f"{stem}.json", json_bytes(sequence.model_dump(mode="json")), content_type="application/json")
    return sequence


def _shot(link: Link, known: Known) -> SequenceShot:
    file = _file(link, known)
    stale = is_stale(known.get(link.request.key), link.before, known)
    name, sha256 = (file.name, file.sha256) if file else ("", "")
    return SequenceShot(shot=link.shot, key=link.request.key, file=name, sha256=sha256, is_stale=stale)


def _file(link: Link, known: Known) -> StoredFile | None:
    record = known.get(link.request.key)
    return record.files[0] if record and record.state is VideoState.STORED else None


def _is_same(before: Sequence, sequence: Sequence, store: ObjectStore) -> bool:
    """Whether an earlier run joined the same files, and the whole is still there."""
    files = [[(shot.shot, shot.file, shot.sha256) for shot in each.shots] for each in (before, sequence)]
    return before.whole is not None and files[0] == files[1] and store.size(before.whole.name) == before.whole.size


def _joined(
    sequence: Sequence, links: List[Link], known: Known, stem: str, store: ObjectStore, *, re_encode: bool
) -> Sequence:
    held = [_is_held(links[number : number + 2], known, store) for number in range(len(links))]
    played = [shot for shot, is_held in zip(sequence.shots, held, strict=True) if not is_held]
    parts = [Part(f"shot {shot.shot}", partial(store.open, shot.file)) for shot in played]
    with tempfile.TemporaryDirectory(prefix="omnivideo-") as folder:
        target = Path(folder) / "whole.mp4"
        lengths = stitch(parts, target, re_encode=re_encode)
        with target.open("rb") as file:
            examined = examine(file)
        poster = examined.poster if examined else None
        with target.open("rb") as file:
            metadata = {"storyboard": sequence.storyboard.encode("ascii", "replace").decode()}
            store.write(f"{stem}.mp4", file, content_type="video/mp4", metadata=metadata)
        if poster:
            store.put(f"{stem}.jpg", poster, content_type="image/jpeg")
        whole = Whole(
            name=f"{stem}.mp4",
            uri=store.uri(f"{stem}.mp4"),
            size=target.stat().st_size,
            seconds=round(sum(lengths), 3),
            poster=f"{stem}.jpg" if poster else "",
            re_encoded=re_encode,
        )
    return sequence.model_copy(update={"shots": _cut(sequence.shots, held, lengths, known), "whole": whole})


def _is_held(pair: List[Link], known: Known, store: ObjectStore) -> bool:
    """Whether the shot after this one was made by extension, and its video begins with that of this one."""
    if len(pair) < 2 or pair[1].before != pair[0]:
        return False
    one, following = (known[link.request.key] for link in pair)
    if following.attempt.continues != one.attempt.task_id:
        return False
    with store.open(following.files[0].name) as longer, store.open(one.files[0].name) as shorter:
        return begins_with(longer, shorter)


def _cut(
    shots: tuple[SequenceShot, ...], held: List[bool], lengths: List[float], known: Known
) -> tuple[SequenceShot, ...]:
    """Where each shot begins in the whole, and how long it is seen there."""
    cut: list[SequenceShot] = []
    left = list(lengths)
    base = 0.0  # where the file that is playing begins
    at = 0.0
    for shot, is_held in zip(shots, held, strict=True):
        length = _seconds(shot, known) if is_held else left.pop(0)
        end = base + length
        cut.append(shot.model_copy(update={"starts_at": round(at, 3), "seconds": round(end - at, 3)}))
        at = end
        base = base if is_held else end
    return tuple(cut)


def _seconds(shot: SequenceShot, known: Known) -> float:
    duration = known[shot.key].files[0].media.get("duration")
    return float(duration) if isinstance(duration, int | float) else 0.0
