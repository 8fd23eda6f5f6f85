"""One question to a gateway and its answer, as evidence: small, and without anything secret."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime

from pydantic import AwareDatetime, BaseModel, ConfigDict, JsonValue

from prefect_omnivideo.core.redaction import redact, redact_json

LONGEST_BODY = 2000
"""Characters of an answer that are kept; a record keeps four at the most, 8 KB in all."""
LONGEST_VALUE = 300
"""Characters of one text within an answer; a longer one is a file in base64, or a page."""
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
    """The evidence of an answer. `text` counts where the body is no JSON."""
    told = text if body is None else json.dumps(redact_json(_cut(body)), ensure_ascii=False)
    found = next((f"{name}: {headers[name]}" for name in _REQUEST_IDS if headers.get(name)), "")
    return Exchange(
        at=datetime.now(UTC),
        asked=asked,
        status=status,
        request_id=redact(found)[:200],
        body=redact(told).encode("utf-8", "replace").decode()[:LONGEST_BODY],
    )


def _cut(value: JsonValue) -> JsonValue:
    if isinstance(value, str):
        return value if len(value) <= LONGEST_VALUE else f"{value[:LONGEST_VALUE]}… ({len(value)} characters)"
    if isinstance(value, list):
        return [_cut(item) for item in value[:50]]
    if isinstance(value, dict):
        return {name: _cut(item) for name, item in value.items()}
    return value
