"""`omnivideo encode` and `omnivideo decode`: what would be sent, and what would be understood."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from typing import Annotated, Any

from cyclopts import Parameter
from pydantic import BaseModel, JsonValue, TypeAdapter, ValidationError

from prefect_omnivideo.cli.app import GatewayName, app, report_error, saved_credentials
from prefect_omnivideo.core.answers.explain import explain
from prefect_omnivideo.core.broken_rules import problem_of
from prefect_omnivideo.core.errors import OmniVideoError, RequestError, refuse
from prefect_omnivideo.core.gateways.preview import preview
from prefect_omnivideo.core.gateways.registry import get_gateway
from prefect_omnivideo.core.gateways.specification import Answer, Gateway
from prefect_omnivideo.core.gateways.validation import check_native, translate
from prefect_omnivideo.core.references.parse import placeholder
from prefect_omnivideo.core.request import VideoRequest


@app.command
def encode(
    *,
    gateway: GatewayName,
    native: Annotated[bool, Parameter(negative=())] = False,
    base_url: str | None = None,
    submit_path: str | None = None,
) -> int:
    """Print the HTTP call that a request on standard input would become. Nothing is sent.

    Args:
        gateway: The gateway: 12ai, omnirouters, sora, apimart, jimmyai, or one installed beside them.
        native: The request is the gateway's own body, not a portable VideoRequest.
        base_url: Address of the gateway; its documented one when left out.
        submit_path: Which of the gateway's documented routes to take, where there are several.
    """
    try:
        found = get_gateway(gateway)
        given = _read_request()
        body = check_native(found, given) if native else _translate(found, VideoRequest.model_validate(given))
        paths = [route.submit for route in found.routes]
        if submit_path not in (None, *paths):
            raise refuse("submit-path", f"{submit_path!r} is not documented", ", ".join(paths))
        route = found.routes[paths.index(submit_path) if submit_path else 0]
        call = preview(found, body, base_url or found.base_url or "{base_url}", route)
    except ValidationError as error:
        return report_error(str(RequestError([problem_of(detail) for detail in error.errors()])))
    except OmniVideoError as error:
        return report_error(str(error))
    _print(call)
    return 0


@app.command
def decode(
    *,
    gateway: GatewayName | None = None,
    block: str | None = None,
    http: int = 200,
) -> int:
    """Print what would be understood of a gateway's answer on standard input, and where in it each finding stands.

    Args:
        gateway: The gateway: 12ai, omnirouters, sora, apimart, jimmyai, or one installed beside them.
        block: Saved credentials in place of --gateway, whose corrections count, such as sora-credentials/prod.
        http: The HTTP status of the answer.
    """
    if bool(gateway) == bool(block):
        return report_error("give --gateway, such as --gateway sora, or --block, such as --block sora-credentials/prod")
    text = sys.stdin.buffer.read().decode("utf-8", "replace")
    body: JsonValue = None
    try:
        body = TypeAdapter[JsonValue](JsonValue).validate_json(text)
    except ValidationError:
        body = None  # a page, or nothing: also an answer
    try:
        found = saved_credentials(block).account().gateway if block else get_gateway(gateway or "")
    except OmniVideoError as error:
        return report_error(str(error))
    _print(explain(found, Answer(http, {}, body, text[:2000])))
    return 0


def _read_request() -> dict[str, Any]:
    try:
        return TypeAdapter(dict[str, Any]).validate_json(sys.stdin.buffer.read())
    except ValidationError as error:
        problem = problem_of(error.errors()[0])
        raise refuse("standard input", problem.rule, "one JSON object") from None


def _translate(gateway: Gateway, request: VideoRequest) -> BaseModel:
    """With placeholders for local files and s3:// objects, which a run would upload or presign first."""
    return translate(gateway, placeholder(gateway, request))


def _print(value: Mapping[str, object]) -> None:
    sys.stdout.write(json.dumps(value, ensure_ascii=False, indent=2) + "\n")
