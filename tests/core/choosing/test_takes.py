"""Which takes there are, and which of them a file of marks keeps."""

from __future__ import annotations

import json
from typing import Any

import pytest

from prefect_omnivideo.core.choosing.takes import Takes, choice_of, chosen, takes_of
from prefect_omnivideo.core.errors import RequestError
from prefect_omnivideo.core.records.model import VideoRecord
from prefect_omnivideo.core.reports.marks import Marks, read_marks
from tests.core.records.samples import MOMENT, record, stored


def videos() -> list[VideoRecord]:
    return [
        *(stored(record("apple", take=take)) for take in (2, 1)),
        record("apple", take=3),
        stored(record("pear")),
        stored(record("apple", aspect_ratio="9:16")),
        record("plum").failed("moderated", "no"),
    ]


def takes() -> dict[str, Takes]:
    found = takes_of(videos())
    assert len(found) == 4
    return {f"{each.request.prompt} {each.request.aspect_ratio or ''}".strip(): each for each in found}


def marks(*given: tuple[VideoRecord, str], batch: str = "daily") -> Marks:
    listed: list[dict[str, Any]] = [{"key": video.key, "mark": mark} for video, mark in given]
    return read_marks(json.dumps({"batch": batch, "marks": listed}).encode())


def test_takes_of_one_request_are_together_and_in_order() -> None:
    apple = takes()["apple"]
    assert [video.request.take for video in apple.stored] == [1, 2]
    assert (apple.others, apple.next_take, apple.request.take) == (1, 4, 1)
    assert takes()["plum"].stored == []
    assert len({each.key for each in takes().values()}) == 4


def test_a_file_keeps_what_is_marked_so_and_nothing_else() -> None:
    apple, pear, tall = (takes()[name] for name in ("apple", "pear", "apple 9:16"))
    given = marks((apple.stored[1], "keep"), (apple.stored[0], "again"), (pear.stored[0], "reject"))
    choice = choice_of(given, "daily", list(takes().values()), MOMENT, "file marks.json")
    assert [video.key for video in choice.kept] == [apple.stored[1].key]
    assert choice.without == 3
    assert [(wanted.prompt, wanted.take) for wanted in choice.again] == [("apple", 4)]
    assert tall.stored[0] not in choice.kept


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (marks(batch="other"), "has the marks of the batch other, not of daily"),
        (marks((stored(record("unheard of")), "keep")), "is no stored video of the batch daily"),
        (marks((record("plum"), "keep")), "is no stored video of the batch daily"),
        (
            marks((stored(record("apple")), "keep"), (stored(record("apple", take=2)), "keep")),
            "'apple' has several takes marked keep: 1, 2 (accepted: one of a prompt)",
        ),
    ],
)
def test_a_file_that_does_not_fit_is_refused_whole(given: Marks, says: str) -> None:
    with pytest.raises(RequestError) as refused:
        choice_of(given, "daily", list(takes().values()), MOMENT, "f")
    assert says in str(refused.value)
    assert {problem.field for problem in refused.value.problems} == {"choices"}


def test_the_only_take_of_a_prompt_is_kept_without_asking() -> None:
    apple = takes()["apple"]
    for number in (1, 2):
        choice = chosen(list(takes().values()), {apple.key: number}, by="Ada", source="form", at=MOMENT)
        assert [(video.request.prompt, video.request.take) for video in choice.kept] == [
            ("apple", number),
            ("pear", 1),
            ("apple", 1),
        ]
    choice = chosen(list(takes().values()), {apple.key: None}, by="Ada", source="form", at=MOMENT)
    assert apple.stored[0] not in choice.kept
    assert choice.without == 2
