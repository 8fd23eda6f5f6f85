"""What the answer to a status query means.

An unknown word means that the job still runs, unless the answer has a link to a video. A failure is inferred from words
in the table only, and only if nothing else in the answer contradicts them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import NamedTuple, cast

from pydantic import JsonValue

from prefect_omnivideo.core.answers.hints import hint
from prefect_omnivideo.core.answers.json_paths import (
    Node,
    first_number,
    first_text,
    first_time,
    objects,
    percent,
    plain,
    text_of,
)
from prefect_omnivideo.core.answers.links import find_links, looks_like_a_result
from prefect_omnivideo.core.answers.refusal import ERROR_TEXTS, find_refusal, retry_after
from prefect_omnivideo.core.answers.task_id import ids_of, named_id
from prefect_omnivideo.core.errors import (
    FailureCategory,
    JobFailedError,
    OmniVideoError,
    StatusDeniedError,
    StatusUnavailableError,
)
from prefect_omnivideo.core.exchange import cut
from prefect_omnivideo.core.gateways.codes import MODERATED, NO_BALANCE
from prefect_omnivideo.core.gateways.specification import Answer, Gateway, Job, Link
from prefect_omnivideo.core.gateways.words import JobStatus, normalise
from prefect_omnivideo.core.money.amount import Amount, amount_of
from prefect_omnivideo.core.redaction import shorten

_KEYS = (
    "status",
    "state",
    "taskstatus",
    "jobstatus",
    "videostatus",
    "generationstatus",
    "taskstate",
    "runstatus",
    "statusname",
    "statustext",
    "statename",
    "statetext",
    "internalstate",
    "rawstatus",
    "mediagenerationstatus",
)
"""Keys of the status, normalised by `plain`, best first."""
_ELSEWHERE = frozenset({"error", "errors", "input", "inputs", "request", "params", "parameters", "usage", "baseresp"})
"""Objects whose status is not the job's."""


class _Reported(NamedTuple):
    """A status reported by an object of the answer."""

    word: str
    status: JobStatus | None
    """None for an unknown word."""
    job: Mapping[str, JsonValue]


def read_status(gateway: Gateway, answer: Answer, task_id: str, sent: Collection[str] = ()) -> Job:
    """The job's status.

    Args:
        sent: strings of the request; a link among them is not a result.

    Raises:
        StatusDeniedError: the key may not read it.
        StatusUnavailableError: it cannot be read for now, or the gateway does not know the task.
    """
    if not 200 <= answer.status < 300:
        raise _no_status(gateway, answer, task_id)
    job = read_job(gateway, answer, task_id, sent)
    if job.status_word or job.links or _describes(answer.body, task_id):
        return job
    raise _no_status(gateway, answer, task_id)


def read_job(
    gateway: Gateway, answer: Answer, task_id: str, sent: Collection[str] = (), *, submitted: bool = False
) -> Job:
    """The job described by an answer.

    Args:
        submitted: the answer is that to the submission: a success without a link is the envelope's own status.
    """
    reported = _find_status(gateway, answer.body, task_id)
    task, word = reported.job, reported.word
    status = reported.status
    links: tuple[Link, ...] = ()
    if status in (JobStatus.SUCCEEDED, None):
        links = find_links(gateway, answer.body, cast("JsonValue", task), sent)
    if status is None:
        # A link to a video is stronger evidence than an unknown word.
        has_result = bool(links) and looks_like_a_result(links[0])
        status = JobStatus.SUCCEEDED if has_result else JobStatus.RUNNING if word else JobStatus.QUEUED
    if submitted and status is JobStatus.SUCCEEDED and not (links and links[0].is_documented):
        status = JobStatus.QUEUED
    done = status is JobStatus.SUCCEEDED
    lost = status in (JobStatus.FAILED, JobStatus.CANCELLED)
    return Job(
        task_id=task_id,
        status=status,
        status_word=word,
        progress=percent(task.get("progress")),
        links=links if done else (),
        expires_at=first_time(task, ("result.videos[].expires_at", "expires_at")) if done else None,
        cost=_cost(gateway, task),
        error_code=first_text(task, ("error.code", "error.type", "error_code")) if lost else "",
        error_message=_reason(task, answer.body) if lost else "",
        created_at=first_time(task, ("created_at", "created", "submit_time")),
        completed_at=first_time(task, ("completed_at", "completed", "finish_time")) if done else None,
        estimated_seconds=first_number(task, ("estimated_time",)),
        poll_after=_poll_after(answer),
        video_id=first_text(answer.body, gateway.video_id_paths) if done else "",
        # Tasks pass the job on to each other, and Prefect traverses everything in it.
        answer=replace(answer, body=cut(answer.body)),
    )


def job_failure(gateway: Gateway, job: Job) -> JobFailedError:
    """The error for a job that ended without a video."""
    reason = " ".join(part for part in (job.error_code, job.error_message) if part) or "no reason given"
    # A code stands alone, or before the text it explains: "PROVIDER_MODERATION_ERROR: TRADEMARK".
    codes = {job.error_code.lower(), job.error_message.partition(":")[0].strip().lower()}
    category: FailureCategory = "gateway error"
    if job.status is JobStatus.CANCELLED:
        category = "cancelled"
    elif normalise(job.status_word) == "expired":
        category = "expired"
    elif codes & MODERATED:
        category = "moderated"
    elif codes & NO_BALANCE:
        category = "no balance"
    advice = hint(reason) if category == "gateway error" else ""
    return JobFailedError(
        f"{gateway.title} job {job.task_id} {job.status_word or job.status}: {reason}{'.' * bool(advice)}{advice}",
        category=category,
        cost=job.cost,
        evidence=(job.answer.evidence,) if job.answer else (),
    )


def _cost(gateway: Gateway, task: Mapping[str, JsonValue]) -> Amount | None:
    """The charge, in the unit in which the account is billed if it is reported in several."""
    credits_ = amount_of(first_number(task, ("credits_cost",)), "credits")
    if gateway.currency == "credits":
        return credits_ or amount_of(first_number(task, ("cost",)), "")
    return amount_of(first_number(task, ("cost",)), gateway.currency) or credits_


def _find_status(gateway: Gateway, body: JsonValue, task_id: str) -> _Reported:
    """The status of the object with our task id, else of the outermost with an id, else of a nested one."""
    found = list(objects(body, but=_ELSEWHERE))
    if word := first_text(body, gateway.status_paths):
        return _Reported(word, gateway.statuses.get(normalise(word)), _described(found, task_id))
    reported = [each for node in found if (each := _reported(gateway, node)) is not None]
    ours = [each for each in reported if task_id and task_id in ids_of(each.job)]
    named = [each for each in reported if named_id(dict(each.job)) or isinstance(each.job.get("id"), str)]
    root = found[0].value if found else None
    inner = [each for each in reported if each.job is not root]
    ranked = [*(ours[:1] or named[:1]), *inner, *(each for each in reported if each.job is root)]
    if not ranked:
        return _Reported("", None, _described(found, task_id))
    first = ranked[0]
    if first.status is None or (first.status in (JobStatus.FAILED, JobStatus.CANCELLED) and not ours and not named):
        # Neither an unknown word nor a failure of an unnamed object overrides the other statuses.
        better = [each for each in ranked if each.status is not None and each.status not in _ENDS_BADLY]
        if better:
            return better[0]
    return first


_ENDS_BADLY = (JobStatus.FAILED, JobStatus.CANCELLED)


def _reported(gateway: Gateway, node: Node) -> _Reported | None:
    """The status that one object gives: a word, a number with a word beside it, or `done`."""
    job = node.value
    if not isinstance(job, dict):
        return None
    by_name = {plain(name): value for name, value in job.items()}
    numbers: list[str] = []
    for key in _KEYS:
        value = by_name.get(key)
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            continue
        word = text_of(value)
        if isinstance(value, str) and not re.fullmatch(r"-?\d+(\.\d+)?%?", word):
            return _Reported(word, gateway.statuses.get(normalise(word)), job)
        numbers.append(word)
    # Operations of Google's APIs have no word: `done`, and then `error` or `response`.
    if by_name.get("done") is True:
        return _Reported("done", JobStatus.FAILED if by_name.get("error") else JobStatus.SUCCEEDED, job)
    if by_name.get("done") is False:
        return _Reported("done: false", JobStatus.RUNNING, job)
    # Kie's flag (https://docs.kie.ai/veo3-api/get-veo-3-video-details): 0 running, 1 done; others are failures.
    if by_name.get("successflag") in (1, "1"):
        return _Reported("successFlag 1", JobStatus.SUCCEEDED, job)
    if numbers:
        return _Reported(numbers[0], gateway.statuses.get(normalise(numbers[0])), job)
    return None


def _described(found: list[Node], task_id: str) -> Mapping[str, JsonValue]:
    """The object that describes the job, if none has a status."""
    values = [node.value for node in found if isinstance(node.value, dict)]
    ours = [value for value in values if task_id in ids_of(value)]
    return (ours or values or [{}])[0]


def _describes(body: JsonValue, task_id: str) -> bool:
    """Whether the answer describes a job at all: an object has an id and no error."""
    return any(
        isinstance(node.value, dict)
        and (task_id in ids_of(node.value) or named_id(node.value) or isinstance(node.value.get("id"), str))
        and not node.value.get("error")
        for node in objects(body, but=_ELSEWHERE)
    )


def _reason(task: Mapping[str, JsonValue], body: JsonValue) -> str:
    """Why the job failed, in the gateway's words; an error object without a message is returned as JSON."""
    texts = first_text(task, ERROR_TEXTS)
    for node in objects(body) if not texts else ():
        if texts := first_text(node.value, ERROR_TEXTS[:-2]):
            break
    error = task.get("error")
    return shorten(texts or (json.dumps(error) if error else ""), 1000)


def _no_status(gateway: Gateway, answer: Answer, task_id: str) -> OmniVideoError:
    refusal = find_refusal(answer)
    readable = "" if answer.status >= 300 else "readable "
    text = f"{gateway.title} gave no {readable}status for {task_id}: {refusal}"
    if refusal.status in (401, 402, 403) and isinstance(answer.body, dict):
        return StatusDeniedError(f"{text}. The job still runs; correct the credentials and run again to collect it.")
    said = " ".join((*refusal.codes, refusal.message))
    is_clean = answer.status in (200, 400, 404) and isinstance(answer.body, dict)
    missing = is_clean and bool(gateway.not_found) and re.search(gateway.not_found, said, re.IGNORECASE) is not None
    return StatusUnavailableError(text, retry_after=retry_after(answer), not_found=missing, evidence=(answer.evidence,))


def _poll_after(answer: Answer) -> float | None:
    milliseconds = answer.headers.get("openai-poll-after-ms", "")
    return float(milliseconds) / 1000 if re.fullmatch(r"\d{1,9}", milliseconds) else retry_after(answer)
