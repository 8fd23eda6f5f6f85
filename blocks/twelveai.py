"""Credentials for 12AI."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import Field

from prefect_omnivideo.blocks.fields import BaseURL
from prefect_omnivideo.blocks.home import logo
from prefect_omnivideo.blocks.newapi import NewApiCredentials


class TwelveAICredentials(NewApiCredentials):
    """A key for 12AI: Omni videos of 10 seconds in 720p from text, images or a video.

    Example:
        Load saved credentials in a flow and make a video with them:
        ```python
        from prefect import flow
        from prefect_omnivideo import TwelveAICredentials, LocalVideoStore
        from prefect_omnivideo.flows import generate_video


        @flow
        async def my_flow():
            credentials = await TwelveAICredentials.aload("BLOCK_NAME")
            await generate_video("a red apple", credentials, LocalVideoStore(folder="videos"))
        ```
    """

    _block_type_name = "OmniVideo 12AI Credentials"
    _block_type_slug = "twelveai-credentials"
    _logo_url: ClassVar[Any] = logo("twelveai", like="secret")
    _gateway_name: ClassVar[str] = "12ai"

    base_url: BaseURL = "https://cdn.12ai.org"
    cancel_remote_jobs: bool = Field(
        default=False,
        title="Cancel remote jobs",
        description="Whether a flow run that is cancelled deletes its jobs at 12AI. Their videos are then lost, and "
        "12AI does not say whether it refunds them. Off: they go on, and a later run collects them.",
    )
