"""The local files and S3 objects that a request refers to, and placeholders for them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import NamedTuple
from urllib.parse import quote

from prefect_omnivideo.core.gateways.specification import Gateway, Kind
from prefect_omnivideo.core.request import VideoRequest, is_local, is_s3, local_path

_KINDS: dict[str, Kind] = {
    "first_frame": "image",
    "last_frame": "image",
    "images": "image",
    "videos": "video",
    "audios": "audio",
}


class Reference(NamedTuple):
    """One reference of a request."""

    field: str
    """Field of the request, such as `images.0`."""
    kind: Kind
    """Kind of media that the field takes."""
    value: str
    """The reference as given."""


def own_references(request: VideoRequest) -> list[Reference]:
    """The references to local files and S3 objects, which a gateway cannot fetch as they are."""
    found: list[Reference] = []
    for field, kind in _KINDS.items():
        given: str | tuple[str, ...] | None = getattr(request, field)
        if isinstance(given, str):
            found.append(Reference(field, kind, given))
        else:
            found += [Reference(f"{field}.{number}", kind, value) for number, value in enumerate(given or ())]
    return [reference for reference in found if is_local(reference.value) or is_s3(reference.value)]


def replaced(request: VideoRequest, substitutes: Mapping[str, str]) -> VideoRequest:
    """The request with some of its references replaced by others."""
    changed: dict[str, str | tuple[str, ...]] = {}
    for field in _KINDS:
        given: str | tuple[str, ...] | None = getattr(request, field)
        if isinstance(given, str):
            changed[field] = substitutes.get(given, given)
        elif given:
            changed[field] = tuple(substitutes.get(value, value) for value in given)
    return request.model_copy(update=changed)


def attached(gateway: Gateway, request: VideoRequest) -> str | None:
    """The local reference that is sent with the submission itself, if there is one."""
    return gateway.attachment.pick(request) if gateway.attachment else None


def placeholder(gateway: Gateway, request: VideoRequest, endings: Mapping[str, str] | None = None) -> VideoRequest:
    """The request with placeholder links, for checks and previews before anything is uploaded.

    The placeholders point to hosts that cannot exist; the result must never be sent.

    Args:
        endings: reference -> file ending, if the file's content calls for another one than its name has.
    """
    substitutes: dict[str, str] = {}
    for reference in own_references(request):
        value = reference.value
        if is_s3(value):
            substitutes[value] = f"https://presigned.invalid/{quote(value.removeprefix('s3://'))}"
        elif value == attached(gateway, request):
            substitutes[value] = str(local_path(value))
        else:
            name = PurePosixPath(local_path(value).name)
            ending = (endings or {}).get(value, name.suffix)
            substitutes[value] = f"https://uploaded.invalid/{quote(name.stem + ending)}"
    return replaced(request, substitutes)
