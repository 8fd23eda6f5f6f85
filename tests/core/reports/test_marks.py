"""A file of marks is read whole or refused with every reason."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prefect_omnivideo.core.errors import RequestError
from prefect_omnivideo.core.reports.marks import Marks, read_marks

ONE, TWO = "0123456789abcdef", "fedcba9876543210"


def file(*marks: dict[str, Any], **changes: Any) -> bytes:
    return json.dumps({"batch": "daily", "store": "s3://videos", "marks": marks} | changes).encode()


def test_what_the_gallery_exports() -> None:
    marks = read_marks(
        file(
            {"key": ONE, "mark": "keep", "prompt": "a red apple", "take": 1},
            {"key": TWO, "mark": "again", "prompt": "a red apple", "take": 2},
        )
    )
    assert (marks.batch, marks.store) == ("daily", "s3://videos")
    assert [marks.keys(mark) for mark in ("keep", "reject", "again")] == [(ONE,), (), (TWO,)]
    assert marks.marks[1].take == 2


def test_what_a_person_writes() -> None:
    """A key and a mark are enough; an editor may put a byte order mark before it."""
    marks = read_marks(b"\xef\xbb\xbf" + file({"key": ONE, "mark": "reject"}, store=None))
    assert marks.keys("reject") == (ONE,)


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "Invalid JSON"),
        (b"key,mark\n", "Invalid JSON"),
        (b"\xff\xfe{\x00", "not text in UTF-8"),
        (b"[]", "file: Input should be an object"),
        (b'{"batch": "daily"}', "marks: Field required"),
        (file(batch=""), "batch: "),
        (file({"key": ONE, "mark": "maybe"}), "marks.0.mark: Input should be 'keep', 'reject' or 'again', got 'maybe'"),
        (file({"key": "../../x", "mark": "keep"}), "marks.0.key: "),
        (file({"key": ONE + "\n", "mark": "keep"}), "marks.0.key: "),
        (file({"key": ONE, "mark": "keep", "take": 0}), "marks.0.take: "),
        (file({"key": ONE, "mark": "keep", "stars": 5}), "marks.0.stars: Extra inputs"),
        (file({"key": ONE, "mark": "keep"}, marked=1), "marked: Extra inputs"),
        (file({"key": ONE, "mark": "keep"}, {"key": ONE, "mark": "reject"}), f"{ONE} marked more than once"),
    ],
)
def test_anything_else_is_refused(data: bytes, says: str) -> None:
    with pytest.raises(RequestError) as refused:
        read_marks(data)
    assert str(refused.value).startswith("file of marks not acceptable: ")
    assert says in str(refused.value)
    assert "the file that the gallery exports" in str(refused.value)


def test_every_problem_is_told() -> None:
    with pytest.raises(RequestError) as refused:
        read_marks(file({"key": "x", "mark": "keep"}, {"key": ONE, "mark": "keep"}, {"key": TWO, "mark": ""}))
    assert [problem.field for problem in refused.value.problems] == ["marks.0.key", "marks.2.mark"]


FIELDS = st.none() | st.text() | st.lists(st.dictionaries(st.text(), st.integers()))
OBJECTS = st.dictionaries(st.sampled_from(["batch", "store", "marks"]), FIELDS).map(lambda v: json.dumps(v).encode())


@given(st.binary() | st.text().map(str.encode) | OBJECTS)
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    with contextlib.suppress(RequestError):
        assert isinstance(read_marks(data), Marks)
