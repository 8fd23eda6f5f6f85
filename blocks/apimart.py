"""Credentials for APIMart."""

from __future__ import annotations

from typing import Any, ClassVar

from prefect_omnivideo.blocks.credentials import GatewayCredentials
from prefect_omnivideo.blocks.fields import BaseURL
from prefect_omnivideo.blocks.home import logo


class APIMartCredentials(GatewayCredentials):
    """A key for APIMart: Gemini Omni Flash videos from text, images or a video.

    Example:
        Load saved credentials in a flow and make a video with them:
        ```python
        from prefect import flow
        from prefect_omnivideo import APIMartCredentials, LocalVideoStore
        from prefect_omnivideo.flows import generate_video


        @flow
        async def my_flow():
            credentials = await APIMartCredentials.aload("BLOCK_NAME")
            await generate_video("a red apple", credentials, LocalVideoStore(folder="videos"))
        ```
    """

    _block_type_name = "OmniVideo APIMart Credentials"
    _block_type_slug = "apimart-credentials"
    _logo_url: ClassVar[Any] = logo("apimart", like="secret")
    _gateway_name: ClassVar[str] = "apimart"

    base_url: BaseURL = "https://api.apimart.ai"
