"""Answers as vendors and gateways document them, none invented here: what each means (shapes/README.md)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from prefect_omnivideo.core.answers.links import is_inline
from prefect_omnivideo.core.answers.status import read_status
from prefect_omnivideo.core.answers.submission import read_submission
from prefect_omnivideo.core.errors import OmniVideoError
from prefect_omnivideo.core.gateways.registry import get_gateway
from prefect_omnivideo.core.gateways.specification import Accepted, Answer, Gateway, Reason, Rejected, Unknown

_FOLDER = Path(__file__).parent / "shapes"
_CATEGORIES = {
    Reason.UNREACHABLE: "unavailable",
    Reason.BLOCKED: "refused",
    Reason.NO_MODEL: "refused",
}


def _shapes(name: str) -> list[Any]:
    shapes: list[dict[str, Any]] = json.loads((_FOLDER / f"{name}.json").read_text("utf-8"))
    return [pytest.param(shape, id=shape["name"]) for shape in shapes]


def _read(shape: dict[str, Any]) -> tuple[Gateway, Answer]:
    body = shape["body"]
    text = body if isinstance(body, str) else "" if body is None else json.dumps(body, ensure_ascii=False)
    parsed = body
    if isinstance(body, str):
        try:
            parsed = json.loads(body)
        except ValueError:
            parsed = None
    headers = {name.lower(): value for name, value in shape.get("headers", {}).items()}
    return get_gateway(shape["gateway"]), Answer(shape["http"], headers, parsed, text[:2000])


@pytest.mark.parametrize("shape", [*_shapes("submissions"), *_shapes("rejections")])
def test_what_a_submission_came_to(shape: dict[str, Any]) -> None:
    expect = shape["expect"]
    outcome = read_submission(*_read(shape))
    kind = {Accepted: "accepted", Rejected: "rejected", Unknown: "unknown"}[type(outcome)]
    assert kind in {expect["outcome"], *expect.get("also", ())}
    if isinstance(outcome, Accepted) and "task_id" in expect:
        assert outcome.task_id == str(expect["task_id"])
    if isinstance(outcome, Rejected) and expect.get("permanent"):
        assert not outcome.reason.passes, "it is sent again though it concerns the account or the request for good"
    if isinstance(outcome, Rejected) and outcome.reason.passes:
        assert expect["category"] in ("rate limited", "unavailable")


@pytest.mark.parametrize("shape", _shapes("statuses"))
def test_where_a_job_stands(shape: dict[str, Any]) -> None:
    expect = shape["expect"]
    gateway, answer = _read(shape)
    allowed = {expect["status"], *expect.get("also", ())}
    try:
        job = read_status(gateway, answer, "the-task-we-asked-about")
    except OmniVideoError:
        assert not {"succeeded", "failed", "cancelled"} & {expect["status"]}, "an end that was not understood"
        return
    assert str(job.status) in allowed | ({"queued", "running"} if allowed & {"queued", "running"} else set())
    links, decoys = expect.get("links", []), set(expect.get("decoys", []))
    found = [link.url for link in job.links]
    if str(job.status) != "succeeded":
        assert found == []
    elif expect.get("inline"):
        assert found
        assert is_inline(found[0])
    elif links and expect["status"] == "succeeded":
        assert found
        assert found[0] == links[0]
        positions = [found.index(link) for link in links if link in found]
        assert not decoys & set(found[: max(positions) + 1])
    elif expect["status"] == "succeeded":
        assert not [url for url in found if url not in decoys and url not in links]
