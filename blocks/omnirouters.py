"""Credentials for OmniRouters."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import Field

from prefect_omnivideo.blocks.fields import BaseURL
from prefect_omnivideo.blocks.home import logo
from prefect_omnivideo.blocks.newapi import NewApiCredentials
from prefect_omnivideo.core.gateways.specification import Route, route_of


class OmniRoutersCredentials(NewApiCredentials):
    """A key for OmniRouters: Kling, Vidu, Veo, Seedance and Hunyuan behind one address.

    Example:
        Load saved credentials in a flow and make a video with them:
        ```python
        from prefect import flow
        from prefect_omnivideo import OmniRoutersCredentials, LocalVideoStore
        from prefect_omnivideo.flows import generate_video


        @flow
        async def my_flow():
            credentials = await OmniRoutersCredentials.aload("BLOCK_NAME")
            await generate_video("a red apple", credentials, LocalVideoStore(folder="videos"))
        ```
    """

    _block_type_name = "OmniVideo OmniRouters Credentials"
    _block_type_slug = "omnirouters-credentials"
    _logo_url: ClassVar[Any] = logo("omnirouters", like="secret")
    _gateway_name: ClassVar[str] = "omnirouters"

    base_url: BaseURL = "https://omnirouters.com"
    submit_path: Literal["/v1/videos", "/v1/video/generations"] = Field(
        default="/v1/videos",
        title="Submit path",
        description="Which of the two equivalent documented routes new jobs take.",
    )

    def _route(self) -> Route:
        return route_of(self.gateway, self.submit_path)
