"""Prefect blocks: credentials for each gateway, routes over several of them, video stores, and budgets."""

from prefect_omnivideo.blocks.apimart import APIMartCredentials
from prefect_omnivideo.blocks.budget import VideoBudget
from prefect_omnivideo.blocks.jimmyai import JimmyAICredentials
from prefect_omnivideo.blocks.omnirouters import OmniRoutersCredentials
from prefect_omnivideo.blocks.route import VideoRoute
from prefect_omnivideo.blocks.sora import SoraCompatibleCredentials
from prefect_omnivideo.blocks.stores import LocalVideoStore, S3VideoStore
from prefect_omnivideo.blocks.twelveai import TwelveAICredentials

__all__ = [
    "APIMartCredentials",
    "JimmyAICredentials",
    "LocalVideoStore",
    "OmniRoutersCredentials",
    "S3VideoStore",
    "SoraCompatibleCredentials",
    "TwelveAICredentials",
    "VideoBudget",
    "VideoRoute",
]
