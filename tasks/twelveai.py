"""12AI's nodes."""

from prefect_omnivideo.blocks.twelveai import TwelveAICredentials
from prefect_omnivideo.tasks.nodes import nodes

submit_twelveai_video, poll_twelveai_video = nodes(TwelveAICredentials)
