"""Reading answers: lenient about shape, strict about meaning.

The unwrapping and search orders follow providers.md, section 8. Nothing is ever taken for a success because it is not
understood: an unknown status word means the job goes on.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import NamedTuple

from pydantic import JsonValue

from prefect_omnivideo.core.errors import (
    FailureCategory,
    JobFailedError,
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
from prefect_omnivideo.core.gateways.json_values import dig, first_number, first_text, first_time, percent
from prefect_omnivideo.core.gateways.specification import Answer, Gateway, Job, JobStatus
from prefect_omnivideo.core.gateways.validation import is_link, shorten

# An answer that speaks of money is final, unless it only speaks of how fast (providers.md, sections 1 to 6).
_MONEY = re.compile(r"quota|balance|credit|payment|余额|额度", re.IGNORECASE)
_PACE = re.compile(r"rate.?limit|too many|per.?(second|minute|hour|day)|\b[rtq]p[ms]\b|频繁", re.IGNORECASE)
_MODERATION = re.compile(
    r"moderat|content.?policy|safety|sensitive|prohibited|trademark|copyright|nsfw|违规|敏感|审核", re.IGNORECASE
)
_NO_SUCH_TASK = re.compile(r"not.?(exist|found)|no such|unknown task|不存在", re.IGNORECASE)
_ERROR_TEXTS = ("error.message", "error", "error_message", "error_msg", "fail_reason", "message", "msg")
_ERROR_CODES = ("error.code", "error.type", "error.status", "code")
_CONTAINERS = ("data", "result", "output")


class Refusal(NamedTuple):
    """What an answer says went wrong, whatever its shape."""

    status: int
    """HTTP status, or the one that says the same as the body's code."""
    code: str
    message: str

    def __str__(self) -> str:
        code = f" {self.code}" if self.code and self.code != str(self.status) else ""
        return f"HTTP {self.status}{code}: {self.message or 'no reason given'}"


def read_submission(gateway: Gateway, answer: Answer) -> Job:
    """The accepted job.

    Raises:
        NotAcceptedError: a class of it, when the answer is a clean refusal.
        SubmissionUnknownError: when the answer leaves open whether the job exists.
    """
    refusal = find_refusal(gateway, answer)
    if refusal:
        raise _submission_error(gateway, refusal, answer)
    job = _read_job(gateway, answer)
    if job.status is JobStatus.SUCCEEDED and not job.urls:
        # The word belongs to the envelope: "the submission succeeded".
        job = replace(job, status=JobStatus.QUEUED, completed_at=None)
    if not job.task_id:
        raise SubmissionUnknownError(
            f"{gateway.title} answered HTTP {answer.status} without a task id: {shorten(answer.text, 200)!r}. "
            "The job may exist and be billed; it is not sent again."
        )
    return job


def read_status(gateway: Gateway, answer: Answer, task_id: str) -> Job:
    """Where the job stands.

    Raises:
        StatusDeniedError: the key may not read it.
        StatusUnavailableError: it cannot be read just now, or the gateway does not know the task.
    """
    refusal = find_refusal(gateway, answer)
    if refusal:
        raise _status_error(gateway, refusal, answer, task_id)
    if not _task(answer.body):
        raise StatusUnavailableError(
            f"{gateway.title} gave no readable status for {task_id}: {shorten(answer.text, 200)!r}",
            retry_after=retry_after(answer),
        )
    return _read_job(gateway, answer, task_id)


def job_failure(gateway: Gateway, job: Job) -> JobFailedError:
    """The error for a job that ended without a video."""
    reason = " ".join(part for part in (job.error_code, job.error_message) if part) or "no reason given"
    category: FailureCategory = "gateway error"
    if job.status is JobStatus.CANCELLED:
        category = "cancelled"
    elif normalise(job.status_word) == "expired":
        category = "expired"
    elif _MODERATION.search(reason):
        category = "moderated"
    elif _MONEY.search(reason):
        category = "no balance"
    return JobFailedError(
        f"{gateway.title} job {job.task_id} {job.status_word or job.status}: {reason}", category=category
    )


def find_refusal(gateway: Gateway, answer: Answer) -> Refusal | None:
    """What went wrong by the HTTP status, the body's code or its error object; None when all is well."""
    body = answer.body if isinstance(answer.body, dict) else {}
    code = first_text(body, _ERROR_CODES)
    message = shorten(first_text(body, _ERROR_TEXTS) or answer.text, 500)
    if not 200 <= answer.status < 300:
        return Refusal(answer.status, code, message)
    # An answer that describes a job outweighs a code or an error no document speaks of.
    top = first_text(body, ("code",))
    if top in gateway.code_statuses or (top and top not in gateway.good_codes and not _is_job(body)):
        return Refusal(_status_of_code(gateway, top), top, message)
    if body.get("error") and not _is_job(body):
        return Refusal(_status_of_code(gateway, code), code, message)
    return None


def _status_of_code(gateway: Gateway, code: str) -> int:
    if code in gateway.code_statuses:
        return gateway.code_statuses[code]
    if re.fullmatch(r"[45]\d\d", code):
        return int(code)
    # Numbers no document explains: 50000 and -1 speak of the server, the rest of the request.
    return 500 if re.fullmatch(r"-\d+|5\d+", code) else 400


def _submission_error(gateway: Gateway, refusal: Refusal, answer: Answer) -> OmniVideoError:
    status, text = refusal.status, f"{gateway.title} did not accept the job: {refusal}"
    words = f"{refusal.code} {refusal.message}"
    clean = 300 <= status < 500 and status not in (408, 499)
    money = status == 402 or (status in (400, 401, 403, 429) and bool(_MONEY.search(words)))
    if money and not (status == 429 and _PACE.search(words)):
        return NoBalanceError(f"{text}. Top up the account, then run again.", http_status=status)
    if clean and status not in (401, 404, 425, 429) and _MODERATION.search(words):
        return ModeratedError(f"{text}. Change the prompt or the references.", http_status=status)
    if status in (401, 403):
        return UnauthorizedError(f"{text}. Check the key of the credentials block.", http_status=status)
    if status in (425, 429):
        return RateLimitedError(text, http_status=status, retry_after=retry_after(answer))
    if status == 503:
        return UnavailableError(text, http_status=status, retry_after=retry_after(answer))
    if 300 <= status < 400:
        return RefusedError(f"{text}. The base URL redirects; set the one it leads to.", http_status=status)
    if clean:
        return RefusedError(text, http_status=status)
    return SubmissionUnknownError(
        f"{gateway.title} answered the submission with {refusal}. "
        "The job may exist and be billed all the same; it is not sent again."
    )


def _status_error(gateway: Gateway, refusal: Refusal, answer: Answer, task_id: str) -> OmniVideoError:
    text = f"{gateway.title} gave no status for {task_id}: {refusal}"
    if refusal.status in (401, 402, 403):
        return StatusDeniedError(f"{text}. The job goes on; repair the credentials and run again to collect it.")
    return StatusUnavailableError(text, retry_after=retry_after(answer), not_found=_is_not_found(refusal, answer))


def _is_not_found(refusal: Refusal, answer: Answer) -> bool:
    """Whether the gateway itself says that there is no such task: 404, or 400 in the new-api family and at APIMart.

    A proxy's error page and a wrong base URL ("Invalid URL") say nothing about the task.
    """
    if refusal.status not in (400, 404) or not isinstance(answer.body, dict) or "Invalid URL" in refusal.message:
        return False
    return answer.status in (400, 404) or bool(_NO_SUCH_TASK.search(f"{refusal.code} {refusal.message}"))


def _read_job(gateway: Gateway, answer: Answer, task_id: str = "") -> Job:
    task = _task(answer.body)
    word = first_text(task, ("status",))
    status = gateway.statuses.get(normalise(word), JobStatus.RUNNING)
    done = status is JobStatus.SUCCEEDED
    lost = status.is_final and not done
    return Job(
        task_id=task_id or _find_id(answer.body),
        status=status,
        status_word=word,
        progress=percent(task.get("progress")),
        urls=_links(gateway, task) if done else (),
        expires_at=first_time(task, ("result.videos.*.expires_at", "expires_at")) if done else None,
        cost=first_number(task, ("cost",)),
        credits=first_number(task, ("credits_cost",)),
        error_code=first_text(task, ("error.code", "error.type")) if lost else "",
        error_message=_reason(task) if lost else "",
        created_at=first_time(task, ("created_at", "created", "submit_time")),
        completed_at=first_time(task, ("completed_at", "completed", "finish_time")) if done else None,
        estimated_seconds=first_number(task, ("estimated_time",)),
        poll_after=_poll_after(answer),
    )


def _reason(task: Mapping[str, JsonValue]) -> str:
    """Why the job failed, in the gateway's words; an error object without any is given as it is."""
    error = task.get("error")
    return shorten(first_text(task, _ERROR_TEXTS) or (json.dumps(error) if error else ""), 1000)


def _objects(body: JsonValue) -> list[dict[str, JsonValue]]:
    """The root and what its containers hold (of a list, the first item); never a container within a container."""
    if not isinstance(body, dict):
        return []
    inner = [body.get(name) for name in _CONTAINERS]
    first = [item[0] if isinstance(item, list) and item else item for item in inner]
    return [body, *(item for item in first if isinstance(item, dict))]


def _task(body: JsonValue) -> Mapping[str, JsonValue]:
    """The object that describes the job: the outermost with id and status, else a container's, else the root's."""
    objects = _objects(body)
    for item in objects:
        if "status" in item and _task_id(item):
            return item
    for item in [*objects[1:], *objects[:1]]:
        if "status" in item:
            return item
    for item in objects:
        if _task_id(item):
            return item
    return {}


def _is_job(body: JsonValue) -> bool:
    return bool(_find_id(body) and first_text(_task(body), ("status",)))


def _find_id(body: JsonValue) -> str:
    for item in [_task(body), *_objects(body)]:
        if found := _task_id(item):
            return found
    return ""


def _task_id(task: Mapping[str, JsonValue]) -> str:
    """The task id; an integer `id` is a row number of the gateway's database (providers.md 6.7)."""
    row = task.get("id")
    return first_text(task, ("task_id", "taskId")) or (first_text(task, ("id",)) if isinstance(row, str) else "")


def _links(gateway: Gateway, task: Mapping[str, JsonValue]) -> tuple[str, ...]:
    for path in gateway.url_paths:
        links = [value for value in dig(task, path) if isinstance(value, str) and is_link(value)]
        if links:
            return tuple(dict.fromkeys(links))
    return ()


def normalise(word: str) -> str:
    """A status word in lower case, with underscores."""
    return word.strip().lower().replace("-", "_").replace(" ", "_")


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


def _poll_after(answer: Answer) -> float | None:
    milliseconds = answer.headers.get("openai-poll-after-ms", "")
    return float(milliseconds) / 1000 if re.fullmatch(r"\d{1,9}", milliseconds) else retry_after(answer)
