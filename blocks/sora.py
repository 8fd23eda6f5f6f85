"""Credentials for Sora-compatible."""

from __future__ import annotations

from typing import Any, ClassVar

from prefect_omnivideo.blocks.credentials import GatewayCredentials, logo


class SoraCompatibleCredentials(GatewayCredentials):
    """A key for a gateway that speaks the Sora format of new-api: Veo, Kling, Seedance, Gemini Omni and more.

    Example:
        Load saved credentials and make a video with them:
        ```python
        from prefect_omnivideo import SoraCompatibleCredentials, LocalVideoStore
        from prefect_omnivideo.flows import generate_video

        credentials = SoraCompatibleCredentials.load("BLOCK_NAME")
        await generate_video("a red apple", credentials, LocalVideoStore(folder="videos"))
        ```
    """

    _block_type_name = "Sora-compatible Credentials"
    _block_type_slug = "sora-credentials"
    _logo_url: ClassVar[Any] = logo("sora")
    _gateway_name: ClassVar[str] = "sora"
