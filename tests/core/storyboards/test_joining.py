"""The shots of a storyboard joined into one file, with the record of its cut points."""

import hashlib
from pathlib import Path

import pytest

from prefect_omnivideo.core.media.probe import examine
from prefect_omnivideo.core.records.model import VideoRecord
from prefect_omnivideo.core.records.repository import Records, record_name
from prefect_omnivideo.core.records.sequence import Sequence, sequences_in
from prefect_omnivideo.core.storage.base import json_bytes
from prefect_omnivideo.core.storage.folder import Folder
from prefect_omnivideo.core.storyboards.joining import join
from prefect_omnivideo.core.storyboards.planning import links_of
from prefect_omnivideo.core.storyboards.storyboard import Shot, arrange
from prefect_omnivideo.sandbox.media import render
from tests.core.media.test_media import facts_of, film
from tests.core.storyboards.test_planning import stored

HUES = {"a": 1, "b": 4, "c": 8, "d": 10}


class Made:
    """A batch with the videos of a storyboard."""

    def __init__(self, folder: Path) -> None:
        self.store = Folder(folder)
        self.known: dict[str, VideoRecord] = {}

    def shoot(
        self, *shots: Shot | str, videos: dict[str, bytes] | None = None, missing: str = "", by_frame: bool = False
    ) -> None:
        self.board = arrange("the night", shots)
        self.links = links_of(self.board, self.known, remake_stale=True)
        for number, link in enumerate(self.links):
            prompt = link.request.prompt
            if link.request.key in self.known or prompt == missing:
                continue
            data = (videos or {}).get(prompt) or render(320, 180, 2 + number, HUES[prompt[0]], sound=True)
            before = self.known.get(link.before.request.key) if link.before else None
            continued = (before.files[0].sha256 if by_frame else before.attempt.task_id) if before else ""
            record = stored(link, f"t-{link.request.key}", continued or "")
            facts = examine_data(data)
            digest = hashlib.sha256(data).hexdigest()
            file = record.files[0].model_copy(update={"sha256": digest, "size": len(data), "media": facts})
            record = record.model_copy(update={"files": (file,)})
            self.store.put(file.name, data, content_type="video/mp4")
            self.store.put(record_name(record), json_bytes(record.model_dump(mode="json")), content_type="x")
            self.known[record.key] = record

    def join(self, *, re_encode: bool = False) -> Sequence:
        return join(self.board, self.links, self.known, "b", self.store, re_encode=re_encode)

    def whole(self, sequence: Sequence) -> bytes:
        assert sequence.whole
        found = self.store.read(sequence.whole.name)
        assert found
        return found[0]


def examine_data(data: bytes) -> dict[str, object]:
    return dict(facts_of(data))  # type: ignore[arg-type]


@pytest.fixture
def made(tmp_path: Path) -> Made:
    return Made(tmp_path)


def test_the_whole_and_its_cut_points(made: Made) -> None:
    made.shoot("a", "b", "c")
    sequence = made.join()
    assert sequence.problem == ""
    assert sequence.whole is not None
    assert sequence.whole.name == "b/sequences/the-night.mp4"
    assert [(shot.shot, shot.starts_at, shot.seconds) for shot in sequence.shots] == [
        ("1", 0, 2),
        ("2", 2, 3),
        ("3", 5, 4),
    ]
    data = made.whole(sequence)
    assert (sequence.whole.seconds, sequence.whole.size) == (9, len(data))
    assert facts_of(data)["duration"] == pytest.approx(9, abs=0.001)
    assert made.store.size(sequence.whole.poster)
    assert list(sequences_in(made.store, "b")) == [sequence]
    records = Records(made.store)
    assert {record.key for record in records.all()} == set(made.known), "the record of a sequence is that of no video"
    assert list(records.batches()) == ["b"]


def test_joined_once_and_again_when_a_shot_was_changed(made: Made) -> None:
    made.shoot("a", "b", "c")
    first = made.join()
    assert made.join() == first, "nothing was changed, so nothing was written"
    made.shoot("a", Shot(prompt="b", take=2), "c")
    again = made.join()
    assert again.written_at > first.written_at
    assert [shot.key == old.key for shot, old in zip(again.shots, first.shots, strict=True)] == [True, False, False]
    assert again.whole
    made.store.delete(again.whole.name)
    third = made.join()
    assert made.store.size(third.whole.name if third.whole else "x") == again.whole.size


def test_it_waits_for_all_shots(made: Made) -> None:
    made.shoot("a", "b", "c", missing="b")
    sequence = made.join()
    assert (sequence.whole, sequence.problem) == (None, "not stored yet: shot '2'")
    assert [bool(shot.file) for shot in sequence.shots] == [True, False, True]
    made.shoot("a", "b", "c")
    assert made.join().whole is not None


def test_shots_that_do_not_fit_are_said_and_encoded_again_when_asked(made: Made) -> None:
    made.shoot("a", "b", videos={"b": film(180, 320)})
    sequence = made.join()
    assert sequence.whole is None
    assert "shot 2 has size 180x320 (that of shot 1: 320x180)" in sequence.problem
    assert [shot.file for shot in sequence.shots] == [made.known[shot.key].files[0].name for shot in sequence.shots]
    again = made.join(re_encode=True)
    assert again.whole is not None
    assert facts_of(made.whole(again))["duration"] == pytest.approx(4, abs=0.1)


def test_an_extension_that_holds_what_it_extends_takes_its_place(made: Made) -> None:
    def moving(seconds: float, ahead: int = 0) -> bytes:
        return film(seconds=seconds, shade=lambda number, line: (line + 9 * (number + ahead)) % 180 + 20)

    made.shoot("a", "b", "c", "d", videos={"a": moving(3), "b": moving(6), "c": moving(10), "d": moving(8, 77)})
    sequence = made.join()
    assert sequence.whole is not None
    assert [(shot.starts_at, shot.seconds) for shot in sequence.shots] == [
        (0, pytest.approx(3)),
        (pytest.approx(3), pytest.approx(3)),
        (pytest.approx(6), pytest.approx(4)),
        (pytest.approx(10), pytest.approx(8)),
    ]
    assert sequence.whole.seconds == pytest.approx(18, abs=0.01)


def test_a_last_frame_is_followed_by_what_is_new_however_alike_it_is(made: Made) -> None:
    """Only an extension may hold what it continues: pictures that hardly change are no proof."""
    still = film(seconds=3, shade=lambda number, line: 90), film(seconds=6, shade=lambda number, line: 90)
    made.shoot("a", "b", videos={"a": still[0], "b": still[1]}, by_frame=True)
    assert [shot.starts_at for shot in made.join().shots] == [0, pytest.approx(3)]
    whole = made.join().whole
    assert whole
    assert whole.seconds == pytest.approx(9, abs=0.01)


def test_stale_shots_are_marked_in_the_record(made: Made) -> None:
    made.shoot("a", "b", "c")
    made.join()
    made.board = arrange("the night", ["a", Shot(prompt="b", take=2), "c"])
    made.links = links_of(made.board, made.known, remake_stale=False)
    assert made.join().stale == ("3",)
    assert examine(made.store.open("b/sequences/the-night.mp4")), "the earlier whole stays where it is"
