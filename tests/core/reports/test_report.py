"""The report says the truth, in words that stay words."""

from __future__ import annotations

import html
import json

import pytest
from markdown_it import MarkdownIt

from prefect_omnivideo.core.errors import FailureCategory
from prefect_omnivideo.core.money.amount import Amount
from prefect_omnivideo.core.records.sequence import Sequence, SequenceShot, Whole
from prefect_omnivideo.core.reports.cards import card_of
from prefect_omnivideo.core.reports.commands import resolve_commands
from prefect_omnivideo.core.reports.gallery import gallery
from prefect_omnivideo.core.reports.report import BatchReport
from prefect_omnivideo.core.reports.start_page import entry_of
from prefect_omnivideo.core.reports.wording import ADVICE, title, what_to_do
from tests.core.records.samples import MOMENT, attempt, record, stored

HOSTILE = (
    "</td><script>alert(1)</script> | [click](https://evil.example) `x` *b* ~~s~~ https://evil.example\n# h \u202e <b>"
)


def report(*records: object, **settings: object) -> BatchReport:
    return BatchReport.model_validate({"batch": "daily", "records": records, **settings})


def full() -> BatchReport:
    """One video in every state."""
    return report(
        stored(record("one")),
        record("two").submitted("task_2"),
        record("three"),
        record("four").failed("moderated", "content policy", accepted=False),
        record("five").submitted("task_5").failed("gateway error", "worker died"),
        record("six").unknown(),
    )


def test_groups() -> None:
    """Each video is in exactly one group, in the order asked for."""
    batch = full()
    groups = (batch.stored, batch.pending, batch.failed, batch.unknown)
    assert [[video.request.prompt for video in group] for group in groups] == [
        ["one"],
        ["two", "three"],
        ["four", "five"],
        ["six"],
    ]
    assert batch.counts == {"stored": 1, "pending": 2, "failed": 2, "unknown": 1}


def test_summary() -> None:
    assert full().summary() == (
        "6 videos: 1 stored, 2 still being made, 2 failed, 1 of unknown outcome that may have been paid. "
        "Cost so far: 0.25 USD, without 4 jobs of unknown cost."
    )
    assert report(stored(record())).summary() == "1 video: 1 stored. Cost so far: 0.25 USD."
    assert report().summary() == "0 videos."


def test_cost_is_what_was_told() -> None:
    """Every attempt counts; nothing told is not zero."""
    assert report(record()).cost == ()
    twice = (
        record()
        .submitted("a")
        .finished(Amount.parse("0.5 USD"))
        .failed("gateway error", "x")
        .again(attempt())
        .submitted("b")
    )
    batch = report(stored(record("other")), twice.finished(Amount.parse("10 credits")))
    assert batch.cost == (Amount.parse("0.75 USD"), Amount.parse("10 credits"))
    assert batch.without_cost == 0
    lost = record().unknown().released().again(attempt()).failed("no balance", "none", accepted=False)
    charged = lost.again(attempt()).submitted("c").finished(Amount.parse("1 USD")).released().again(attempt())
    assert (lost.without_cost, charged.without_cost, charged.submitted("d").without_cost) == (0, 1, 1)
    assert report(charged).summary().endswith("Cost so far: 1.00 USD, without 1 job of unknown cost.")
    assert json.loads(report(charged).to_json())["jobs_without_cost"] == 1
    assert "cost 1.00 USD and more, not known" in card_of(charged, report(charged)).facts
    assert entry_of(report(charged).to_json()).told == "1.00 USD and more, not known"


def test_costs_per_account() -> None:
    """Accounts have currencies of their own, and some say nothing."""
    other = record("other").again(attempt(account="second")).submitted("b").finished(Amount.parse("40 credits"))
    page = report(stored(record()), record("two").submitted("c"), other).markdown()
    assert "| account | unit | videos | seconds | estimate | cost | without video | cost unknown |" in page
    assert "| prod | USD | 1 | 8.0 | unknown | 0.25 | 0.00 | 0 |" in page
    assert "| prod | unknown | 0 | 0.0 | unknown | unknown | unknown | 2 |" in page  # and that of the first attempt
    assert "| second | credits | 0 | 0.0 | unknown | 40 | 40 | 0 |" in page
    assert "- the cost of 2 jobs is unknown and in no sum." in page


def test_the_estimate_stands_beside_the_cost() -> None:
    """Of jobs that were accepted: what was not accepted cost nothing."""
    known = {"estimate": "0.3 USD", "estimated_from": "price list"}
    made = record("one").again(attempt(**known)).submitted("a").finished(Amount.parse("0.25 USD"))
    refused = record("two").again(attempt(**known)).failed("refused", "no", accepted=False)
    batch = report(made, refused, record("three").submitted("c"))
    assert "| prod | USD | 0 | 0.0 | 0.30 | 0.25 | 0.25 | 0 |" in batch.markdown()
    told = json.loads(batch.to_json())["accounts"]
    assert [each["account"] for each in told] == ["prod", "prod"]
    assert told[1] | {"unit": "USD", "estimate": "0.30", "cost": "0.25", "cost_without_video": "0.25"} == told[1]
    assert told[1] | {"jobs": 1, "videos": 0, "difference": "-0.05", "cost_per_second": None} == told[1]
    assert told[0] | {"unit": "", "cost": None, "estimate": None, "jobs": 3, "jobs_without_cost": 3} == told[0]


def test_unknown_is_said_as_it_is() -> None:
    """May have been paid, when and where it was sent, and how to settle it."""
    page = report(record("six").unknown(), store="s3://videos/omni").markdown()
    assert "may have been accepted and paid" in page
    assert "never sent again" in page
    assert "2026-08-01 09:30:00 UTC" in page
    assert "through prod at `https://api.apimart.ai`" in page
    key = record("six").key
    for decision in ("--task-id TASK_ID", "--resubmit", "--abandon"):
        assert f"`omnivideo resolve {key} --batch=daily --store s3://videos/omni {decision}`" in page


def test_commands_stay_code() -> None:
    """Whatever the folder is called, its backticks do not end the code."""
    batch = report(record("six").unknown(), store="file:///a`b|c")
    rendered = MarkdownIt("commonmark").enable("table").render(batch.markdown())
    for command in resolve_commands(batch.unknown[0], batch.store).values():
        assert f"<code>{html.escape(command, quote=False)}</code>" in rendered


@pytest.mark.parametrize("category", ADVICE)
@pytest.mark.parametrize("accepted", [True, False])
def test_advice(category: FailureCategory, accepted: bool) -> None:
    """It says whether money may be gone, and promises another try only where there will be one."""
    video = record().failed(category, "reason", accepted=accepted)
    advice = what_to_do(video)
    assert ("may have charged" in advice) is accepted
    assert ("Nothing was spent" in advice) is not accepted
    assert ("the next run of the batch sends it again" in advice) is (video.failure and video.failure.may_resubmit)
    assert not (category == "moderated" and "another take" in advice)


def test_no_advice_without_need() -> None:
    assert what_to_do(stored(record())) == what_to_do(record()) == ""


def test_pending_is_no_failure() -> None:
    page = report(record("two").submitted("task_2")).markdown()
    assert "Not a failure" in page
    assert "- **two** is submitted with the account prod, task task\\_2\n" in page


def test_what_came_otherwise_is_said() -> None:
    """On the page, in `report.json` and in the gallery."""
    video = stored(record("one")).model_copy(update={"mismatches": ("asked for 1080p, got 720p", "no sound")})
    batch = report(video, stored(record("two")))
    assert "- **one**: asked for 1080p, got 720p; no sound" in batch.markdown()
    assert batch.markdown().count("asked for") == 2, "a heading and one line"
    assert json.loads(batch.to_json())["records"][0]["mismatches"] == ["asked for 1080p, got 720p", "no sound"]
    assert "asked for 1080p, got 720p; no sound" in gallery(batch)
    assert "asked for" not in report(stored(record())).markdown()


def test_hostile_text_stays_text() -> None:
    """Prompts and reasons cannot add columns, links, markup or HTML."""
    page = report(
        record(HOSTILE).failed("refused", HOSTILE), record(HOSTILE, seed=1).unknown(), record(HOSTILE, seed=2)
    ).markdown()
    rendered = MarkdownIt("commonmark", {"linkify": False}).enable(["table", "strikethrough"]).render(page)
    for never in ("<script", "<a ", "<em", "<h3", "<s>", "<b>", "\u202e"):
        assert never not in rendered
    assert rendered.count("<tr>") == 2
    assert rendered.count("<strong>") == 3, "the names of the videos"
    assert "&lt;script&gt;alert(1)&lt;/script&gt; | [click](https://evil.example) `x` *b*" in rendered


def test_title() -> None:
    """Short, and told apart from another take of the same."""
    assert title(record("x" * 500)) == "x" * 119 + "…"
    assert title(record("a  red\napple", take=2)) == "a red apple (take 2)"
    assert title(record("", first_frame="https://example.com/a.png")) == "(no prompt)"


def test_json() -> None:
    """For programs: the same numbers, and every record whole."""
    batch = full().model_copy(update={"gallery": "s3://videos/daily/index.html"})
    value = json.loads(batch.to_json())
    assert value["counts"] == batch.counts
    assert (value["cost"], value["summary"], value["gallery"]) == (
        ["0.25 USD"],
        batch.summary(),
        "s3://videos/daily/index.html",
    )
    assert [video["state"] for video in value["records"]] == [video.state.value for video in batch.records]


def test_addresses() -> None:
    page = full().model_copy(update={"gallery": "s3://videos/daily/index.html"}).markdown()
    assert "Gallery: `s3://videos/daily/index.html`" in page
    assert "Report:" not in page


def test_survives_a_round_trip() -> None:
    """Prefect keeps results as JSON."""
    batch = full()
    assert BatchReport.model_validate_json(batch.model_dump_json()) == batch


def test_what_a_person_gave_up_is_settled() -> None:
    lost = record("lost").unknown()
    given_up = record("given up").failed("abandoned", "a person gave it up")
    assert report(lost, given_up).unresolved == (lost,)


def test_sequences_are_told() -> None:
    """Where the whole is, why there is none, and what is stale; a name stays text."""
    shot = SequenceShot(shot="2", key="0" * 16, is_stale=True)
    whole = Whole(name="daily/sequences/a.mp4", uri="s3://v/daily/sequences/a.mp4", size=1, seconds=9.04)
    batch = report(
        sequences=[
            Sequence(storyboard="a", batch="daily", shots=(shot,), whole=whole, written_at=MOMENT),
            Sequence(storyboard=HOSTILE, batch="daily", shots=(shot,), problem="shot 2 <b>", written_at=MOMENT),
        ]
    )
    page = MarkdownIt().render(batch.markdown())
    assert "<strong>a</strong>: 1 shot, 9.0 s, <code>s3://v/daily/sequences/a.mp4</code>" in page
    assert page.count("Shot 2 is stale: what it continues was made anew since.") == 2
    assert "<script>" not in page
    assert "not joined: shot 2 &lt;b&gt;" in page
    found = json.loads(batch.to_json())["sequences"]
    assert [each["whole"] and each["whole"]["seconds"] for each in found] == [9.04, None]
