"""Requests and answers in one vocabulary for all gateways.

A gateway is data and a few pure functions (`Gateway`); nothing here opens a connection.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, Literal
from urllib.parse import quote

from pydantic import BaseModel, JsonValue

from prefect_omnivideo.core.exchange import Exchange, exchange
from prefect_omnivideo.core.gateways.words import STATUSES, JobStatus
from prefect_omnivideo.core.money.amount import Amount
from prefect_omnivideo.core.request import VideoRequest


@dataclass(frozen=True, slots=True)
class Route:
    """One route of a gateway: the paths to submit a job, read its status and, if there is one, fetch its content.

    `status` and `content` hold a `{task_id}` placeholder. `cancel` is the DELETE path where one is documented.
    """

    submit: str
    status: str
    content: str | None = None
    cancel: str | None = None


@dataclass(frozen=True, slots=True)
class HttpCall:
    """One HTTP request, not yet sent: `path` is joined to the account's base URL.

    At most one of `json` and `form` is set; `files` (field, local path) make the form a multipart one.
    """

    method: str
    path: str
    json: dict[str, JsonValue] | None = None
    form: tuple[tuple[str, str], ...] = ()
    files: tuple[tuple[str, Path], ...] = ()


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer.

    Attributes:
        status: the HTTP status.
        headers: their names in lower case.
        body: the parsed JSON, or None if it is not JSON.
        text: its start, for messages.
        asked: method and path of the request.
    """

    status: int
    headers: Mapping[str, str]
    body: JsonValue
    text: str = ""
    asked: str = ""

    @property
    def evidence(self) -> Exchange:
        """The answer as a record may keep it."""
        return exchange(self.asked, self.status, self.headers, self.body, self.text)


@dataclass(frozen=True, slots=True)
class Link:
    """A link in an answer to a file of a finished job.

    Attributes:
        url: an http(s) URL, or a `data:` URL that holds the file itself. Secret: it may be signed.
        path: its position in the answer, as JMESPath.
        is_documented: whether the gateway's documents (or the account's corrections) name that path.
    """

    url: str = field(repr=False)
    path: str = ""
    is_documented: bool = True

    @property
    def group(self) -> str:
        """The path without positions in lists: links of one group are files of one kind."""
        return re.sub(r"\[\d+\]", "[]", self.path)


@dataclass(frozen=True, slots=True)
class Job:
    """What a gateway says about one job.

    Attributes:
        task_id: the gateway's name for the job.
        status: its neutral status.
        status_word: the gateway's own status word, as sent.
        progress: percent, 0 to 100, or None. Never decides anything.
        links: where the files of a finished job may be, best first.
        expires_at: when the links expire, if reported.
        cost: what was charged for it, if reported. A charge in a currency and in credits is one charge.
        error_code, error_message: why it failed, in the gateway's words.
        created_at, completed_at: by the gateway's clock.
        estimated_seconds: the gateway's own estimate of the whole duration.
        poll_after: seconds the gateway asks to wait before the next status query.
        video_id: the vendor's own id of a finished video, if reported.
        answer: the answer it was read from; evidence if the job ends unexpectedly.
    """

    task_id: str
    status: JobStatus
    status_word: str = ""
    progress: float | None = None
    links: tuple[Link, ...] = ()
    expires_at: datetime | None = None
    cost: Amount | None = None
    error_code: str = ""
    error_message: str = ""
    created_at: datetime | None = None
    completed_at: datetime | None = None
    estimated_seconds: float | None = None
    poll_after: float | None = None
    video_id: str = ""
    answer: Answer | None = field(default=None, repr=False, compare=False)


class Reason(StrEnum):
    """Why a gateway rejected a submission before it accepted anything."""

    UNREACHABLE = "unreachable"
    """No connection was made."""
    RATE_LIMITED = "rate limited"
    UNAVAILABLE = "unavailable"
    """No capacity now."""
    BLOCKED = "blocked"
    """Something in front of the gateway answered: a firewall, or another site at a wrong base URL."""
    UNAUTHORIZED = "unauthorized"
    NO_MODEL = "no model"
    """The account may not use the model, or the gateway does not have it."""
    NO_BALANCE = "no balance"
    MODERATED = "moderated"
    REFUSED = "refused"
    """Any other clean refusal of the request."""

    @property
    def passes(self) -> bool:
        """Whether the same request may be accepted a moment later."""
        return self in (Reason.UNREACHABLE, Reason.RATE_LIMITED, Reason.UNAVAILABLE)


@dataclass(frozen=True, slots=True)
class Accepted:
    """The gateway has the job: it is paid for."""

    job: Job

    @property
    def task_id(self) -> str:
        """The gateway's name for the job."""
        return self.job.task_id


@dataclass(frozen=True, slots=True)
class Rejected:
    """The gateway certainly does not have the job: nothing was spent.

    Attributes:
        reason: the documented reason.
        message: what happened and what to do, for people.
        http_status: of the answer, or as given by its code; None if there was none.
        retry_after: seconds the gateway asks to wait, or None.
        answer: the answer that says so; None if nothing was sent.
    """

    reason: Reason
    message: str
    http_status: int | None = None
    retry_after: float | None = None
    answer: Answer | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Unknown:
    """This answer, or its absence, does not show whether the gateway has the job. It may be paid for."""

    message: str
    answer: Answer | None = field(default=None, repr=False)


Outcome = Accepted | Rejected | Unknown
"""The outcome of a submission."""


Kind = Literal["image", "video", "audio"]
"""Kinds of reference media: the first half of their content types."""


@dataclass(frozen=True, slots=True)
class Upload:
    """A gateway's own endpoint that stores a file temporarily and returns a link to it. It costs nothing.

    Attributes:
        path: where the file is posted, as a multipart form.
        field: the form's field that holds it.
        types: content types it accepts; one that ends in "/" means all of that kind.
        most_bytes: size of the largest file.
        url_path: JMESPath of the link in the answer.
        valid_for: seconds for which the link is valid.
    """

    path: str
    field: str
    types: tuple[str, ...]
    most_bytes: int
    url_path: str
    valid_for: float

    def takes(self, content_type: str) -> bool:
        """Whether files of this type may be uploaded."""
        return any(content_type == kind or (kind[-1] == "/" and content_type.startswith(kind)) for kind in self.types)


@dataclass(frozen=True, slots=True)
class Attachment:
    """An image that is sent with the submission itself, as part of a form.

    Attributes:
        pick: the local file of a request that is sent this way, if there is one.
        most_bytes: size of the largest file.
    """

    pick: Callable[[VideoRequest], str | None]
    most_bytes: int


@dataclass(frozen=True, eq=False)
class Gateway:
    """One gateway: its documents as data, and pure functions for its formats.

    Attributes:
        name: the slug under which it is registered, such as `apimart`.
        title: its display name.
        base_url: the documented default, or None if every account has its own.
        routes: the documented routes; the first is the default.
        native: the gateway's own request body, with every documented field and rule.
        fields: every portable field the gateway can honour -> the native field that carries it.
        hints: portable field name -> what to do instead, for fields the gateway cannot honour.
        translate: the portable request -> native body (before `options` are merged and the rules are checked).
        encode: the checked native body -> the submit call for a path.
        statuses: status words, normalised -> neutral status; `words.STATUSES` if there is nothing special.
        status_paths: JMESPath expressions tried first for the status.
        id_paths: the same for the task id.
        link_paths: the same for a finished job's links, best first.
        as_made: the native body -> the same with what the documents say of fields that are left out or ignored, as far
            as a price may depend on them.
        currency: what the account is billed in: an ISO 4217 code, "credits", or empty if nothing tells.
        has_price_page: whether its software has the public page `/api/pricing` of new-api.
        cheapest: fields of the portable request for the cheapest documented video.
        rejections: codes and error types documented as given before a job is accepted -> the reason.
        not_found: pattern of the documented code or message for a task that does not exist.
        uploads: the endpoints that accept reference media, best first.
        attachment: the file that a submission may carry, if the gateway accepts one.
        mixed_models: models whose `images` may be videos as well; an empty name means the default model.
        extends_by: by what the gateway is told which of its videos to extend; empty if it extends none.
        video_id_paths: JMESPath expressions for the vendor's own id of a finished video.
        check_path: a page that any valid key may read and that costs nothing: the balance, or else the list of models.
        balance_path: JMESPath of the balance on that page; empty if there is none.
    """

    name: str
    title: str
    base_url: str | None
    routes: tuple[Route, ...]
    native: type[BaseModel]
    fields: Mapping[str, str]
    hints: Mapping[str, str]
    translate: Callable[[VideoRequest], dict[str, JsonValue]]
    encode: Callable[[BaseModel, str], HttpCall]
    statuses: Mapping[str, JobStatus] = field(default_factory=lambda: STATUSES)
    status_paths: tuple[str, ...] = ()
    id_paths: tuple[str, ...] = ()
    link_paths: tuple[str, ...] = ()
    as_made: Callable[[dict[str, JsonValue]], dict[str, JsonValue]] = lambda body: body
    currency: str = ""
    has_price_page: bool = False
    cheapest: Mapping[str, Any] = field(default_factory=dict[str, Any])
    rejections: Mapping[str, Reason] = field(default_factory=dict[str, Reason])
    not_found: str = ""
    uploads: tuple[Upload, ...] = ()
    attachment: Attachment | None = None
    mixed_models: frozenset[str] = frozenset()
    extends_by: Literal["", "task id", "video id"] = ""
    video_id_paths: tuple[str, ...] = ()
    check_path: str = "/v1/models"
    balance_path: str = ""


def encode_json(native: BaseModel, path: str) -> HttpCall:
    """The native body as JSON, with only the fields that were set."""
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


def task_path(template: str, task_id: str) -> str:
    """The path for a task; an id comes from the gateway and may contain anything."""
    return template.format(task_id=quote(task_id, safe=""))
