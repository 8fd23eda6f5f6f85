"""Refusals: the typed error for every documented error shape, on a submission and on a status query."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest

from prefect_omnivideo.core.errors import (
    ModeratedError,
    NoBalanceError,
    OmniVideoError,
    RateLimitedError,
    RefusedError,
    StatusDeniedError,
    StatusUnavailableError,
    SubmissionUnknownError,
    UnauthorizedError,
    UnavailableError,
)
from prefect_omnivideo.core.gateways.answers import find_refusal, read_status, read_submission, retry_after
from prefect_omnivideo.core.gateways.registry import get_gateway
from prefect_omnivideo.core.gateways.specification import Answer

_HTML = "<html><title>524: A timeout occurred</title></html>"


def _answer(status: int, body: Any, headers: dict[str, str] | None = None) -> Answer:
    return Answer(status, headers or {}, None if isinstance(body, str) else body, str(body)[:500])


def _nested(code: Any = None, message: str = "no", kind: str = "x") -> dict[str, Any]:
    return {"error": {"code": code, "message": message, "type": kind}}


def _flat(code: str, message: str = "no") -> dict[str, Any]:
    return {"code": code, "message": message, "data": None}


_UNKNOWN = SubmissionUnknownError
_CASES: list[Any] = [
    # gateway, HTTP status, body, error on submission, safe to resend
    pytest.param("12ai", 400, {"error": {"message": "bad"}}, RefusedError, False, id="12AI: sibling page"),
    pytest.param(
        "12ai",
        400,
        {"error": {"code": 400, "message": "bad", "status": "INVALID_ARGUMENT"}},
        RefusedError,
        False,
        id="12AI: Google style",
    ),
    pytest.param("omnirouters", 400, {"error": "bad"}, RefusedError, False, id="OmniRouters: error as text"),
    pytest.param(
        "omnirouters", 400, {"message": "field seconds is required"}, RefusedError, False, id="OmniRouters: message"
    ),
    pytest.param(
        "omnirouters", 200, {"error": {"message": "bad"}}, RefusedError, False, id="OmniRouters: error with HTTP 200"
    ),
    pytest.param(
        "omnirouters", 200, {"id": "req_1", "error": "bad"}, RefusedError, False, id="error beside a request id"
    ),
    pytest.param("sora", 401, _nested("invalid_api_key"), UnauthorizedError, False, id="Sora-compatible: 401"),
    pytest.param(
        "sora", 401, _nested(message="该令牌额度已用尽"), NoBalanceError, False, id="gate errors: exhausted token"
    ),
    pytest.param("sora", 403, _nested(message="model not allowed"), UnauthorizedError, False, id="gate errors: 403"),
    pytest.param("sora", 404, _nested(message="Invalid URL (POST /x)"), RefusedError, False, id="gate errors: 404"),
    pytest.param("sora", 503, _nested("model_not_found"), UnavailableError, True, id="gate errors: no channel"),
    pytest.param("sora", 429, "", RateLimitedError, True, id="gate errors: empty 429"),
    pytest.param("sora", 400, _flat("invalid_request"), RefusedError, False, id="task errors: invalid_request"),
    pytest.param("sora", 403, _flat("insufficient_user_quota"), NoBalanceError, False, id="task errors: no quota"),
    pytest.param("sora", 403, _flat("pre_consume_token_quota_failed"), NoBalanceError, False, id="task errors: token"),
    pytest.param("sora", 413, _flat("read_request_body_failed"), RefusedError, False, id="task errors: 413"),
    pytest.param(
        "sora", 429, _flat("x", "当前分组上游负载已饱和"), RateLimitedError, True, id="task errors: saturated"
    ),
    pytest.param("sora", 500, _flat("do_request_failed"), _UNKNOWN, False, id="task errors: do_request_failed"),
    pytest.param("sora", 500, _flat("fail_to_fetch_task"), _UNKNOWN, False, id="task errors: upstream 500"),
    pytest.param("sora", 501, _flat("not_implemented"), _UNKNOWN, False, id="task errors: 501"),
    pytest.param("sora", 200, _flat("insufficient_user_quota"), NoBalanceError, False, id="flat error with HTTP 200"),
    pytest.param("sora", 200, _flat("do_request_failed"), _UNKNOWN, False, id="flat 500 with HTTP 200"),
    pytest.param("apimart", 400, _nested(400, kind="invalid_request_error"), RefusedError, False, id="APIMart: 400"),
    pytest.param(
        "apimart", 401, _nested(401, kind="authentication_error"), UnauthorizedError, False, id="APIMart: 401"
    ),
    pytest.param("apimart", 402, _nested(402, kind="payment_required"), NoBalanceError, False, id="APIMart: 402"),
    pytest.param("apimart", 403, _nested(403, kind="permission_error"), UnauthorizedError, False, id="APIMart: 403"),
    pytest.param("apimart", 404, _nested(404, kind="not_found_error"), RefusedError, False, id="APIMart: 404"),
    pytest.param("apimart", 429, _nested(429, kind="rate_limit_error"), RateLimitedError, True, id="APIMart: 429"),
    pytest.param("apimart", 500, _nested(500, kind="server_error"), _UNKNOWN, False, id="APIMart: 500"),
    pytest.param("apimart", 502, _nested(502, kind="bad_gateway"), _UNKNOWN, False, id="APIMart: 502"),
    pytest.param("apimart", 200, {"code": 402, "message": "no"}, NoBalanceError, False, id="APIMart: 402 in HTTP 200"),
    pytest.param("apimart", 200, {"code": 500, "message": "no"}, _UNKNOWN, False, id="APIMart: 500 in HTTP 200"),
    pytest.param(
        "apimart", 200, {"code": "invalid_duration"}, RefusedError, False, id="APIMart: text code in HTTP 200"
    ),
    pytest.param("apimart", 400, _nested("invalid_duration"), RefusedError, False, id="APIMart: text code"),
    pytest.param("jimmyai", 200, {"code": "20001", "msg": "auth"}, UnauthorizedError, False, id="JimmyAI: 20001"),
    pytest.param("jimmyai", 200, {"code": 20002, "msg": "bad"}, RefusedError, False, id="JimmyAI: 20002 as number"),
    pytest.param("jimmyai", 200, {"code": "-1", "msg": "later"}, _UNKNOWN, False, id="JimmyAI: -1"),
    pytest.param("jimmyai", 200, {"code": "50000", "msg": "?"}, _UNKNOWN, False, id="an unknown server code"),
    pytest.param("jimmyai", 200, {"code": "20009", "msg": "余额不足"}, NoBalanceError, False, id="no balance in words"),
    pytest.param("jimmyai", 200, {"code": "x", "msg": "MODERATION"}, ModeratedError, False, id="moderated in words"),
    pytest.param("sora", 400, _nested("content_policy_violation"), ModeratedError, False, id="moderated by code"),
    pytest.param("sora", 422, _nested(message="prohibited content"), ModeratedError, False, id="moderated, 422"),
    pytest.param("sora", 429, _nested("insufficient_quota"), NoBalanceError, False, id="429 about money"),
    pytest.param("sora", 429, _nested(message="quota per minute reached"), RateLimitedError, True, id="429 about pace"),
    pytest.param(
        "sora", 429, _nested(message="for safety, slow down"), RateLimitedError, True, id="429 is not moderation"
    ),
    pytest.param("sora", 425, "", RateLimitedError, True, id="425"),
    pytest.param("sora", 429, _HTML, RateLimitedError, True, id="429 by a proxy"),
    pytest.param("sora", 403, _HTML, UnauthorizedError, False, id="403 by a proxy"),
    pytest.param("sora", 307, "", RefusedError, False, id="redirect"),
    pytest.param("sora", 408, "", _UNKNOWN, False, id="408"),
    pytest.param("sora", 499, "", _UNKNOWN, False, id="499"),
    pytest.param("sora", 502, "", _UNKNOWN, False, id="502"),
    pytest.param("sora", 503, _HTML, UnavailableError, True, id="503 by a proxy"),
    pytest.param("sora", 504, "", _UNKNOWN, False, id="504"),
    pytest.param("sora", 524, _HTML, _UNKNOWN, False, id="Sora-compatible: Cloudflare 524"),
    pytest.param("sora", 200, _HTML, _UNKNOWN, False, id="a page instead of an answer"),
]


@pytest.mark.parametrize(("gateway", "status", "body", "kind", "resend"), _CASES)
def test_a_refused_submission(gateway: str, status: int, body: Any, kind: type[OmniVideoError], resend: bool) -> None:
    with pytest.raises(OmniVideoError) as caught:
        read_submission(get_gateway(gateway), _answer(status, body))
    assert type(caught.value) is kind
    assert caught.value.safe_to_resend is resend
    assert caught.value.may_have_cost is (kind is _UNKNOWN)
    assert get_gateway(gateway).title in str(caught.value)


_DENIED = {401, 402, 403}


@pytest.mark.parametrize(("gateway", "status", "body", "kind", "resend"), _CASES)
def test_the_same_on_a_status_query(gateway: str, status: int, body: Any, kind: Any, resend: bool) -> None:
    """Whatever the answer, the job goes on: only the key can be at fault, and waiting helps with all else."""
    gateway = get_gateway(gateway)
    refusal = find_refusal(gateway, _answer(status, body))
    denied = refusal is not None and refusal.status in _DENIED
    with pytest.raises(StatusDeniedError if denied else StatusUnavailableError) as caught:
        read_status(gateway, _answer(status, body), "task_1")
    assert "task_1" in str(caught.value)
    assert caught.value.may_have_cost


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
    with pytest.raises(NoBalanceError) as caught:
        read_submission(get_gateway("sora"), _answer(403, _flat("insufficient_user_quota", "余额不足")))
    assert "HTTP 403 insufficient_user_quota: 余额不足" in str(caught.value)
    assert "Top up" in str(caught.value)
    assert caught.value.http_status == 403


def test_a_redirect_is_blamed_on_the_base_url() -> None:
    with pytest.raises(RefusedError, match="base URL redirects"):
        read_submission(get_gateway("sora"), _answer(301, ""))


def test_a_long_reason_is_cut() -> None:
    with pytest.raises(RefusedError) as caught:
        read_submission(get_gateway("sora"), _answer(400, {"message": "x" * 100_000}))
    assert len(str(caught.value)) < 700


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


@pytest.mark.parametrize("status", [429, 503])
def test_retry_after_reaches_the_error(status: int) -> None:
    with pytest.raises(RateLimitedError) as caught:
        read_submission(get_gateway("sora"), _answer(status, _nested(), {"retry-after": "9"}))
    assert caught.value.retry_after == 9.0
    with pytest.raises(StatusUnavailableError) as later:
        read_status(get_gateway("sora"), _answer(status, _nested(), {"retry-after": "9"}), "t")
    assert later.value.retry_after == 9.0
