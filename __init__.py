"""Turns lists of prompts into stored videos through AI-video gateways, on Prefect."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from prefect_omnivideo.blocks import (
        APIMartCredentials,
        JimmyAICredentials,
        LocalVideoStore,
        OmniRoutersCredentials,
        S3VideoStore,
        SoraCompatibleCredentials,
        TwelveAICredentials,
        VideoBudget,
        VideoRoute,
    )
    from prefect_omnivideo.core.request import VideoRequest

__all__ = [
    "APIMartCredentials",
    "JimmyAICredentials",
    "LocalVideoStore",
    "OmniRoutersCredentials",
    "S3VideoStore",
    "SoraCompatibleCredentials",
    "TwelveAICredentials",
    "VideoBudget",
    "VideoRequest",
    "VideoRoute",
]


# Whoever takes a module of the core alone does not wait for Prefect: importing it takes seconds.
if not TYPE_CHECKING:

    def __getattr__(name: str) -> object:
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        home = "core.request" if name == "VideoRequest" else "blocks"
        return getattr(import_module(f"{__name__}.{home}"), name)

    # `prefect block register -m prefect_omnivideo` looks for blocks among these names.
    def __dir__() -> list[str]:
        return sorted({*globals(), *__all__})
