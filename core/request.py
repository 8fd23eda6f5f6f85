"""The portable request: what is wanted, independent of any gateway."""

from __future__ import annotations

import hashlib
import json
import re
import unicodedata
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import unquote, urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    JsonValue,
    SerializerFunctionWrapHandler,
    field_validator,
    model_serializer,
)
from pydantic_core import PydanticCustomError

Mode = Literal[
    "t2v",
    "i2v",
    "i2v_first_last",
    "r2v",
    "reference_images",
    "reference_material",
    "multi_i2v",
    "extend",
    "edit",
]

KEY_LENGTH = 16
SHOT = "shot:"
"""How a reference to another shot of a storyboard begins: `shot:<storyboard>/<shot>`."""


def _shaped(pattern: str, what: str) -> tuple[AfterValidator, Any]:
    """The form of a text: the pattern for a form's schema, and a sentence instead of it for people."""

    def check(value: str) -> str:
        if not re.fullmatch(pattern, value, re.ASCII):
            raise PydanticCustomError("rule", "{rule}", {"rule": f"{value[:40]!r} is not {what}"})
        return value

    return AfterValidator(check), Field(json_schema_extra={"pattern": f"^{pattern}$"})


_check_ratio, _ratio_schema = _shaped(r"\d{1,3}:\d{1,3}", "a ratio of width to height, such as 16:9")
_check_class, _class_schema = _shaped(r"(\d{3,4}[pP]|\d{1,2}[kK])", "a resolution class, such as 720p or 4k")
_check_size, _size_schema = _shaped(r"\d{2,5}x\d{2,5}", "a size in pixels, such as 1280x720")


class VideoRequest(BaseModel):
    """A request for one video, portable across gateways.

    What a gateway cannot honour is an error that names the field, never silently dropped.
    """

    model_config = ConfigDict(
        frozen=True, extra="forbid", allow_inf_nan=False, json_schema_extra=lambda schema: _in_order(schema)
    )

    prompt: str = Field(default="", max_length=50_000, description="What the video shows. Most gateways need it.")
    negative_prompt: str | None = Field(
        default=None, description="What the video must not show, where the model takes it."
    )
    model: str | None = Field(
        default=None, min_length=1, description="The gateway's model name. Empty: the gateway's documented Omni model."
    )
    mode: Mode | None = Field(
        default=None, description="How references are used. Empty: follows from the references given."
    )
    duration: Annotated[float, Field(gt=0, le=3600)] | None = Field(
        default=None, description="Length of the video in seconds."
    )
    aspect_ratio: Annotated[str, _check_ratio, _ratio_schema] | None = Field(
        default=None, description="Width to height, such as 16:9 or 9:16."
    )
    resolution: Annotated[str, _check_class, _class_schema] | None = Field(
        default=None, description="Resolution class, such as 720p, 1080p or 4k."
    )
    size: Annotated[str, _check_size, _size_schema] | None = Field(
        default=None, description="Width and height in pixels, such as 1280x720."
    )
    first_frame: str | None = Field(
        default=None, min_length=1, description="Image the video starts from: https URL, s3:// object or local file."
    )
    last_frame: str | None = Field(
        default=None, min_length=1, description="Image the video ends on: https URL, s3:// object or local file."
    )
    images: tuple[str, ...] = Field(
        default=(), description="Reference images: https URLs, s3:// objects or local files."
    )
    videos: tuple[str, ...] = Field(
        default=(), description="Reference videos, or the video to edit: https URLs, s3:// objects or local files."
    )
    audios: tuple[str, ...] = Field(
        default=(), description="Reference audio: https URLs, s3:// objects or local files."
    )
    sound: bool | None = Field(
        default=None, description="Whether the video has sound, where the model leaves the choice."
    )
    seed: int | None = Field(default=None, description="Random seed, where the model takes one.")
    extend_from: str | None = Field(
        default=None, min_length=1, description="Task id (Kling: video id) of the video to continue."
    )
    take: int = Field(
        default=1, ge=1, description="Number of the take: the same request with another take is another video."
    )
    options: dict[str, JsonValue] = Field(default={}, description="The gateway's own fields, merged last and verbatim.")

    @field_validator("images", "videos", "audios")
    @classmethod
    def _no_blank_reference(cls, references: tuple[str, ...]) -> tuple[str, ...]:
        if any(not reference.strip() for reference in references):
            raise ValueError("a reference is blank; give a URL, an s3:// object or a local path")
        return references

    @model_serializer(mode="wrap")
    def _given_alone(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Without the fields at their default, which are most: in parameters of runs, in records, in reports."""
        fields = type(self).model_fields
        return {name: value for name, value in dump(self).items() if getattr(self, name) != fields[name].default}

    @property
    def key(self) -> str:
        """Identity of the video within a batch: 16 hexadecimal digits of SHA-256 over the request and its take.

        Fields at their default do not count, so that a new field never changes an old key.
        """
        wanted = self.model_dump(mode="json", exclude_defaults=True)
        if isinstance(wanted.get("duration"), float) and wanted["duration"].is_integer():
            wanted["duration"] = int(wanted["duration"])
        canonical = json.dumps(wanted, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
        # A lone surrogate is legal in JSON and has no UTF-8 form.
        return hashlib.sha256(canonical.encode("utf-8", "surrogatepass")).hexdigest()[:KEY_LENGTH]

    @property
    def slug(self) -> str:
        """The first words of the prompt, for use in a file name: letters, digits and hyphens, at most 40 characters."""
        text = unicodedata.normalize("NFKC", self.prompt).lower()
        return re.sub(r"[\W_]+", "-", text)[:40].strip("-") or "video"

    @property
    def follows(self) -> str:
        """The shot that it continues, such as `shot:storyboard/1`; empty if it continues none."""
        return next((value for value in (self.extend_from, self.first_frame) if value and is_shot(value)), "")

    def set_fields(self) -> frozenset[str]:
        """Names of the fields that are set, except `take` and `options`."""
        return frozenset(self.model_dump(exclude_defaults=True)) - {"take", "options"}


def _in_order(schema: dict[str, Any]) -> None:
    """Number the fields, so that a form shows them in the order of this file."""
    for position, field in enumerate(schema["properties"].values()):
        field["position"] = position


def as_request(prompt: str | VideoRequest) -> VideoRequest:
    """Turn a bare prompt into a request that leaves everything else to the gateway."""
    return VideoRequest(prompt=prompt) if isinstance(prompt, str) else prompt


def is_shot(value: str) -> bool:
    """Whether a reference names another shot of a storyboard."""
    return value.startswith(SHOT)


def is_local(value: str) -> bool:
    """Whether a reference names a file of this machine: a path, or a file:/// URL."""
    if re.match(r"file://(localhost)?/", value):
        return True
    return not is_shot(value) and not value.startswith("data:") and not re.match(r"[A-Za-z][A-Za-z0-9+.-]*://", value)


def is_s3(value: str) -> bool:
    """Whether a reference names an object of S3."""
    return value.startswith("s3://")


def local_path(value: str) -> Path:
    """The path of a local reference: relative to the working directory, `~` being the home folder."""
    path = unquote(urlsplit(value).path) if value.startswith("file://") else value
    try:
        return Path(path).expanduser()
    except RuntimeError:  # there is no such home folder
        return Path(path)
