"""The submit and poll tasks of each gateway."""

from prefect_omnivideo.blocks import (
    APIMartCredentials,
    JimmyAICredentials,
    OmniRoutersCredentials,
    SoraCompatibleCredentials,
    TwelveAICredentials,
)
from prefect_omnivideo.tasks.factory import nodes

submit_apimart_video, poll_apimart_video = nodes(APIMartCredentials)
submit_jimmyai_video, poll_jimmyai_video = nodes(JimmyAICredentials)
submit_omnirouters_video, poll_omnirouters_video = nodes(OmniRoutersCredentials)
submit_sora_video, poll_sora_video = nodes(SoraCompatibleCredentials)
submit_twelveai_video, poll_twelveai_video = nodes(TwelveAICredentials)
