"""JimmyAI's nodes."""

from prefect_omnivideo.blocks.jimmyai import JimmyAICredentials
from prefect_omnivideo.tasks.nodes import nodes

submit_jimmyai_video, poll_jimmyai_video = nodes(JimmyAICredentials)
