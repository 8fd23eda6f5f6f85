"""What the references of a request point at, and what stands in for those that no gateway can reach as they are."""

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
    """Where it stands, such as `images.0`."""
    kind: Kind
    """What the field is for."""
    value: str
    """As the caller wrote it."""


def own_references(request: VideoRequest) -> list[Reference]:
    """The references to files of this machine and to objects of S3, which a gateway cannot fetch by their names."""
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
    """The local reference that travels with the submission itself, if there is one."""
    return gateway.attachment.pick(request) if gateway.attachment else None


def placeholder(gateway: Gateway, request: VideoRequest, endings: Mapping[str, str] | None = None) -> VideoRequest:
    """The request as the gateway's rules can judge it and people can read it, before anything is uploaded.

    What will be a link by the time of the submission is one to a host that cannot exist. Never to be sent.

    Args:
        endings: reference -> file ending, where the file's content tells another one than its name.
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
