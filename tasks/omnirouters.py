"""OmniRouters's nodes."""

from prefect_omnivideo.blocks.omnirouters import OmniRoutersCredentials
from prefect_omnivideo.tasks.nodes import nodes

submit_omnirouters_video, poll_omnirouters_video = nodes(OmniRoutersCredentials)
