"""Corrections of a gateway's answers: tried before everything else, checked when they are saved."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from prefect_omnivideo import SoraCompatibleCredentials
from prefect_omnivideo.blocks.answers import AnswerCorrections
from prefect_omnivideo.core.answers.status import read_status
from prefect_omnivideo.core.answers.submission import read_submission
from prefect_omnivideo.core.gateways.corrections import corrected
from prefect_omnivideo.core.gateways.registry import get_gateway
from prefect_omnivideo.core.gateways.specification import Accepted, Answer, Gateway
from prefect_omnivideo.core.gateways.words import JobStatus


def gateway(**answers: Any) -> Gateway:
    return corrected(get_gateway("sora"), AnswerCorrections.model_validate(answers).corrections())


def test_the_task_id_is_where_the_correction_says() -> None:
    answer = Answer(200, {}, {"id": "not-this", "job": {"uuid": "this-one"}})
    outcome = read_submission(gateway(task_id=["job.uuid"]), answer)
    assert isinstance(outcome, Accepted)
    assert outcome.task_id == "this-one"


def test_status_words_and_links_are_as_corrected() -> None:
    body = {"id": "t", "status": "completed", "phase": {"now": "Baked"}, "parts": [{"m": "https://e.com/a"}]}
    job = read_status(
        gateway(status=["phase.now"], links=["parts[].m"], words={"baked": "succeeded"}), Answer(200, {}, body), "t"
    )
    assert (job.status, job.status_word) == (JobStatus.SUCCEEDED, "Baked")
    assert [(link.url, link.is_documented) for link in job.links] == [("https://e.com/a", True)]


def test_a_word_can_be_made_to_mean_something_else() -> None:
    answer = Answer(200, {}, {"id": "t", "status": "rejected"})
    assert read_status(gateway(), answer, "t").status is JobStatus.FAILED
    assert read_status(gateway(words={"Rejected": "running"}), answer, "t").status is JobStatus.RUNNING


def test_a_correction_that_finds_nothing_changes_nothing() -> None:
    answer = Answer(200, {}, {"id": "t", "status": "completed", "video_url": "https://e.com/v.mp4"})
    assert read_status(gateway(status=["a.b"], links=["c[].d"]), answer, "t") == read_status(gateway(), answer, "t")


@pytest.mark.parametrize(
    ("answers", "says"),
    [
        ({"links": ["data[.url"]}, "is not a JMESPath expression"),
        ({"words": {"baked": "eaten"}}, "succeeded"),
        ({"link": ["x"]}, "link"),
    ],
)
def test_a_bad_correction_is_refused_when_it_is_saved(answers: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        SoraCompatibleCredentials.model_validate(
            {"api_key": "sk-key", "base_url": "https://gateway.example", "answers": answers}
        )


def test_accounts_with_the_same_corrections_are_one_account() -> None:
    """They share a client and its limits."""
    one, other = (
        SoraCompatibleCredentials.model_validate(
            {"api_key": "sk-key", "base_url": "https://gateway.example", "answers": {"links": ["a.b"]}}
        )
        for _ in range(2)
    )
    assert one.account() == other.account()
    assert hash(one.account()) == hash(other.account())
