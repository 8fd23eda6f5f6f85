"""A comparison says what each contender made of each prompt, what it did cost, and what is not known."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from typing import Any

from prefect_omnivideo.core.money.amount import Amount
from prefect_omnivideo.core.records.model import VideoRecord
from prefect_omnivideo.core.reports.comparison import Comparison, Contender
from prefect_omnivideo.core.request import VideoRequest
from tests.core.records.samples import record, stored

ONE, TWO = Contender("apimart", "apimart", "apimart", ""), Contender("sora-veo3", "sora", "sora", "veo3")
HOSTILE = "<script>window.owned = 1</script> | [x](javascript:alert(1)) {{ 7 * 7 }}"
REQUESTS = [VideoRequest(prompt=prompt) for prompt in ("apple", "pear", HOSTILE)]


def made(contender: Contender, prompt: str, *, cost: str | None = "0.25 USD", seconds: float = 12) -> VideoRecord:
    video = stored(record(prompt, f"trial/{contender.name}"), poster=True)
    start = video.attempt.started_at
    changes: dict[str, Any] = {
        "cost": Amount.parse(cost) if cost else None,
        "submitted_at": start,
        "finished_at": start + timedelta(seconds=seconds),
    }
    return video.model_copy(
        update={"attempts": (video.attempt.model_copy(update=changes),), "mismatches": ("it is 8 s, not 5 s",)}
    )


def comparison() -> Comparison:
    apple, pear, hostile = (request.key for request in REQUESTS)
    records = {
        (ONE.name, apple): made(ONE, "apple"),
        (ONE.name, pear): made(ONE, "pear", cost=None, seconds=20),
        (TWO.name, apple): made(TWO, "apple", cost="30 credits"),
        (TWO.name, pear): record("pear", f"trial/{TWO.name}").failed("moderated", "no <b>pears</b>"),
    }
    why = {(ONE.name, hostile): "it was left out, as the budget is reached"}
    refused = {(TWO.name, hostile): "duration: 5 is not accepted"}
    return Comparison("trial", "Trial", [ONE, TWO], REQUESTS, records, why, refused)


def test_totals_count_what_is_there_and_say_what_is_not_known() -> None:
    one, two = comparison().columns
    assert (one.stored, one.cost, one.made_in, one.seconds) == (2, "0.25 USD and 1 of unknown cost", 16, 16)
    assert (two.stored, two.cost) == (1, "30 credits and 1 of unknown cost"), (
        "it was accepted, and may have been billed"
    )
    assert comparison().summary() == (
        "3 prompts: apimart 2 of 3 (0.25 USD and 1 of unknown cost), "
        "sora-veo3 1 of 3 (30 credits and 1 of unknown cost)."
    )


def test_the_page_links_videos_relative_to_itself_and_hostile_prompts_are_text() -> None:
    page = comparison().page()
    assert re.findall(r'class="frame" href="([^"]*)"', page) == [
        f"{contender.name}/{request.slug}-{request.key}.mp4"
        for request, contender in ((REQUESTS[0], ONE), (REQUESTS[0], TWO), (REQUESTS[1], ONE))
    ]
    assert "<script>window" not in page
    assert "<b>pears" not in page
    assert page.count("Play together") == 1
    for said in (
        "cannot make it",
        "duration: 5 is not accepted",
        "left out",
        "cost not known",
        "made in 12 s",
        "0.25 USD",
    ):
        assert said in page
    assert "it is 8 s, not 5 s" in page


def test_the_data_have_every_cell() -> None:
    data = json.loads(comparison().to_json())
    assert [each["name"] for each in data["contenders"]] == ["apimart", "sora-veo3"]
    states = [[cell["state"] for cell in row["cells"].values()] for row in data["rows"]]
    assert states == [["stored", "stored"], ["stored", "failed"], ["missing", "cannot"]]
    cell = data["rows"][1]["cells"]["apimart"]
    assert (cell["cost"], cell["cost_is_known"], cell["seconds_to_make"]) == ([], False, 20)
    assert data["rows"][2]["request"]["prompt"] == HOSTILE
    assert cell["differences"] == ["it is 8 s, not 5 s"]


def test_the_table_of_the_ui_has_a_row_a_prompt() -> None:
    page = comparison().markdown("https://videos.example/trial/compare.html")
    rows = [line for line in page.splitlines() if line.startswith("|")]
    assert len(rows) == 2 + 3 + 1
    assert {len(re.findall(r"(?<!\\)\|", row)) for row in rows} == {4}
    assert "<script>" not in page


def test_a_thousand_prompts_make_a_short_table() -> None:
    requests = [VideoRequest(prompt=str(number)) for number in range(1000)]
    page = Comparison("trial", "Trial", [ONE, TWO], requests, {}, {}, {}).markdown()
    assert "And 950 more prompts." in page
