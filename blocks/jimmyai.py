"""Credentials for JimmyAI."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import Field

from prefect_omnivideo.blocks.credentials import GatewayCredentials, logo


class JimmyAICredentials(GatewayCredentials):
    """A key for JimmyAI: Gemini Omni videos of 4 to 10 seconds, up to 4k.

    Example:
        Load saved credentials and make a video with them:
        ```python
        from prefect_omnivideo import JimmyAICredentials, LocalVideoStore
        from prefect_omnivideo.flows import generate_video

        credentials = JimmyAICredentials.load("BLOCK_NAME")
        await generate_video("a red apple", credentials, LocalVideoStore(folder="videos"))
        ```
    """

    _block_type_name = "JimmyAI Credentials"
    _block_type_slug = "jimmyai-credentials"
    _logo_url: ClassVar[Any] = logo("jimmyai")
    _gateway_name: ClassVar[str] = "jimmyai"

    base_url: str = Field(
        default="https://www.jimmyai.cn",
        title="Base URL",
        description="Address of the gateway's API, with scheme and without a trailing slash.",
    )
