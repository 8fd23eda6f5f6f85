"""Whatever a gateway sends: typed errors only, no false success, no job without a name."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from prefect_omnivideo.core.answers.links import is_inline
from prefect_omnivideo.core.answers.refusal import retry_after
from prefect_omnivideo.core.answers.status import job_failure, read_status
from prefect_omnivideo.core.answers.submission import read_submission
from prefect_omnivideo.core.errors import OmniVideoError
from prefect_omnivideo.core.gateways.registry import get_gateway
from prefect_omnivideo.core.gateways.specification import Accepted, Answer, Rejected, Unknown
from prefect_omnivideo.core.gateways.validation import is_link
from prefect_omnivideo.core.gateways.words import JobStatus

_GATEWAYS = ("12ai", "apimart", "jimmyai", "omnirouters", "sora")
# fmt: off
_NAMES = [
    "code", "data", "result", "output", "status", "task_id", "taskId", "id", "url", "urls", "video_url",
    "result_url", "mediaUrl", "metadata", "videos", "error", "message", "msg", "fail_reason", "error_message",
    "progress", "created_at", "completed_at", "expires_at", "cost", "credits_cost", "estimated_time",
]
# fmt: on
_WORDS = st.sampled_from(
    ["success", "completed", "failed", "queued", "20000", "200", "-1", "30%", "https://e.com/v.mp4", "http://[", "NaN"]
)
_SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | _WORDS | st.text(max_size=8)
_JSON = st.recursive(
    _SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(_NAMES) | st.text(max_size=3), inner, max_size=5)
    ),
    max_leaves=12,
)
_ANSWERS = st.dictionaries(st.sampled_from(_NAMES), _JSON, max_size=6) | _JSON


def _answer(status: int, body: Any) -> Answer:
    return Answer(status, {}, body, json.dumps(body)[:500])


@given(st.sampled_from(_GATEWAYS), st.integers(200, 599), _ANSWERS)
def test_a_status_is_readable_or_a_typed_error(gateway: str, status: int, body: Any) -> None:
    gateway = get_gateway(gateway)
    with suppress(OmniVideoError):
        job = read_status(gateway, _answer(status, body), "task_1")
        assert job.task_id == "task_1"
        assert 200 <= status < 300
        assert all(is_link(link.url) or is_inline(link.url) for link in job.links)
        assert not job.links or job.status is JobStatus.SUCCEEDED
        assert job.progress is None or 0 <= job.progress <= 100
        str(job_failure(gateway, job)).encode("utf-8")


@given(st.sampled_from(_GATEWAYS), st.integers(200, 299), _ANSWERS)
def test_a_good_submission_names_its_job_or_is_no_acceptance(gateway: str, status: int, body: Any) -> None:
    outcome = read_submission(get_gateway(gateway), _answer(status, body))
    if isinstance(outcome, Accepted):
        assert outcome.task_id.strip()
        assert outcome.job.status is not JobStatus.SUCCEEDED or outcome.job.links


@given(st.sampled_from(_GATEWAYS), st.integers(300, 599), _ANSWERS)
def test_an_error_status_never_gives_a_job(gateway: str, status: int, body: Any) -> None:
    outcome = read_submission(get_gateway(gateway), _answer(status, body))
    assert isinstance(outcome, Rejected | Unknown)
    assert status < 500 or isinstance(outcome, Unknown), "no code of the vocabulary above speaks of before acceptance"
    outcome.message.encode("utf-8")


@given(st.text(st.characters(codec="latin-1"), max_size=40) | st.from_regex(r"[A-Z][a-z]{2}, \d+ [A-Z][a-z]{2} \d+ .*"))
def test_any_retry_after_is_seconds_or_nothing(value: str) -> None:
    seconds = retry_after(Answer(429, {"retry-after": value}, None))
    assert seconds is None or seconds >= 0
