"""How an answer would be interpreted, for people: every value with the path it came from."""

from __future__ import annotations

from typing import Any

from pydantic import JsonValue

from prefect_omnivideo.core.answers.json_paths import text_of, walk
from prefect_omnivideo.core.answers.status import read_status
from prefect_omnivideo.core.answers.submission import read_submission
from prefect_omnivideo.core.errors import OmniVideoError
from prefect_omnivideo.core.gateways.specification import Accepted, Answer, Gateway, Rejected
from prefect_omnivideo.core.redaction import shorten


def explain(gateway: Gateway, answer: Answer) -> dict[str, Any]:
    """The meaning of an answer to a submission, and that of the same answer to a status query.

    Links are shown without their queries, which may be signatures.
    """
    return {
        "gateway": gateway.name,
        "as the answer to a submission": _as_submission(gateway, answer),
        "as the answer to a status query": _as_status(gateway, answer),
    }


def _as_submission(gateway: Gateway, answer: Answer) -> dict[str, Any]:
    outcome = read_submission(gateway, answer)
    if isinstance(outcome, Accepted):
        return {"outcome": "accepted", "task_id": _found(answer.body, outcome.task_id)}
    if isinstance(outcome, Rejected):
        again = "retried automatically" if outcome.reason.passes else "not retried automatically"
        return {"outcome": "rejected", "reason": str(outcome.reason), "then": again, "message": outcome.message}
    return {"outcome": "unknown", "then": "never retried automatically", "message": outcome.message}


def _as_status(gateway: Gateway, answer: Answer) -> dict[str, Any]:
    try:
        job = read_status(gateway, answer, "")
    except OmniVideoError as error:
        return {"status": None, "message": str(error)}
    links = [{"url": shorten(link.url, 200), "path": link.path, "documented": link.is_documented} for link in job.links]
    readings = {
        "status": str(job.status),
        "word": _found(answer.body, job.status_word),
        "links, in the order they are tried": links,
        "cost": job.cost and str(job.cost),
        "error_code": job.error_code,
        "error_message": job.error_message,
        "poll_after": job.poll_after,
    }
    return {name: value for name, value in readings.items() if value not in (None, "", [])}


def _found(body: JsonValue, text: str) -> dict[str, str] | None:
    """A value and its path."""
    if not text:
        return None
    path = next((node.path for node in walk(body) if text_of(node.value) == text), "")
    return {"value": text, "path": path}
