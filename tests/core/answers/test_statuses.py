"""Answers to a status query: where the job stands, its links, times and cost, in every shape the documents show."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from prefect_omnivideo.core.answers.status import job_failure, read_status
from prefect_omnivideo.core.errors import StatusUnavailableError
from prefect_omnivideo.core.gateways.corrections import Corrections, corrected
from prefect_omnivideo.core.gateways.registry import get_gateway
from prefect_omnivideo.core.gateways.specification import Answer, Job, Link
from prefect_omnivideo.core.gateways.words import JobStatus, normalise
from prefect_omnivideo.core.money.amount import Amount

_URL, _OTHER = "https://cdn.example.com/v.mp4", "https://cdn.example.com/w.mp4"


def _status(gateway: str, body: Any) -> Job:
    return read_status(get_gateway(gateway), Answer(200, {}, body, str(body)[:500]), "task_1")


_NEW_API = {"": "queued", "NOT_START": "queued", "SUBMITTED": "queued", "QUEUED": "queued", "UNKNOWN": "queued"} | {
    "IN_PROGRESS": "running",
    "SUCCESS": "succeeded",
    "FAILURE": "failed",
    "queued": "queued",
    "in_progress": "running",
    "processing": "running",
    "running": "running",
    "completed": "succeeded",
    "succeeded": "succeeded",
    "done": "succeeded",
    "failed": "failed",
    "error": "failed",
    "cancelled": "cancelled",
    "canceled": "cancelled",
}
_WORDS: dict[str, dict[str, str]] = {
    "12ai": _NEW_API,
    "omnirouters": _NEW_API,
    "sora": _NEW_API,
    "apimart": {"submitted": "queued", "pending": "queued", "processing": "running", "completed": "succeeded"}
    | {"failed": "failed", "cancelled": "cancelled", "queued": "queued", "in_progress": "running"}
    | {"success": "succeeded", "failure": "failed", "error": "failed"},
    "jimmyai": {"queued": "queued", "pending": "queued", "submitted": "queued", "processing": "running"}
    | {"completed": "succeeded", "success": "succeeded", "failed": "failed", "canceled": "cancelled"}
    | {"cancelled": "cancelled"},
}


@pytest.mark.parametrize(
    ("gateway", "word", "neutral"),
    [(gateway, word, neutral) for gateway, words in _WORDS.items() for word, neutral in words.items()],
)
def test_every_documented_word(gateway: str, word: str, neutral: str) -> None:
    job = _status(gateway, {"task_id": "task_1", "status": word})
    assert (job.status, job.status_word) == (JobStatus(neutral), word)


@pytest.mark.parametrize("gateway", _WORDS)
@pytest.mark.parametrize("word", ["almost", "success_ish", "完成", 200, "50%"], ids=str)
def test_an_unknown_word_means_the_job_goes_on(gateway: str, word: Any) -> None:
    job = _status(gateway, {"task_id": "task_1", "status": word, "progress": 100, "doc_url": "https://e.com/help"})
    assert (job.status, job.links, job.status_word) == (JobStatus.RUNNING, (), str(word))


@pytest.mark.parametrize("gateway", _WORDS)
@pytest.mark.parametrize("word", ["almost", "完成", 200], ids=str)
def test_a_link_to_a_video_says_more_than_an_unknown_word(gateway: str, word: Any) -> None:
    job = _status(gateway, {"task_id": "task_1", "status": word, "video_url": _URL})
    assert (job.status, [link.url for link in job.links]) == (JobStatus.SUCCEEDED, [_URL])


@pytest.mark.parametrize("word", [" Completed ", "COMPLETED"])
def test_words_are_compared_without_case_and_margin(word: str) -> None:
    assert _status("sora", {"id": "v", "status": word}).status is JobStatus.SUCCEEDED


@pytest.mark.parametrize("word", ["in-progress", "In Progress", "IN_PROGRESS"])
def test_hyphens_and_blanks_count_as_underscores(word: str) -> None:
    gateway = get_gateway("apimart")
    assert gateway.statuses[normalise(word)] is JobStatus.RUNNING


@pytest.mark.parametrize(
    ("gateway", "body", "urls"),
    [
        pytest.param("12ai", {"id": "t", "status": "completed", "progress": 100, "video_url": _URL}, [_URL], id="12AI"),
        pytest.param("omnirouters", {"status": "success", "url": _URL}, [_URL], id="OmniRouters: url"),
        pytest.param(
            "omnirouters", {"status": "done", "urls": [_URL, _OTHER]}, [_URL, _OTHER], id="OmniRouters: urls list"
        ),
        pytest.param("omnirouters", {"status": "done", "urls": _URL}, [_URL], id="OmniRouters: urls text"),
        pytest.param(
            "omnirouters", {"data": {"status": "success", "video_url": _URL}}, [_URL], id="OmniRouters: in data"
        ),
        pytest.param(
            "omnirouters", {"result": {"status": "done", "urls": [_URL]}}, [_URL], id="OmniRouters: in result"
        ),
        pytest.param("omnirouters", {"status": "done", "output": {"url": _URL}}, [_URL], id="OmniRouters: in output"),
        pytest.param(
            "omnirouters", {"status": "done", "output": [{"url": _URL}]}, [_URL], id="Sora-compatible: output[0]"
        ),
        pytest.param("omnirouters", {"status": "done", "data": {"video_url": _URL}}, [_URL], id="link alone in data"),
        pytest.param(
            "omnirouters", {"status": "done", "result": {"id": "x", "url": _URL}}, [_URL], id="link with an id"
        ),
        pytest.param("sora", {"id": "v", "status": "completed", "metadata": {"url": _URL}}, [_URL], id="/v1/videos"),
        pytest.param("sora", {"id": "v", "status": "completed"}, [], id="/v1/videos: no link, /content serves it"),
        pytest.param(
            "sora",
            {"id": "v", "status": "completed", "video_url": _OTHER, "url": _URL},
            [_OTHER],
            id="Sora-compatible: preference",
        ),
        pytest.param(
            "sora",
            {"code": "success", "data": {"id": 7, "task_id": "t", "status": "SUCCESS", "result_url": _URL}},
            [_URL],
            id="generations: result_url",
        ),
        pytest.param(
            "sora",
            {"code": "success", "data": {"task_id": "t", "status": "SUCCESS", "fail_reason": _URL}},
            [_URL],
            id="generations: old rows keep it in fail_reason",
        ),
        pytest.param(
            "sora",
            {"code": "success", "data": {"task_id": "t", "status": "succeeded", "url": _URL, "format": "mp4"}},
            [_URL],
            id="generations: Gemini channels",
        ),
        pytest.param(
            "apimart",
            {"code": 200, "data": {"id": "t", "status": "completed", "result": {"videos": [{"url": [_URL]}]}}},
            [_URL],
            id="APIMart: list",
        ),
        pytest.param(
            "apimart",
            {"code": 200, "data": {"id": "t", "status": "completed", "result": {"videos": [{"url": _URL}]}}},
            [_URL],
            id="APIMart: text",
        ),
        pytest.param(
            "apimart",
            {
                "code": 200,
                "data": {
                    "id": "t",
                    "status": "completed",
                    "result": {"videos": [{"url": [_URL, _URL]}, {"url": _OTHER}]},
                },
            },
            [_URL, _OTHER],
            id="APIMart: several files",
        ),
        pytest.param(
            "jimmyai",
            {"code": "20000", "data": {"task_id": "t", "status": "completed", "result": {"video_url": _URL}}},
            [_URL],
            id="JimmyAI",
        ),
        pytest.param(
            "jimmyai", {"status": "completed", "result": {"video_url": _URL}}, [_URL], id="JimmyAI: no envelope"
        ),
        pytest.param(
            "jimmyai",
            {"code": 20000, "data": {"status": "success", "mediaUrl": _URL}},
            [_URL],
            id="JimmyAI: mediaUrl",
        ),
        pytest.param("jimmyai", {"code": 20000, "data": {"status": "success", "url": _URL}}, [_URL], id="JimmyAI: url"),
        pytest.param("sora", {"id": "v", "status": "completed", "url": "not a link"}, [], id="not a link"),
        pytest.param("sora", {"id": "v", "status": "completed", "url": "file:///etc/passwd"}, [], id="not http"),
        pytest.param("sora", {"id": "v", "status": "completed", "url": "http://["}, [], id="broken link"),
        pytest.param(
            "sora",
            {"id": "v", "status": "completed", "video_url": "", "url": _URL},
            [_URL],
            id="an empty one is passed over",
        ),
    ],
)
def test_links_of_a_finished_job(gateway: str, body: Any, urls: list[str]) -> None:
    job = _status(gateway, body)
    assert (job.status, [link.url for link in job.links if link.is_documented]) == (JobStatus.SUCCEEDED, urls)


@pytest.mark.parametrize("word", ["FAILURE", "IN_PROGRESS", "QUEUED", "UNKNOWN"])
def test_there_are_no_links_before_success(word: str) -> None:
    """On FAILURE, result_url may hold an error or a stale link (docs/gateways.md, Status on /v1/video/generations)."""
    body = {"code": "success", "data": {"task_id": "t", "status": word, "result_url": _URL, "fail_reason": _URL}}
    assert _status("omnirouters", body).links == ()


@pytest.mark.parametrize(
    ("outer", "inner", "status"),
    [("FAILURE", "IN_PROGRESS", "failed"), ("IN_PROGRESS", "completed", "running"), ("QUEUED", "processing", "queued")],
)
def test_the_outer_status_counts(outer: str, inner: str, status: str) -> None:
    """data.data may lag behind (docs/gateways.md, Status on /v1/video/generations); its links are ignored too."""
    raw = {"id": "upstream", "status": inner, "video_url": _URL}
    job = _status("sora", {"code": "success", "data": {"task_id": "t", "status": outer, "data": raw}})
    assert (job.status, job.links, job.task_id) == (JobStatus(status), (), "task_1")


def test_the_envelope_of_an_answer_has_no_say() -> None:
    body = {"status": "success", "data": {"task_id": "t", "status": "processing"}}
    assert _status("sora", body).status is JobStatus.RUNNING


def test_the_whole_success_example_of_apimart() -> None:
    data: dict[str, Any] = {"id": "task_1", "status": "completed", "progress": 100, "created": 1779246294}
    data |= {"completed": 1779246334, "actual_time": 40, "estimated_time": 60, "cost": 1.0, "credits_cost": 10}
    data |= {"result": {"videos": [{"url": [_URL], "expires_at": 1779332760}]}}
    assert _status("apimart", {"code": 200, "data": data}) == Job(
        task_id="task_1",
        status=JobStatus.SUCCEEDED,
        status_word="completed",
        progress=100.0,
        links=(Link(_URL, "result.videos[].url"),),
        expires_at=datetime.fromtimestamp(1779332760, UTC),
        cost=Amount.parse("1 USD"),
        created_at=datetime.fromtimestamp(1779246294, UTC),
        completed_at=datetime.fromtimestamp(1779246334, UTC),
        estimated_seconds=60.0,
    )


@pytest.mark.parametrize(
    ("progress", "percent"),
    [
        (0, 0.0),
        (91, 91.0),
        ("30%", 30.0),
        (" 100 % ", 100.0),
        ("7.5", 7.5),
        (250, 100.0),
        (-3, 0.0),
        ("soon", None),
        (None, None),
        (True, None),
        ("nan", None),
        ([], None),
    ],
    ids=str,
)
def test_progress_is_told_but_decides_nothing(progress: Any, percent: float | None) -> None:
    job = _status("sora", {"id": "v", "status": "in_progress", "progress": progress})
    assert (job.progress, job.status) == (percent, JobStatus.RUNNING)


def test_completed_at_counts_only_when_completed() -> None:
    """The gateway fills it early (docs/gateways.md, Status on /v1/videos)."""
    assert _status("sora", {"id": "v", "status": "in_progress", "completed_at": 1760000000}).completed_at is None


@pytest.mark.parametrize(
    "body", [None, [], "busy", {}, {"code": "success", "data": None}, {"data": []}, {"hm": 1}], ids=str
)
def test_an_unreadable_status_is_no_status(body: Any) -> None:
    with pytest.raises(StatusUnavailableError, match="no readable status for task_1") as caught:
        _status("omnirouters", body)
    assert not caught.value.not_found


@pytest.mark.parametrize(
    ("gateway", "body", "code", "message", "category"),
    [
        ("12ai", {"id": "t", "status": "failed", "error": {"message": "no", "code": "c"}}, "c", "no", "gateway error"),
        ("12ai", {"id": "t", "status": "failed", "error": "no"}, "", "no", "gateway error"),
        ("12ai", {"id": "t", "status": "failure", "fail_reason": "no"}, "", "no", "gateway error"),
        ("12ai", {"id": "t", "status": "failed", "error": {"why": 3}}, "", '{"why": 3}', "gateway error"),
        ("sora", {"id": "t", "status": "failed"}, "", "", "gateway error"),
        ("sora", {"id": "t", "status": "failed", "error": None}, "", "", "gateway error"),
        ("sora", {"id": "t", "status": "expired"}, "", "", "expired"),
        (
            "apimart",
            {
                "code": 200,
                "data": {"id": "t", "status": "failed", "error": {"code": 400, "message": "no", "type": "x"}},
            },
            "400",
            "no",
            "gateway error",
        ),
        ("apimart", {"code": 200, "data": {"id": "t", "status": "cancelled"}}, "", "", "cancelled"),
        (
            "jimmyai",
            {"code": "20000", "data": {"status": "failed", "error_message": "PROVIDER_MODERATION_ERROR: TRADEMARK"}},
            "",
            "PROVIDER_MODERATION_ERROR: TRADEMARK",
            "moderated",
        ),
        (
            "jimmyai",
            {"code": "20000", "msg": "ok", "data": {"status": "failed", "error_msg": "Read timed out"}},
            "",
            "Read timed out",
            "gateway error",
        ),
        (
            "omnirouters",
            {"code": "success", "data": {"task_id": "t", "status": "FAILURE", "fail_reason": "内容违规"}},
            "",
            "内容违规",
            "gateway error",
        ),
        ("omnirouters", {"status": "failed", "message": "quota used up"}, "", "quota used up", "gateway error"),
        (
            "sora",
            {"id": "t", "status": "failed", "error": {"code": "content_policy_violation", "message": "no"}},
            "content_policy_violation",
            "no",
            "moderated",
        ),
        (
            "sora",
            {"id": "t", "status": "failed", "error": {"code": "insufficient_quota", "message": "no"}},
            "insufficient_quota",
            "no",
            "no balance",
        ),
    ],
    ids=lambda value: str(value)[:70],
)
def test_a_failed_job_says_why(gateway: str, body: Any, code: str, message: str, category: str) -> None:
    job = _status(gateway, body)
    assert (job.error_code, job.error_message) == (code, message)
    error = job_failure(get_gateway(gateway), job)
    assert (error.category, error.may_have_cost, error.waiting_helps) == (category, True, False)
    assert "task_1" in str(error)
    assert (message or "no reason given") in str(error)


def test_a_reason_is_cut_and_made_printable() -> None:
    job = _status("sora", {"id": "v", "status": "failed", "error": "\x00\ud800" + "x" * 5000})
    assert len(job.error_message) == 1000
    assert job.error_message.startswith("\ufffd\ufffdxxx")


@pytest.mark.parametrize(("flag", "expected"), [(0, "queued"), (1, "succeeded"), (2, "queued"), (3, "queued")])
def test_a_flag_instead_of_a_word(flag: int, expected: str) -> None:
    """A link whose name tells nothing is a result only where the flag says so; no failure is concluded from it."""
    body = {"data": {"taskId": "task_1", "successFlag": flag, "response": {"resultUrls": ["https://h.test/o/1"]}}}
    assert str(_status("sora", body).status) == expected


@pytest.mark.parametrize(
    ("gateway", "currency", "told", "cost"),
    [
        ("apimart", "", {"cost": 0.1, "credits_cost": 1}, "0.10 USD"),
        ("apimart", "credits", {"cost": 0.1, "credits_cost": 1}, "1 credits"),
        ("apimart", "EUR", {"cost": 0.1, "credits_cost": 1}, "0.10 EUR"),
        ("apimart", "", {"credits_cost": 2.5}, "2.5 credits"),
        ("apimart", "", {"cost": -1}, "None"),
        ("sora", "", {"cost": 0.3}, "0.30 XXX"),
        ("sora", "credits", {"cost": 0.3}, "0.30 XXX"),
    ],
)
def test_one_charge_is_one_amount_in_the_unit_of_the_account(
    gateway: str, currency: str, told: dict[str, float], cost: str
) -> None:
    """Never both: 0.1 US dollars and 1 credit are the same money twice."""
    answer = Answer(200, {}, {"id": "task_1", "status": "completed", **told})
    known = corrected(get_gateway(gateway), Corrections(currency=currency))
    assert str(read_status(known, answer, "task_1").cost) == cost
