"""What the price of a request depends on, as its gateway will understand it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal

from pydantic import JsonValue

from prefect_omnivideo.core.gateways.continuing import without_shot
from prefect_omnivideo.core.gateways.specification import Gateway
from prefect_omnivideo.core.money.prices import Kind
from prefect_omnivideo.core.request import VideoRequest

_SECONDS = re.compile(r"\d{1,4}(\.\d{1,3})?")
_SOUND = {"enabled": True, "disabled": False, "on": True, "off": False, "true": True, "false": False}


def kind_of(request: VideoRequest, gateway: Gateway) -> Kind:
    """The model, length, resolution and sound that the request will have at the gateway.

    Raises:
        RequestError: the gateway cannot honour the request.
    """
    body = gateway.as_made({**gateway.translate(without_shot(request)), **request.options})
    inner = body.get("metadata")
    metadata = inner if isinstance(inner, dict) else {}
    model = body.get("model_name") or body.get("model")
    return Kind(
        model=str(model or ""),
        seconds=_seconds(body.get("seconds")) or _seconds(body.get("duration")),
        resolution=_resolution(body) or _resolution(metadata),
        sound=next(
            (found for name in ("audio_generation", "sound") if (found := _switch(body.get(name))) is not None),
            _switch(metadata.get("generate_audio")),
        ),
    )


def _seconds(value: JsonValue) -> Decimal | None:
    text = str(value)
    return Decimal(text) if _SECONDS.fullmatch(text) else None


def _resolution(body: Mapping[str, JsonValue]) -> str | None:
    given = body.get("resolution")
    if isinstance(given, str) and given:
        return given.lower()
    size = re.fullmatch(r"(\d+)x(\d+)", str(body.get("size")))
    return f"{min(int(size[1]), int(size[2]))}p" if size else None


def _switch(value: JsonValue) -> bool | None:
    return value if isinstance(value, bool) else _SOUND.get(str(value).lower())
