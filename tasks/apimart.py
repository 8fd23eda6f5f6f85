"""APIMart's nodes."""

from prefect_omnivideo.blocks.apimart import APIMartCredentials
from prefect_omnivideo.tasks.nodes import nodes

submit_apimart_video, poll_apimart_video = nodes(APIMartCredentials)
