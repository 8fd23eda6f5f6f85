"""Sora-compatible's nodes."""

from prefect_omnivideo.blocks.sora import SoraCompatibleCredentials
from prefect_omnivideo.tasks.nodes import nodes

submit_sora_video, poll_sora_video = nodes(SoraCompatibleCredentials)
