"""Long lists of prompts, kept in the store: as sheets of JSON lines, named by their content."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from prefect_omnivideo.core.errors import StoreError, refuse
from prefect_omnivideo.core.request import VideoRequest, as_request
from prefect_omnivideo.core.storage.base import ObjectStore

_FOLDER = "prompts"
"""A batch may be called so too: none of its objects ends in .jsonl."""
_PROMPTS = TypeAdapter(list[str | VideoRequest])
_SHOWN = 3
_SHOWN_LENGTH = 80


class KeptPrompts(BaseModel):
    """A list of prompts that is kept in the store, for where it is too long to travel."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kept: str
    """Name of the object within the store."""
    sha256: str
    count: int
    begins: tuple[str, ...]
    """The first prompts, for people."""

    def __len__(self) -> int:
        return self.count


def keep(prompts: Sequence[object], store: ObjectStore) -> KeptPrompts:
    """Write a list of prompts into the store.

    Raises:
        RequestError: the store cannot be written, and the list is too long to do without.
        ValidationError: it is no list of texts and requests.
    """
    requests = [as_request(prompt) for prompt in _PROMPTS.validate_python(prompts)]
    data = b"".join(json.dumps(request.model_dump(mode="json")).encode() + b"\n" for request in requests)
    digest = hashlib.sha256(data).hexdigest()
    name = f"{_FOLDER}/{digest[:16]}.jsonl"
    try:
        store.put(name, data, content_type="application/jsonl")
    except StoreError as error:
        rule = f"a list of {len(requests)} prompts is too long for a parameter and must be kept in the store ({error})"
        raise refuse(
            "prompts", rule, "a store that can be written; nothing was submitted", subject="parameters"
        ) from None
    begins = tuple(request.prompt[:_SHOWN_LENGTH] for request in requests[:_SHOWN])
    return KeptPrompts(kept=name, sha256=digest, count=len(requests), begins=begins)


def load(prompts: KeptPrompts, store: ObjectStore) -> list[VideoRequest]:
    """The list that was kept.

    Raises:
        StoreError: it is not in the store any more, or was changed.
    """
    found = store.read(prompts.kept)
    if found is None:
        raise StoreError(
            f"{store.uri(prompts.kept)}, the list of prompts of this run, is gone; start a run with the list"
        )
    if hashlib.sha256(found[0]).hexdigest() != prompts.sha256:
        raise StoreError(f"{store.uri(prompts.kept)} is not the list of prompts that this run was started with")
    try:
        return [VideoRequest.model_validate(json.loads(line)) for line in found[0].splitlines()]
    except ValidationError as error:  # written by a version with other fields
        raise StoreError(f"{store.uri(prompts.kept)} holds requests that this version cannot read: {error}") from None
