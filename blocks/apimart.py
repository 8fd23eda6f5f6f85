"""Credentials for APIMart."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import Field

from prefect_omnivideo.blocks.credentials import GatewayCredentials, logo


class APIMartCredentials(GatewayCredentials):
    """A key for APIMart: Gemini Omni Flash videos from text, images or a video.

    Example:
        Load saved credentials and make a video with them:
        ```python
        from prefect_omnivideo import APIMartCredentials, LocalVideoStore
        from prefect_omnivideo.flows import generate_video

        credentials = APIMartCredentials.load("BLOCK_NAME")
        await generate_video("a red apple", credentials, LocalVideoStore(folder="videos"))
        ```
    """

    _block_type_name = "APIMart Credentials"
    _block_type_slug = "apimart-credentials"
    _logo_url: ClassVar[Any] = logo("apimart")
    _gateway_name: ClassVar[str] = "apimart"

    base_url: str = Field(
        default="https://api.apimart.ai",
        title="Base URL",
        description="Address of the gateway's API, with scheme and without a trailing slash.",
    )
