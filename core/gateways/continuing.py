"""How a shot continues another one: what takes the place of the reference to the shot, right before it is submitted."""

from __future__ import annotations

from typing import Literal, NamedTuple

from prefect_omnivideo.core.request import VideoRequest, is_shot

Way = Literal["extend", "last_frame"]


class Continuation(NamedTuple):
    """The video that a shot continues."""

    way: Way
    reference: str
    """For the gateway: the id of the video to extend, or the path of the image to begin with."""
    of: str
    """For the record of the shot: the task id of that video, or the SHA-256 of its file."""


def continued(request: VideoRequest, continuation: Continuation) -> VideoRequest:
    """The request with the video that it continues in place of the reference to a shot."""
    field = "extend_from" if continuation.way == "extend" else "first_frame"
    return without_shot(request).model_copy(update={field: continuation.reference})


def without_shot(request: VideoRequest) -> VideoRequest:
    """The request without its reference to a shot."""
    shots = {name: None for name in ("extend_from", "first_frame") if is_shot(getattr(request, name) or "")}
    return request.model_copy(update=shots) if shots else request
