"""Reading a request body: JSON, urlencoded or multipart, into one plain object."""

import json
import re
from typing import Any, Literal, cast

from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import Request

from prefect_omnivideo.sandbox.checks import Refused

Encoding = Literal["json", "form", "multipart"]
MOST_BYTES = 128 * 1024 * 1024
"""The family's cap on a request body (docs/gateways.md, The new-api family, Task errors)."""

_ENCODINGS: dict[str, Encoding] = {
    "application/json": "json",
    "application/x-www-form-urlencoded": "form",
    "multipart/form-data": "multipart",
}
_NESTED = re.compile(r"(\w+)\[(\w+)\]")


async def read_body(request: Request, accepted: frozenset[Encoding]) -> tuple[dict[str, Any], Encoding]:
    """The fields of a submission and how they were encoded.

    In a form a repeated field becomes a list, `name[]` is always a list and keeps its brackets, `name[part]` makes an
    object, and a file becomes `{"filename", "content_type", "bytes"}`. Raises `Refused` for a body that cannot be read
    and for an encoding that is not accepted.
    """
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    encoding = _ENCODINGS.get(media_type)
    if encoding is None or encoding not in accepted:
        raise Refused(f"Content-Type {media_type!r} is not accepted here", code="invalid_request")
    if int(request.headers.get("content-length", 0)) > MOST_BYTES:
        raise Refused("the request body is too large", code="read_request_body_failed", status=413)
    if encoding == "json":
        return _object(await request.body()), encoding
    try:
        async with request.form() as form:
            return _fields(form.multi_items()), encoding
    except HTTPException as error:
        raise Refused(f"the form cannot be read: {error.detail}") from None


def _object(content: bytes) -> dict[str, Any]:
    try:
        body: object = json.loads(content)
    except ValueError as error:
        raise Refused(f"the body is not JSON: {error}", code="invalid_json") from None
    if not isinstance(body, dict):
        raise Refused("the body must be a JSON object", code="invalid_json")
    return cast("dict[str, Any]", body)


def _fields(items: list[tuple[str, UploadFile | str]]) -> dict[str, Any]:
    body: dict[str, Any] = {}
    for name, content in items:
        value: Any = content
        if isinstance(content, UploadFile):
            value = {"filename": content.filename, "content_type": content.content_type, "bytes": content.size}
        if name.endswith("[]"):
            body.setdefault(name, []).append(value)
        elif nested := _NESTED.fullmatch(name):
            body.setdefault(nested[1], {})[nested[2]] = value
        elif name in body:
            earlier: Any = body[name]
            body[name] = [*earlier, value] if isinstance(earlier, list) else [earlier, value]
        else:
            body[name] = value
    return body
