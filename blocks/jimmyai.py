"""Credentials for JimmyAI."""

from __future__ import annotations

from typing import Any, ClassVar

from prefect_omnivideo.blocks.credentials import GatewayCredentials
from prefect_omnivideo.blocks.fields import BaseURL
from prefect_omnivideo.blocks.home import logo


class JimmyAICredentials(GatewayCredentials):
    """A key for JimmyAI: Gemini Omni videos of 4 to 10 seconds, up to 4k.

    Example:
        Load saved credentials in a flow and make a video with them:
        ```python
        from prefect import flow
        from prefect_omnivideo import JimmyAICredentials, LocalVideoStore
        from prefect_omnivideo.flows import generate_video


        @flow
        async def my_flow():
            credentials = await JimmyAICredentials.aload("BLOCK_NAME")
            await generate_video("a red apple", credentials, LocalVideoStore(folder="videos"))
        ```
    """

    _block_type_name = "OmniVideo JimmyAI Credentials"
    _block_type_slug = "jimmyai-credentials"
    _logo_url: ClassVar[Any] = logo("jimmyai", like="secret")
    _gateway_name: ClassVar[str] = "jimmyai"

    base_url: BaseURL = "https://www.jimmyai.cn"
