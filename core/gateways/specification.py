"""What goes over the wire and what comes back, in one vocabulary for all gateways.

A gateway is data and a few pure functions (`Gateway`); nothing here opens a connection.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, JsonValue

from prefect_omnivideo.core.request import VideoRequest


class JobStatus(StrEnum):
    """Where a job stands, in neutral words."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_final(self) -> bool:
        """Whether the job has come to an end, good or bad."""
        return self in (JobStatus.SUCCEEDED, JobStatus.FAILED, JobStatus.CANCELLED)


@dataclass(frozen=True, slots=True)
class Route:
    """One way into a gateway: where jobs are posted, asked for and, where there is an endpoint, fetched.

    `status` and `content` hold a `{task_id}` placeholder. `cancel` is the DELETE path where one is documented.
    """

    submit: str
    status: str
    content: str | None = None
    cancel: str | None = None


@dataclass(frozen=True, slots=True)
class HttpCall:
    """One HTTP request, not yet sent: `path` is joined to the account's base URL.

    At most one of `json` and `form` is given; `files` (field, local path) make the form a multipart one.
    """

    method: str
    path: str
    json: dict[str, JsonValue] | None = None
    form: tuple[tuple[str, str], ...] = ()
    files: tuple[tuple[str, Path], ...] = ()


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer: `body` is the parsed JSON, or None when it is none; `text` is its start, for messages."""

    status: int
    headers: Mapping[str, str]
    body: JsonValue
    text: str = ""


@dataclass(frozen=True, slots=True)
class Job:
    """What a gateway says about one job.

    Attributes:
        task_id: the gateway's name for the job.
        status: where it stands.
        status_word: the gateway's own word for that, as sent.
        progress: percent, 0 to 100, or None. Never decides anything.
        urls: links to the finished files, only when the job succeeded.
        expires_at: when the links stop working, where the gateway tells.
        cost: in the gateway's account currency, where it tells.
        credits: in the gateway's credits, where it tells.
        error_code, error_message: why it failed, in the gateway's words.
        created_at, completed_at: by the gateway's clock.
        estimated_seconds: the gateway's own estimate of the whole duration.
        poll_after: seconds the gateway asks to wait before the next status query.
    """

    task_id: str
    status: JobStatus
    status_word: str = ""
    progress: float | None = None
    urls: tuple[str, ...] = ()
    expires_at: datetime | None = None
    cost: float | None = None
    credits: float | None = None
    error_code: str = ""
    error_message: str = ""
    created_at: datetime | None = None
    completed_at: datetime | None = None
    estimated_seconds: float | None = None
    poll_after: float | None = None


Kind = Literal["image", "video", "audio"]
"""Kinds of reference media: the first half of their content types."""


@dataclass(frozen=True, slots=True)
class Upload:
    """A gateway's own endpoint that keeps a file for a while and gives a link to it. It costs nothing.

    Attributes:
        path: where the file is posted, as a multipart form.
        field: the form's field that holds it.
        types: content types it takes; one that ends in "/" stands for all of that kind.
        most_bytes: size of the largest file.
        url_path: dotted path of the link in the answer.
        good_for: seconds the link works.
    """

    path: str
    field: str
    types: tuple[str, ...]
    most_bytes: int
    url_path: str
    good_for: float

    def takes(self, content_type: str) -> bool:
        """Whether files of this type may be uploaded."""
        return any(content_type == kind or (kind[-1] == "/" and content_type.startswith(kind)) for kind in self.types)


@dataclass(frozen=True, slots=True)
class Attachment:
    """An image that travels with the submission itself, as part of a form.

    Attributes:
        pick: the local file of a request that travels so, if there is one.
        most_bytes: size of the largest file.
    """

    pick: Callable[[VideoRequest], str | None]
    most_bytes: int


@dataclass(frozen=True, eq=False)
class Gateway:
    """One gateway: its documents as data, and the pure functions that speak its language.

    Attributes:
        name: the slug under which it is registered, such as `apimart`.
        title: the name people know it by.
        base_url: the documented default, or None where every account has its own.
        routes: the documented ways in; the first is the default.
        native: the gateway's own request body, with every documented field and rule.
        fields: every portable field the gateway can honour -> the native field that carries it.
        hints: portable field name -> what to do instead, for fields the gateway cannot honour.
        translate: the portable request -> native body (before `options` are merged and the rules are checked).
        encode: the checked native body -> the submit call for a path.
        statuses: the gateway's documented status words, normalised -> neutral status.
        url_paths: dotted paths at which a finished job's links are looked for, best first; `*` is every list item.
        uploads: the endpoints that take reference media, best first.
        attachment: the file that a submission may carry, where the gateway takes one.
        mixed_models: models whose `images` may be videos as well; an empty name stands for the default model.
        check_path: a page that any good key may read and that costs nothing: the balance, or else the list of models.
        balance_path: dotted path of the balance on that page; empty when it tells none.
        good_codes: top-level `code` values that mean success, as strings.
        code_statuses: top-level `code` values -> the HTTP status that says the same.
    """

    name: str
    title: str
    base_url: str | None
    routes: tuple[Route, ...]
    native: type[BaseModel]
    fields: Mapping[str, str]
    hints: Mapping[str, str]
    translate: Callable[[VideoRequest], dict[str, JsonValue]]
    statuses: Mapping[str, JobStatus]
    url_paths: tuple[str, ...]
    encode: Callable[[BaseModel, str], HttpCall]
    uploads: tuple[Upload, ...] = ()
    attachment: Attachment | None = None
    mixed_models: frozenset[str] = frozenset()
    check_path: str = "/v1/models"
    balance_path: str = ""
    good_codes: frozenset[str] = frozenset()
    code_statuses: Mapping[str, int] = field(default_factory=dict[str, int])


def encode_json(native: BaseModel, path: str) -> HttpCall:
    """The native body as JSON, with the fields that were given and no others."""
    body: dict[str, Any] = native.model_dump(mode="json", by_alias=True, exclude_unset=True)
    return HttpCall("POST", path, json=body)


def route_of(gateway: Gateway, submit_path: str) -> Route:
    """The route a job was submitted by."""
    return next((route for route in gateway.routes if route.submit == submit_path), gateway.routes[0])


def join_url(base_url: str, path: str) -> str:
    """Base URL and path as one URL; a base URL pasted in the OpenAI style, ending in `/v1`, works too."""
    base = base_url.rstrip("/")
    if path.startswith("/v1/"):
        base = base.removesuffix("/v1")
    return base + path
