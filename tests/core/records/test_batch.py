"""Names of batches."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prefect_omnivideo.core.errors import RequestError
from prefect_omnivideo.core.records.batch import batch_name
from prefect_omnivideo.core.storage.base import checked_name

NEW_YEAR = datetime(2027, 1, 1, 9, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    ("template", "name"),
    [
        (None, "run-1"),
        ("launch", "launch"),
        ("daily-{date}", "daily-2027-01-01"),
        ("hourly/{hour}", "hourly/2027-01-01T09"),
        ("{month}", "2027-01"),
        ("{week}", "2026-W53"),
        ("a=b/{date}/{hour}_c.d", "a=b/2027-01-01/2027-01-01T09_c.d"),
    ],
)
def test_names(template: str | None, name: str) -> None:
    """The ISO week of the first days of January can belong to the year before."""
    assert batch_name(template, default="run-1", moment=NEW_YEAR) == name


@pytest.mark.parametrize(
    "template",
    ["", " ", "a b", "a/", "/a", "a//b", "..", "a/..", ".a", "{day}", "{}", "{date", "date}", "{{date}}", "é", "a\n"],
)
def test_refused(template: str) -> None:
    """The error names the field and lists what is accepted."""
    with pytest.raises(RequestError) as raised:
        batch_name(template, default="run-1", moment=NEW_YEAR)
    (problem,) = raised.value.problems
    assert problem.field == "batch"
    assert "{date}, {hour}, {month}, {week}" in problem.accepted


def test_too_long() -> None:
    with pytest.raises(RequestError, match="at most 200 characters"):
        batch_name("x" * 201, default="run-1", moment=NEW_YEAR)


def test_default_is_checked() -> None:
    """A run id is a fine name; whatever else is given must be one too."""
    with pytest.raises(RequestError):
        batch_name(None, default="../x", moment=NEW_YEAR)


@given(st.text() | st.from_regex(r"[a-z./={}-]{1,12}"), st.datetimes())
def test_a_name_is_a_place(template: str, moment: datetime) -> None:
    """Any text is refused, or is a name within every store, and fills in to itself."""
    try:
        name = batch_name(template, default="run-1", moment=moment)
    except RequestError:
        return
    assert checked_name(f"{name}/report.json")
    assert batch_name(name, default="run-1", moment=moment) == name
