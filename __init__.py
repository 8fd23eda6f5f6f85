"""Turns lists of prompts into stored videos through AI-video gateways, on Prefect."""

from prefect_omnivideo.blocks import (
    APIMartCredentials,
    JimmyAICredentials,
    LocalVideoStore,
    OmniRoutersCredentials,
    S3VideoStore,
    SoraCompatibleCredentials,
    TwelveAICredentials,
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
    "VideoRequest",
]
