"""Refusals: the typed error for every documented error shape, on a submission and on a status query."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest

from prefect_omnivideo.core.answers.refusal import retry_after
from prefect_omnivideo.core.answers.status import read_status
from prefect_omnivideo.core.answers.submission import read_submission
from prefect_omnivideo.core.errors import StatusDeniedError, StatusUnavailableError
from prefect_omnivideo.core.gateways.registry import get_gateway
from prefect_omnivideo.core.gateways.specification import Answer, HttpCall, Reason, Rejected, Unknown

_HTML = "<html><title>524: A timeout occurred</title></html>"


def _answer(status: int, body: Any, headers: dict[str, str] | None = None) -> Answer:
    return Answer(status, headers or {}, None if isinstance(body, str) else body, str(body)[:500])


def _nested(code: Any = None, message: str = "no", kind: str = "x") -> dict[str, Any]:
    return {"error": {"code": code, "message": message, "type": kind}}


def _flat(code: str, message: str = "no") -> dict[str, Any]:
    return {"code": code, "message": message, "data": None}


_UNKNOWN = None
_CASES: list[Any] = [
    # gateway, HTTP status, body, why it was rejected (None: unknown), whether it is sent again
    pytest.param("12ai", 400, {"error": {"message": "bad"}}, Reason.REFUSED, False, id="12AI: sibling page"),
    pytest.param(
        "12ai",
        400,
        {"error": {"code": 400, "message": "bad", "status": "INVALID_ARGUMENT"}},
        Reason.REFUSED,
        False,
        id="12AI: Google style",
    ),
    pytest.param("omnirouters", 400, {"error": "bad"}, Reason.REFUSED, False, id="OmniRouters: error as text"),
    pytest.param(
        "omnirouters", 400, {"message": "field seconds is required"}, Reason.REFUSED, False, id="OmniRouters: message"
    ),
    pytest.param(
        "omnirouters", 200, {"error": {"message": "bad"}}, _UNKNOWN, False, id="OmniRouters: error with HTTP 200"
    ),
    pytest.param("omnirouters", 200, {"id": "req_1", "error": "bad"}, _UNKNOWN, False, id="error beside a request id"),
    pytest.param("sora", 401, _nested("invalid_api_key"), Reason.UNAUTHORIZED, False, id="Sora-compatible: 401"),
    pytest.param(
        "sora", 401, _nested(message="该令牌额度已用尽"), Reason.UNAUTHORIZED, False, id="new-api: exhausted token"
    ),
    pytest.param("sora", 403, _nested(message="model not allowed"), Reason.UNAUTHORIZED, False, id="new-api: 403"),
    pytest.param("sora", 404, _nested(message="Invalid URL (POST /x)"), Reason.REFUSED, False, id="new-api: 404"),
    pytest.param("sora", 503, _nested("model_not_found"), Reason.NO_MODEL, False, id="new-api: no channel"),
    pytest.param("sora", 429, "", Reason.RATE_LIMITED, True, id="new-api: empty 429"),
    pytest.param("sora", 400, _flat("invalid_request"), Reason.REFUSED, False, id="new-api: invalid_request"),
    pytest.param("sora", 403, _flat("insufficient_user_quota"), Reason.NO_BALANCE, False, id="new-api: no quota"),
    pytest.param("sora", 403, _flat("pre_consume_token_quota_failed"), Reason.NO_BALANCE, False, id="new-api: token"),
    pytest.param("sora", 413, _flat("read_request_body_failed"), Reason.REFUSED, False, id="new-api: 413"),
    pytest.param("sora", 429, _flat("x", "当前分组上游负载已饱和"), Reason.RATE_LIMITED, True, id="new-api: saturated"),
    pytest.param("sora", 500, _flat("do_request_failed"), _UNKNOWN, False, id="new-api: do_request_failed"),
    pytest.param("sora", 500, _flat("fail_to_fetch_task"), _UNKNOWN, False, id="new-api: upstream 500"),
    pytest.param("sora", 501, _flat("not_implemented"), _UNKNOWN, False, id="new-api: 501"),
    pytest.param(
        "sora", 200, _flat("insufficient_user_quota"), Reason.NO_BALANCE, False, id="flat error with HTTP 200"
    ),
    pytest.param("sora", 200, _flat("do_request_failed"), _UNKNOWN, False, id="flat 500 with HTTP 200"),
    pytest.param("apimart", 400, _nested(400, kind="invalid_request_error"), Reason.REFUSED, False, id="APIMart: 400"),
    pytest.param(
        "apimart", 401, _nested(401, kind="authentication_error"), Reason.UNAUTHORIZED, False, id="APIMart: 401"
    ),
    pytest.param("apimart", 402, _nested(402, kind="payment_required"), Reason.NO_BALANCE, False, id="APIMart: 402"),
    pytest.param("apimart", 403, _nested(403, kind="permission_error"), Reason.UNAUTHORIZED, False, id="APIMart: 403"),
    pytest.param("apimart", 404, _nested(404, kind="not_found_error"), Reason.REFUSED, False, id="APIMart: 404"),
    pytest.param("apimart", 429, _nested(429, kind="rate_limit_error"), Reason.RATE_LIMITED, True, id="APIMart: 429"),
    pytest.param("apimart", 500, _nested(500, kind="server_error"), _UNKNOWN, False, id="APIMart: 500"),
    pytest.param("apimart", 502, _nested(502, kind="bad_gateway"), _UNKNOWN, False, id="APIMart: 502"),
    pytest.param(
        "apimart", 200, {"code": 402, "message": "no"}, Reason.NO_BALANCE, False, id="APIMart: 402 in HTTP 200"
    ),
    pytest.param("apimart", 200, {"code": 500, "message": "no"}, _UNKNOWN, False, id="APIMart: 500 in HTTP 200"),
    pytest.param(
        "apimart", 200, {"code": "invalid_duration"}, Reason.REFUSED, False, id="APIMart: text code in HTTP 200"
    ),
    pytest.param("apimart", 400, _nested("invalid_duration"), Reason.REFUSED, False, id="APIMart: text code"),
    pytest.param("jimmyai", 200, {"code": "20001", "msg": "auth"}, Reason.UNAUTHORIZED, False, id="JimmyAI: 20001"),
    pytest.param("jimmyai", 200, {"code": 20002, "msg": "bad"}, Reason.REFUSED, False, id="JimmyAI: 20002 as number"),
    pytest.param("jimmyai", 200, {"code": "-1", "msg": "later"}, _UNKNOWN, False, id="JimmyAI: -1"),
    pytest.param("jimmyai", 200, {"code": "50000", "msg": "?"}, _UNKNOWN, False, id="an unknown server code"),
    pytest.param("jimmyai", 200, {"code": "20009", "msg": "余额不足"}, _UNKNOWN, False, id="no balance in words"),
    pytest.param("jimmyai", 200, {"code": "x", "msg": "MODERATION"}, _UNKNOWN, False, id="moderated in words"),
    pytest.param("sora", 400, _nested("content_policy_violation"), Reason.MODERATED, False, id="moderated by code"),
    pytest.param("sora", 422, _nested(message="prohibited content"), Reason.REFUSED, False, id="moderated, 422"),
    pytest.param("sora", 429, _nested("insufficient_quota"), Reason.NO_BALANCE, False, id="429 about money"),
    pytest.param(
        "sora", 429, _nested(message="quota per minute reached"), Reason.RATE_LIMITED, True, id="429 about pace"
    ),
    pytest.param(
        "sora", 429, _nested(message="for safety, slow down"), Reason.RATE_LIMITED, True, id="429 is not moderation"
    ),
    pytest.param("sora", 425, "", Reason.RATE_LIMITED, True, id="425"),
    pytest.param("sora", 429, _HTML, Reason.RATE_LIMITED, True, id="429 by a proxy"),
    pytest.param("sora", 403, _HTML, Reason.BLOCKED, False, id="403 by a proxy"),
    pytest.param("sora", 307, "", Reason.REFUSED, False, id="redirect"),
    pytest.param("sora", 408, "", _UNKNOWN, False, id="408"),
    pytest.param("sora", 499, "", _UNKNOWN, False, id="499"),
    pytest.param("sora", 502, "", _UNKNOWN, False, id="502"),
    pytest.param("sora", 503, _HTML, _UNKNOWN, False, id="503 by a proxy"),
    pytest.param("sora", 503, "upstream connect error or disconnect/reset before headers", _UNKNOWN, False, id="envoy"),
    pytest.param("sora", 503, _flat("fail_to_fetch_task"), _UNKNOWN, False, id="new-api: passed on by the vendor"),
    pytest.param("sora", 503, _nested(message="no channel"), _UNKNOWN, False, id="503 without a documented code"),
    pytest.param("sora", 504, "", _UNKNOWN, False, id="504"),
    pytest.param("sora", 524, _HTML, _UNKNOWN, False, id="Cloudflare 524"),
    pytest.param("sora", 200, _HTML, _UNKNOWN, False, id="a page instead of an answer"),
]


@pytest.mark.parametrize(("gateway", "status", "body", "reason", "resend"), _CASES)
def test_a_refused_submission(gateway: str, status: int, body: Any, reason: Reason | None, resend: bool) -> None:
    outcome = read_submission(get_gateway(gateway), _answer(status, body))
    assert isinstance(outcome, Unknown if reason is None else Rejected)
    assert (outcome.reason if isinstance(outcome, Rejected) else None) is reason
    assert (isinstance(outcome, Rejected) and outcome.reason.passes) is resend
    assert get_gateway(gateway).title in outcome.message
    assert outcome.answer is not None


@pytest.mark.parametrize(("gateway", "status", "body", "reason", "resend"), _CASES)
def test_the_same_on_a_status_query(gateway: str, status: int, body: Any, reason: Any, resend: bool) -> None:
    """Whatever the answer, the job goes on: only the key can be at fault, and waiting helps with all else."""
    denied = status in (401, 402, 403) and isinstance(body, dict)
    with pytest.raises(StatusDeniedError if denied else StatusUnavailableError) as caught:
        read_status(get_gateway(gateway), _answer(status, body), "task_1")
    assert "task_1" in str(caught.value)
    assert caught.value.may_have_cost


LITELLM = {"x-litellm-call-id": "c", "x-litellm-version": "1.106"}
ALONE = "\n\nLiteLLM: model group 'm' failed with the error above. No fallback was attempted."


@pytest.mark.parametrize(
    ("status", "body", "sent", "is_unknown"),
    [
        (429, _nested("429", "rate limited"), {}, True),
        (503, _nested("model_not_found"), {}, True),
        (403, _nested(message="no"), {}, True),
        (408, "", {}, True),
        (429, _nested("429", "rate limited"), {"num_retries": 0}, False),
        (400, _nested("invalid_value"), {}, False),
        (401, _nested(kind="auth_error"), {}, False),
        (429, _nested(message="crossed budget", kind="budget_exceeded"), {}, False),
        (400, _nested("400", "/videos: Invalid model name passed in model=nomodel."), {}, False),
        # Measured with its proxy 1.106: an accepted job, then another attempt, deployment or model group that refuses.
        (400, _nested("400", f"litellm.BadRequestError: no{ALONE}"), {}, True),
        (401, _nested("401", "litellm.AuthenticationError: no", "authentication_error"), {}, True),
        (404, _nested("404", f"litellm.BadRequestError: no such model{ALONE}"), {}, True),
        (422, _nested("422", "litellm.UnprocessableEntityError: no"), {}, True),
        (401, _nested("401", "litellm.AuthenticationError: no"), {"num_retries": 0}, True),
        (429, _nested("429", "litellm.RateLimitError: busy"), {"num_retries": 0}, True),
        (
            429,
            _nested("429", f"litellm.RateLimitError: busy{ALONE} Fallback to b also failed"),
            {"num_retries": 1},
            True,
        ),
        (429, _nested("429", "litellm.RateLimitError: busy. Fallback to b also failed: no"), {"num_retries": 0}, True),
        (429, _nested("429", f"litellm.RateLimitError: busy{ALONE}"), {"num_retries": 0}, False),
        (429, _nested("429", "litellm.RateLimitError: busy"), {"num_retries": 0, "disable_fallbacks": True}, False),
        (400, _nested("400", "litellm.BadRequestError: no"), {"num_retries": 0, "disable_fallbacks": True}, False),
        (500, _nested("500", "litellm.Error: no"), {"num_retries": 0, "disable_fallbacks": True}, True),
        (400, _nested("400", "litellm.BadRequestError: no"), {"num_retries": 1, "disable_fallbacks": True}, True),
    ],
    ids=str,
)
def test_a_proxy_that_sends_again_reports_its_last_attempt_alone(
    status: int, body: Any, sent: dict[str, Any], is_unknown: bool
) -> None:
    call = HttpCall("POST", "/v1/videos", json={"model": "m", **sent})
    outcome = read_submission(get_gateway("sora"), _answer(status, body, LITELLM), call)
    assert isinstance(outcome, Unknown) is is_unknown
    form = replace(call, json=None, form=tuple((name, json.dumps(value)) for name, value in sent.items()))
    assert isinstance(read_submission(get_gateway("sora"), _answer(status, body, LITELLM), form), Unknown) is is_unknown


def test_such_a_proxy_shows_itself_through_a_gateway_that_passes_its_answer_on() -> None:
    outcome = read_submission(get_gateway("sora"), _answer(429, _nested("429", "litellm.RateLimitError: busy")))
    assert isinstance(outcome, Unknown)


@pytest.mark.parametrize("status", [500, 502, 503, 504, 524])
@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("insufficient_user_quota", Reason.NO_BALANCE),
        ("model_not_found", Reason.NO_MODEL),
        ("rate_limit_exceeded", None),
        ("invalid_request", None),
        ("invalid_api_key", None),
        ("content_policy_violation", None),
        ("upstream_error", None),
    ],
)
def test_a_server_error_is_trusted_with_what_is_decided_before_the_job_goes_on(
    status: int, code: str, reason: Reason | None
) -> None:
    outcome = read_submission(get_gateway("sora"), _answer(status, _nested(code)))
    assert (outcome.reason if isinstance(outcome, Rejected) else None) is reason
    assert isinstance(outcome, Unknown if reason is None else Rejected)


@pytest.mark.parametrize("status", [408, 409, 410, 423, 499])
def test_a_status_that_a_server_also_gives_with_the_job_at_work(status: int) -> None:
    assert isinstance(read_submission(get_gateway("sora"), _answer(status, _nested())), Unknown)


def test_a_page_that_redirects_is_told_by_where_it_leads() -> None:
    outcome = read_submission(get_gateway("sora"), _answer(308, "<html>moved</html>"))
    assert isinstance(outcome, Rejected)
    assert outcome.reason is Reason.REFUSED
    assert "redirects" in outcome.message


@pytest.mark.parametrize(
    ("text", "says", "says_not"),
    [
        ("the 20 credits have been refunded", "", "money"),
        ("额度已退回", "", "money"),
        ("time-sensitive offer", "", "filter"),
        ("your credits are used up", "money", "filter"),
        ("the prompt is sensitive", "filter", "money"),
    ],
)
def test_words_choose_a_hint_and_decide_nothing(text: str, says: str, says_not: str) -> None:
    outcome = read_submission(get_gateway("sora"), _answer(400, _nested(message=text)))
    assert isinstance(outcome, Rejected)
    assert outcome.reason is Reason.REFUSED
    assert says in outcome.message
    assert says_not not in outcome.message


def test_a_task_named_beside_an_error_is_unknown() -> None:
    body = {"error": {"message": "timed out"}, "task_id": "task_7"}
    outcome = read_submission(get_gateway("sora"), _answer(400, body))
    assert isinstance(outcome, Unknown)
    assert "task_7" in outcome.message


@pytest.mark.parametrize(
    ("gateway", "status", "body", "not_found"),
    [
        ("sora", 400, _flat("task_not_exist"), True),
        ("sora", 200, _flat("task_not_exist"), True),
        ("sora", 404, _nested(message="Task not found"), True),
        ("apimart", 400, _nested(400, kind="invalid_request_error"), True),
        ("jimmyai", 200, {"code": "20002", "msg": "task not found"}, True),
        ("jimmyai", 200, {"code": "20002", "msg": "bad request"}, False),
        ("sora", 404, _nested(message="Invalid URL (GET /v1/x)"), False),
        ("sora", 404, _HTML, False),
        ("sora", 404, "", False),
        ("sora", 500, _flat("get_task_failed", "task not found"), False),
        ("sora", 429, "", False),
    ],
    ids=str,
)
def test_only_the_gateway_itself_can_say_that_a_task_is_not_there(
    gateway: str, status: int, body: Any, not_found: bool
) -> None:
    with pytest.raises(StatusUnavailableError) as caught:
        read_status(get_gateway(gateway), _answer(status, body), "task_1")
    assert caught.value.not_found is not_found


def test_the_message_carries_code_reason_and_advice() -> None:
    outcome = read_submission(get_gateway("sora"), _answer(403, _flat("insufficient_user_quota", "余额不足")))
    assert isinstance(outcome, Rejected)
    assert "HTTP 403 insufficient_user_quota: 余额不足" in outcome.message
    assert "Top up" in outcome.message
    assert outcome.http_status == 403


def test_a_redirect_is_blamed_on_the_base_url() -> None:
    outcome = read_submission(get_gateway("sora"), _answer(301, ""))
    assert isinstance(outcome, Rejected)
    assert "base URL redirects" in outcome.message


def test_a_long_reason_is_cut() -> None:
    outcome = read_submission(get_gateway("sora"), _answer(400, {"message": "x" * 100_000}))
    assert isinstance(outcome, Rejected)
    assert len(outcome.message) < 700


@pytest.mark.parametrize(
    ("value", "seconds"),
    [("7", 7.0), ("0.5", 0.5), ("", None), ("soon", None), ("-1", None), ("9" * 400, None), ("Mon, 99 Foo 2026", None)],
)
def test_retry_after_in_seconds(value: str, seconds: float | None) -> None:
    assert retry_after(_answer(429, "", {"retry-after": value})) == seconds


def test_retry_after_as_a_date() -> None:
    past = format_datetime(datetime.now(UTC) - timedelta(hours=1), usegmt=True)
    coming = format_datetime(datetime.now(UTC) + timedelta(hours=1), usegmt=True)
    assert retry_after(_answer(429, "", {"retry-after": past})) == 0.0
    waiting = retry_after(_answer(429, "", {"retry-after": coming}))
    assert waiting is not None
    assert 3000 < waiting <= 3600


def test_retry_after_is_kept() -> None:
    outcome = read_submission(get_gateway("sora"), _answer(429, _nested(), {"retry-after": "9"}))
    assert isinstance(outcome, Rejected)
    assert outcome.retry_after == 9.0
    with pytest.raises(StatusUnavailableError) as later:
        read_status(get_gateway("sora"), _answer(503, _nested(), {"retry-after": "9"}), "t")
    assert later.value.retry_after == 9.0


def test_the_most_telling_code_counts() -> None:
    outcome = read_submission(get_gateway("sora"), _answer(400, _nested("invalid_request", kind="insufficient_quota")))
    assert isinstance(outcome, Rejected)
    assert outcome.reason is Reason.NO_BALANCE


def test_what_a_gateway_quotes_of_its_vendors_answer_is_no_rejection() -> None:
    body = {**_flat("fail_to_fetch_task"), "data": {"error": {"code": "insufficient_quota", "message": "no"}}}
    assert isinstance(read_submission(get_gateway("sora"), _answer(500, body)), Unknown)
