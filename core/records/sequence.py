"""The record of a sequence: the shots of a storyboard as they are played, and the file that they were joined into."""

from __future__ import annotations

import json
from collections.abc import Iterator

from pydantic import AwareDatetime, Field, ValidationError

from prefect_omnivideo.core.records.model import Part
from prefect_omnivideo.core.storage.base import ObjectStore

_FOLDER = "sequences"
"""Within the folder of a batch. Its objects never look like records of videos."""


class SequenceShot(Part):
    """A shot of a sequence."""

    shot: str
    """Its key in the storyboard."""
    key: str
    """Key of its video."""
    file: str = ""
    """Name of its video within the store; empty if it is not stored."""
    sha256: str = ""
    starts_at: float | None = None
    """Seconds from the beginning of the whole; None if there is none."""
    seconds: float | None = None
    """How long it is seen in the whole; its own file may begin with what it continues."""
    is_stale: bool = False
    """What it continues was made anew since."""


class Whole(Part):
    """The file of a sequence."""

    name: str
    """Name within the store, such as `daily/sequences/opening.mp4`."""
    uri: str
    size: int
    """Bytes."""
    seconds: float
    poster: str = ""
    """Name of its poster within the store; empty if it has none."""
    re_encoded: bool = False


class Sequence(Part):
    """What became of a storyboard in a batch."""

    version: int = 1
    storyboard: str
    batch: str
    shots: tuple[SequenceShot, ...] = Field(min_length=1)
    whole: Whole | None = None
    problem: str = ""
    """Why there is no whole, in words."""
    written_at: AwareDatetime

    @property
    def stale(self) -> tuple[str, ...]:
        """The keys of the stale shots."""
        return tuple(shot.shot for shot in self.shots if shot.is_stale)


def sequence_stem(batch: str, name: str) -> str:
    """Name within a store of what belongs to a sequence, without the ending."""
    return f"{batch}/{_FOLDER}/{name}"


def read_sequence(store: ObjectStore, name: str) -> Sequence | None:
    """The sequence whose record has that name; None if there is none that this version can read.

    Raises:
        StoreError: the store cannot be read.
    """
    found = store.read(name)
    if found is None:
        return None
    try:
        return Sequence.model_validate(json.loads(found[0]))
    except (ValueError, ValidationError):
        return None


def sequences_in(store: ObjectStore, batch: str) -> Iterator[Sequence]:
    """The sequences of a batch, in the order of their names.

    Raises:
        StoreError: the store cannot be read.
    """
    for name in store.names(f"{batch}/{_FOLDER}/"):
        if name.endswith(".json") and (found := read_sequence(store, name)) and found.batch == batch:
            yield found
