"""One request to a gateway and its answer, as evidence: small, and without secrets."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from itertools import islice

from pydantic import AwareDatetime, BaseModel, ConfigDict, JsonValue

from prefect_omnivideo.core.redaction import redact, redact_json

LONGEST_BODY = 2000
"""Characters of an answer that are kept; a record keeps at most four answers, 8 KB in all."""
LONGEST_VALUE = 300
"""Characters of one string in an answer; a longer one is a file in base64, or a page."""
_MARK = 30
"""Room for the note of how much was cut off."""
_ITEMS = 50
"""Items of a list or an object."""
_LEVELS = 40
"""Levels of an answer that are kept. It may be nested deeper than Python can follow."""
_REQUEST_IDS = ("x-oneapi-request-id", "x-request-id", "request-id", "x-litellm-call-id", "x-trace-id", "cf-ray")


class Exchange(BaseModel):
    """What was asked, when, and what was answered."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    at: AwareDatetime
    asked: str
    """Method and path, such as `POST /v1/videos`."""
    status: int
    """The HTTP status."""
    request_id: str = ""
    """The gateway's own id of the request, from the answer's headers: what its support asks for."""
    body: str
    """The answer, redacted and cut."""


def exchange(asked: str, status: int, headers: Mapping[str, str], body: JsonValue, text: str) -> Exchange:
    """The evidence of an answer. `text` is used if the body is not JSON."""
    content = text if body is None else json.dumps(redact_json(cut(body)), ensure_ascii=False)
    found = next((f"{name}: {headers[name]}" for name in _REQUEST_IDS if headers.get(name)), "")
    return Exchange(
        at=datetime.now(UTC),
        asked=asked,
        status=status,
        request_id=redact(found)[:200],
        body=redact(content).encode("utf-8", "replace").decode()[:LONGEST_BODY],
    )


def cut(value: JsonValue, levels: int = _LEVELS) -> JsonValue:
    """The answer, redacted and cut for evidence. A value cut before is not cut again."""
    if isinstance(value, str):
        is_short = len(value) <= LONGEST_VALUE + _MARK
        return value if is_short else f"{value[:LONGEST_VALUE]}… ({len(value)} characters)"
    if isinstance(value, list | dict) and not levels:
        return "…"
    if isinstance(value, list):
        return [cut(item, levels - 1) for item in value[:_ITEMS]]
    if isinstance(value, dict):
        return {name[:LONGEST_VALUE]: cut(item, levels - 1) for name, item in islice(value.items(), _ITEMS)}
    return value
