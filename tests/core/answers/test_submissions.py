"""Answers to a submission: which job was accepted, in every shape the documents show."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from prefect_omnivideo.core.answers.submission import read_submission
from prefect_omnivideo.core.gateways.registry import get_gateway
from prefect_omnivideo.core.gateways.specification import Accepted, Answer, Job, Unknown
from prefect_omnivideo.core.gateways.words import JobStatus

QUEUED, RUNNING, SUCCEEDED = JobStatus.QUEUED, JobStatus.RUNNING, JobStatus.SUCCEEDED


def _accepted(gateway: str, answer: Answer) -> Job:
    outcome = read_submission(get_gateway(gateway), answer)
    assert isinstance(outcome, Accepted), outcome
    return outcome.job


def _answer(body: Any, status: int = 200, **headers: str) -> Answer:
    return Answer(status, {name.replace("_", "-"): value for name, value in headers.items()}, body, str(body)[:500])


@pytest.mark.parametrize(
    ("gateway", "body", "task_id", "status"),
    [
        pytest.param(
            "12ai",
            {"id": "task_xxx", "status": "queued", "model": "omni_flash-10s", "created_at": 1760000000},
            "task_xxx",
            QUEUED,
            id="12AI",
        ),
        pytest.param(
            "12ai",
            {"id": "task_1", "task_id": "task_1", "object": "video", "status": "queued", "progress": 0, "size": "1x1"},
            "task_1",
            QUEUED,
            id="12AI: third-party log",
        ),
        pytest.param("12ai", {"id": "task_1", "status": ""}, "task_1", QUEUED, id="12AI: Veo page, empty status"),
        pytest.param("omnirouters", {"task_id": "t"}, "t", QUEUED, id="OmniRouters: task_id, very early new-api"),
        pytest.param("omnirouters", {"taskId": "t", "status": "queued"}, "t", QUEUED, id="OmniRouters: taskId"),
        pytest.param("omnirouters", {"id": "t", "status": "submitted"}, "t", QUEUED, id="OmniRouters: id"),
        pytest.param(
            "omnirouters", {"data": {"task_id": "t", "status": "queued"}}, "t", QUEUED, id="OmniRouters: data"
        ),
        pytest.param("omnirouters", {"result": {"taskId": "t"}}, "t", QUEUED, id="OmniRouters: result"),
        pytest.param("omnirouters", {"output": {"id": "t"}}, "t", QUEUED, id="OmniRouters: output"),
        pytest.param("omnirouters", {"data": [{"id": "t"}]}, "t", QUEUED, id="OmniRouters: data list"),
        pytest.param(
            "omnirouters",
            {"code": "success", "message": "", "data": {"id": 17, "task_id": "t", "status": "NOT_START"}},
            "t",
            QUEUED,
            id="generations: row number beside task_id",
        ),
        pytest.param("omnirouters", {"task_id": 4711}, "4711", QUEUED, id="numeric task_id"),
        pytest.param(
            "omnirouters", {"status": "success", "data": {"task_id": "t"}}, "t", QUEUED, id="envelope says success"
        ),
        pytest.param(
            "omnirouters",
            {"id": "outer", "status": "queued", "data": {"id": "upstream", "status": "processing"}},
            "outer",
            QUEUED,
            id="submission answer: public id, not the upstream one",
        ),
        pytest.param(
            "omnirouters",
            {"code": "created", "data": {"task_id": "t", "status": "queued"}},
            "t",
            QUEUED,
            id="undocumented code beside a job",
        ),
        pytest.param(
            "omnirouters",
            {"id": "t", "status": "queued", "error": {"message": "warning"}},
            "t",
            QUEUED,
            id="error object beside a job",
        ),
        pytest.param(
            "sora",
            {"id": "v", "object": "video", "model": "m", "status": "queued", "progress": 0}
            | {"created_at": 1760000000123, "seconds": "8"},
            "v",
            QUEUED,
            id="Sora-compatible: milliseconds",
        ),
        pytest.param("sora", {"id": "v", "status": "in_progress"}, "v", RUNNING, id="Sora-compatible: in_progress"),
        pytest.param(
            "sora",
            {"id": "v", "status": "completed", "video_url": "https://e.com/v.mp4"},
            "v",
            SUCCEEDED,
            id="done at once, with its link",
        ),
        pytest.param("sora", {"id": "v", "status": "completed"}, "v", QUEUED, id="done at once, without a link"),
        pytest.param(
            "apimart",
            {"code": 200, "data": [{"status": "submitted", "task_id": "task_01KS"}]},
            "task_01KS",
            QUEUED,
            id="APIMart: list",
        ),
        pytest.param(
            "apimart",
            {
                "code": 200,
                "data": {"id": "task_1", "status": "submitted", "progress": 0, "created": 1, "type": "video"},
            },
            "task_1",
            QUEUED,
            id="APIMart: object",
        ),
        pytest.param("apimart", {"code": "200", "data": [{"id": "t"}]}, "t", QUEUED, id="APIMart: code as text"),
        pytest.param(
            "jimmyai",
            {"code": "20000", "msg": "ok", "data": {"task_id": "t", "status": "queued", "created_at": 123}},
            "t",
            QUEUED,
            id="JimmyAI",
        ),
        pytest.param("jimmyai", {"code": 20000, "data": {"task_id": "t"}}, "t", QUEUED, id="JimmyAI: code as number"),
        pytest.param("jimmyai", {"task_id": "t", "status": "pending"}, "t", QUEUED, id="JimmyAI: no envelope"),
    ],
)
def test_the_accepted_job(gateway: str, body: Any, task_id: str, status: JobStatus) -> None:
    job = _accepted(gateway, _answer(body))
    assert (job.task_id, job.status) == (task_id, status)


@pytest.mark.parametrize("stamp", [1760000000, 1760000000000, "1760000000"])
def test_times_are_seconds_or_milliseconds(stamp: int | str) -> None:
    job = _accepted("sora", _answer({"id": "v", "created_at": stamp}))
    assert job.created_at == datetime(2025, 10, 9, 8, 53, 20, tzinfo=UTC)


@pytest.mark.parametrize(
    "body",
    [
        None,
        {},
        [],
        "ok",
        {"code": "success", "data": None},
        {"code": "success", "data": {"id": 17}},
        {"id": ""},
        {"id": "   "},
        {"id": 17},
        {"task_id": None},
        {"task_id": True},
        {"data": []},
        {"success": False, "message": "no"},
    ],
    ids=str,
)
def test_a_good_answer_without_a_task_id_is_unknown(body: Any) -> None:
    """The job may exist: such an answer is neither an acceptance nor a refusal."""
    outcome = read_submission(get_gateway("omnirouters"), _answer(body))
    assert isinstance(outcome, Unknown)
    assert "without a task id" in outcome.message


def test_any_2xx_is_an_acceptance() -> None:
    assert _accepted("sora", _answer({"id": "v"}, status=202)).task_id == "v"


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"openai_poll_after_ms": "2500"}, 2.5),
        ({"retry_after": "7"}, 7.0),
        ({"openai_poll_after_ms": "2500", "retry_after": "7"}, 2.5),
        ({"openai_poll_after_ms": "soon"}, None),
        ({}, None),
    ],
    ids=str,
)
def test_when_to_ask_next(headers: dict[str, str], seconds: float | None) -> None:
    job = _accepted("sora", _answer({"id": "v"}, **headers))
    assert job.poll_after == seconds
