"""Finds the error that an answer reports, whatever its structure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import NamedTuple

from pydantic import JsonValue

from prefect_omnivideo.core.answers.json_paths import first_text, objects
from prefect_omnivideo.core.gateways.specification import Answer, Gateway, Reason
from prefect_omnivideo.core.redaction import shorten

ERROR_TEXTS = (
    "error.message",
    "error",
    "error_message",
    "error_msg",
    "fail_reason",
    "failure_reason",
    "task_status_msg",
    "detail",
    "message",
    "msg",
)
_ERROR_CODES = ("error.code", "error.type", "error.status", "code", "error_code", "type")


REASON_BY_STATUS = {
    301: Reason.REFUSED,
    307: Reason.REFUSED,
    308: Reason.REFUSED,
    400: Reason.REFUSED,
    401: Reason.UNAUTHORIZED,
    402: Reason.NO_BALANCE,
    403: Reason.UNAUTHORIZED,
    404: Reason.REFUSED,
    405: Reason.REFUSED,
    406: Reason.REFUSED,
    411: Reason.REFUSED,
    413: Reason.REFUSED,
    414: Reason.REFUSED,
    415: Reason.REFUSED,
    422: Reason.REFUSED,
    425: Reason.RATE_LIMITED,
    429: Reason.RATE_LIMITED,
    431: Reason.REFUSED,
}
"""Statuses by which HTTP (RFC 9110) and all five gateways reject the request. Not 408, 409, 499 and 5xx: a server
may send those while the job runs."""


class Refusal(NamedTuple):
    """An error as the gateway reports it."""

    status: int
    """The HTTP status."""
    codes: tuple[str, ...]
    """Every code and type of the error, in lower case."""
    message: str

    def __str__(self) -> str:
        code = next((code for code in self.codes if code != str(self.status)), "")
        return f"HTTP {self.status}{' ' * bool(code)}{code}: {self.message or 'no reason given'}"


def find_refusal(answer: Answer) -> Refusal:
    """The codes and the message of an answer without a job."""
    codes = dict.fromkeys(code.lower() for code in _codes(answer.body))
    text = next((found for each in objects(answer.body) if (found := first_text(each.value, ERROR_TEXTS))), "")
    return Refusal(answer.status, tuple(codes), shorten(text or answer.text, 500))


def documented_reason(gateway: Gateway, refusal: Refusal) -> Reason | None:
    """The most specific reason among the codes: `insufficient_quota` beside `invalid_request_error` is about money."""
    found = [gateway.rejections[code] for code in refusal.codes if code in gateway.rejections]
    return next((reason for reason in found if reason is not Reason.REFUSED), found[0] if found else None)


def reason_of(gateway: Gateway, answer: Answer) -> Reason | None:
    """Why a page of the gateway, or an upload, was refused; None if it was not. Not for submissions."""
    if reason := documented_reason(gateway, find_refusal(answer)):
        return reason
    if 200 <= answer.status < 300:
        return None
    return REASON_BY_STATUS.get(answer.status, Reason.REFUSED if answer.status in (409, 410) else Reason.UNAVAILABLE)


def _codes(body: JsonValue) -> Iterator[str]:
    """Only of the gateway's own envelope: a quoted vendor answer refers to another job."""
    for path in _ERROR_CODES:
        if isinstance(body, dict) and (found := first_text(body, (path,))):
            yield found


def retry_after(answer: Answer) -> float | None:
    """Seconds the answer asks to wait: the `Retry-After` header, as a number or as a date."""
    value = answer.headers.get("retry-after", "").strip()
    if re.fullmatch(r"\d{1,9}(\.\d+)?", value):
        return float(value)
    try:
        moment = parsedate_to_datetime(value)
    except ValueError:
        return None
    return max(0.0, (moment - datetime.now(UTC)).total_seconds()) if moment.tzinfo else None
