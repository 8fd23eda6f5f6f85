"""Prefect tasks: submit and poll for each gateway, and store for all."""

from prefect_omnivideo.tasks.factory import nodes, store_video
from prefect_omnivideo.tasks.gateways import (
    poll_apimart_video,
    poll_jimmyai_video,
    poll_omnirouters_video,
    poll_sora_video,
    poll_twelveai_video,
    submit_apimart_video,
    submit_jimmyai_video,
    submit_omnirouters_video,
    submit_sora_video,
    submit_twelveai_video,
)

__all__ = [
    "nodes",
    "poll_apimart_video",
    "poll_jimmyai_video",
    "poll_omnirouters_video",
    "poll_sora_video",
    "poll_twelveai_video",
    "store_video",
    "submit_apimart_video",
    "submit_jimmyai_video",
    "submit_omnirouters_video",
    "submit_sora_video",
    "submit_twelveai_video",
]
