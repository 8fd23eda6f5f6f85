"""Credentials for Sora-compatible."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import Field

from prefect_omnivideo.blocks.home import logo
from prefect_omnivideo.blocks.newapi import NewApiCredentials
from prefect_omnivideo.core.gateways import sora
from prefect_omnivideo.core.gateways.specification import Gateway


class SoraCompatibleCredentials(NewApiCredentials):
    """A key for a gateway with the Sora format of new-api: Veo, Kling, Seedance, Gemini Omni and more.

    Example:
        Load saved credentials in a flow and make a video with them:
        ```python
        from prefect import flow
        from prefect_omnivideo import SoraCompatibleCredentials, LocalVideoStore
        from prefect_omnivideo.flows import generate_video


        @flow
        async def my_flow():
            credentials = await SoraCompatibleCredentials.aload("BLOCK_NAME")
            await generate_video("a red apple", credentials, LocalVideoStore(folder="videos"))
        ```
    """

    _block_type_name = "OmniVideo Sora-compatible Credentials"
    _block_type_slug = "sora-credentials"
    _logo_url: ClassVar[Any] = logo("sora", like="secret")
    _gateway_name: ClassVar[str] = "sora"

    submit_as: Literal["json", "form"] = Field(
        default="json",
        title="Submit as",
        description="How new jobs are posted. Some servers, such as vllm-omni, read a multipart form only, in which "
        "lists have no place.",
    )
    send_key_as: Literal["", "external_task_id"] = Field(
        default="",
        title="Send key as",
        description="Field in which the record's key is sent, so that a job whose answer was lost is found by it in "
        "the gateway's console. Empty: it is not sent.",
    )

    @property
    def gateway(self) -> Gateway:
        """The gateway these credentials are for, as it is spoken to with them."""
        return sora.form_gateway if self.submit_as == "form" else super().gateway

    def _key_field(self) -> str:
        return self.send_key_as
