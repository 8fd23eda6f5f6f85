"""From a portable or native request to a checked native body; a broken rule becomes a readable `Problem`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, JsonValue, ValidationError
from pydantic_core import ErrorDetails, PydanticCustomError

from prefect_omnivideo.core.broken_rules import problem_of
from prefect_omnivideo.core.errors import Problem, RequestError, refuse
from prefect_omnivideo.core.gateways.specification import Gateway
from prefect_omnivideo.core.redaction import shorten
from prefect_omnivideo.core.request import VideoRequest


class ClosedBody(BaseModel):
    """A body whose fields the gateway lists completely: anything else is a mistake."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, populate_by_name=True)


class OpenBody(BaseModel):
    """A body the gateway forwards: fields beyond the documented ones pass through."""

    model_config = ConfigDict(extra="allow", frozen=True, strict=True, populate_by_name=True)


def broken(field: str, rule: str, accepted: str = "") -> PydanticCustomError:
    """A broken rule, to be raised from a model's validator, that names the field it is about."""
    return PydanticCustomError("rule", "{rule}", {"field": field, "rule": rule, "accepted": accepted})


def wrong_value(rule: str, accepted: str) -> PydanticCustomError:
    """A value that breaks a rule, to be raised from a field's own validator."""
    return broken("", rule, accepted)


def is_link(reference: str) -> bool:
    """Whether a media reference is an http or https URL."""
    try:
        parts = urlsplit(reference)
    except ValueError:  # brackets that are not an IPv6 address
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname) and not any(c.isspace() for c in reference)


def _link(reference: str) -> str:
    if not is_link(reference):
        raise wrong_value(f"{shorten(reference)!r} is not an http(s) URL", "an http(s) URL")
    return reference


def media_suffix(reference: str) -> str:
    """The file ending of a URL or path in lower case, such as `.png`; empty when it has none."""
    path = urlsplit(reference).path if is_link(reference) else reference
    return PurePosixPath(path).suffix.lower()


def is_video(reference: str) -> bool:
    """Whether a reference's file ending is that of a video."""
    return media_suffix(reference) in (".mp4", ".mov", ".webm", ".mkv", ".avi", ".m4v")


Link = Annotated[str, AfterValidator(_link)]
"""An http or https URL, kept unchanged."""


def _text(value: str) -> str:
    if not value.strip():
        raise ValueError("it is empty")
    return value


Text = Annotated[str, AfterValidator(_text)]
"""A string with at least one visible character."""


def check_native(gateway: Gateway, body: Mapping[str, Any], *, subject: str = "request") -> BaseModel:
    """The gateway's own body, checked against every documented rule.

    Raises:
        RequestError: naming each broken rule by native field.
    """
    return _validate(gateway, body, {}, subject)


def translate(gateway: Gateway, request: VideoRequest, *, subject: str = "request") -> BaseModel:
    """The portable request as this gateway's checked native body.

    Raises:
        RequestError: naming, by portable field, what the gateway cannot honour and what it would accept.
    """
    if request.follows:  # a gateway knows no shots; the right one takes its place before this
        field = "extend_from" if request.follows == request.extend_from else "first_frame"
        rule = f"{request.follows!r} is a shot of a storyboard"
        raise refuse(field, rule, "the flow Generate sequence, which makes shots in their order", subject=subject)
    unsupported = sorted(request.set_fields() - gateway.fields.keys())
    if unsupported:
        problems = [
            Problem(name, f"{gateway.title} cannot honour it", gateway.hints.get(name, "")) for name in unsupported
        ]
        rest = request.model_copy(update={name: VideoRequest.model_fields[name].default for name in unsupported})
        raise RequestError([*problems, *_also_broken(gateway, rest)], subject=subject)
    try:
        body = gateway.translate(request)
    except RequestError as error:
        raise RequestError(error.problems, subject=subject) from None
    portable = {native: name for name, native in gateway.fields.items() if name in request.set_fields()}
    labels = {native: f"{name} (sent as {native})" for native, name in portable.items() if name != native}
    labels |= {name: f"options.{name}" for name in request.options}
    return _validate(gateway, {**body, **request.options}, labels, subject)


def _also_broken(gateway: Gateway, rest: VideoRequest) -> list[Problem]:
    """What else is wrong with a request, apart from the fields that were taken out; a mode may depend on those."""
    try:
        translate(gateway, rest)
    except RequestError as error:
        return [problem for problem in error.problems if problem.field != "mode"]
    return []


def whole_seconds(duration: float) -> int:
    """The duration as the whole number of seconds most gateways want.

    Raises:
        RequestError: it is not a whole number.
    """
    if not float(duration).is_integer():
        raise refuse("duration", f"{duration:g} s is not a whole number of seconds", "whole seconds")
    return int(duration)


def check_mode(request: VideoRequest, *modes: str | None) -> None:
    """Refuse a mode that contradicts what the references imply.

    Raises:
        RequestError: naming the modes these references allow.
    """
    if request.mode is not None and request.mode not in modes:
        accepted = " or ".join(mode for mode in modes if mode)
        raise refuse("mode", f"{request.mode!r} does not fit the references given", accepted or "no mode")


def _validate(gateway: Gateway, body: Mapping[str, Any], labels: Mapping[str, str], subject: str) -> BaseModel:
    try:
        json.dumps(dict(body), ensure_ascii=False, allow_nan=False).encode("utf-8")
    except (TypeError, ValueError, RecursionError) as error:
        raise RequestError([Problem("body", f"cannot be written as JSON: {error}")], subject=subject) from None
    try:
        return gateway.native.model_validate(dict(body))
    except ValidationError as error:
        raise RequestError(
            [_problem(gateway.native, detail, labels) for detail in error.errors()], subject=subject
        ) from None


def _problem(model: type[BaseModel], detail: ErrorDetails, labels: Mapping[str, str]) -> Problem:
    context = detail.get("ctx", {})
    names = [str(part) for part in detail["loc"]]
    if context.get("field"):
        names = [context["field"]]
    native = names[0] if names else "body"
    names = [labels.get(native, native), *names[1:]]
    if detail["type"] == "extra_forbidden":
        documented = ", ".join(field.alias or name for name, field in model.model_fields.items())
        return Problem(".".join(names), "the gateway documents no such field", documented)
    return problem_of(detail)._replace(field=".".join(names))


def drop_empty(body: Mapping[str, JsonValue | tuple[str, ...]]) -> dict[str, JsonValue]:
    """The body without empty fields: None and empty lists."""
    return {
        name: list(value) if isinstance(value, tuple) else value
        for name, value in body.items()
        if value is not None and value != () and value != []
    }
