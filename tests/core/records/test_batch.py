"""Names of batches."""

from __future__ import annotations

import unicodedata
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prefect_omnivideo.core.errors import RequestError
from prefect_omnivideo.core.records.batch import BatchName, batch_name
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
        ("Autumn campaign", "Autumn-campaign"),
        ("Autumn campaign/{date}", "Autumn-campaign/2027-01-01"),
        (" Autumn \u00a0campaign ", "Autumn-campaign"),
        ("Käse & Brot", "Kase-Brot-602b1a7c"),
        ("海边", "batch-16a29887"),
        ("C:\\temp", "C-temp-f6a67887"),
    ],
)
def test_names(template: str | None, name: str) -> None:
    """The ISO week of the first days of January can belong to the year before. Names never change: videos were paid."""
    assert batch_name(template, default="run-1", moment=NEW_YEAR) == name


@pytest.mark.parametrize(
    ("template", "typed"),
    [("launch", "launch"), ("Käse & Brot {week}", "Käse & Brot 2026-W53"), ("  a   b / c ", "a b/c")],
)
def test_the_title_stays_as_typed(template: str, typed: str) -> None:
    assert batch_name(template, default="run-1", moment=NEW_YEAR).typed == typed


@pytest.mark.parametrize(
    ("template", "why"),
    [
        ("", "it is empty"),
        (" ", "it is empty"),
        ("a/", "ends with '/'"),
        ("/a", "begins or ends"),
        ("a//b", "'//'"),
        ("..", "begins with a dot"),
        ("a/..", "begins with a dot"),
        ("a/ ../b", "begins with a dot"),
        (".a", "begins with a dot"),
        ("{day}", "{day} is not a placeholder"),
        ("{}", "{} is not a placeholder"),
        ("{date", "a brace"),
        ("date}", "a brace"),
        ("{{date}}", "a brace"),
        ("a\n", "control character"),
        ("a\x00b", "control character"),
        ("a\ud800", "control character"),
        ("x" * 201, "longer than 200 characters"),
    ],
)
def test_refused(template: str, why: str) -> None:
    """The error names the field, the rule, and lists what is accepted."""
    with pytest.raises(RequestError) as raised:
        batch_name(template, default="run-1", moment=NEW_YEAR)
    (problem,) = raised.value.problems
    assert problem.field == "batch"
    assert why in problem.rule
    assert "{date}, {hour}, {month}, {week}" in problem.accepted


def test_default_is_checked() -> None:
    """A run id is a fine name; whatever else is given must be one too."""
    with pytest.raises(RequestError):
        batch_name(None, default="../x", moment=NEW_YEAR)


@given(st.text() | st.from_regex(r"[a-zé ./={}-]{1,12}"), st.datetimes())
def test_a_name_is_a_place(template: str, moment: datetime) -> None:
    """Any text is refused, or makes a name within every store, which makes itself, as a title does."""
    try:
        name = batch_name(template, default="run-1", moment=moment)
    except RequestError:
        return
    assert checked_name(f"{name}/report.json")
    assert name.isascii()
    assert " " not in name
    assert batch_name(name, default="run-1", moment=moment) == name
    assert BatchName.of(name.typed) == name


@given(*[st.text(st.sampled_from("aé -_&!"), min_size=1, max_size=4)] * 2)
def test_two_titles_share_a_name_only_if_blanks_and_hyphens_make_the_difference(one: str, other: str) -> None:
    def same(title: str) -> str:
        return "-".join(unicodedata.normalize("NFC", title).split())

    try:
        names = BatchName.of(one), BatchName.of(other)
    except RequestError:
        return
    assert (names[0] == names[1]) is (same(one) == same(other))
