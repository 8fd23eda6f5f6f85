"""Extra credentials fields for gateways built on new-api: access to the user's console."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, SecretStr, field_validator, model_validator
from typing_extensions import override

from prefect_omnivideo.blocks.credentials import GatewayCredentials
from prefect_omnivideo.blocks.fields import Matches, Secret, Text
from prefect_omnivideo.core.client.console import Console


class NewApiCredentials(GatewayCredentials):
    """Credentials that can also open the gateway's console, to look up submissions of unknown outcome."""

    _block_type_name = "New API Credentials"
    _block_type_slug = "omnivideo-new-api-credentials"

    console_access_token: Secret = Field(
        default=SecretStr(""),
        title="Console access token",
        description="Access token made in the gateway's console, under personal settings; not an API key. With it, a "
        "submission whose answer was lost is looked for in the account's list of jobs, which also tells what it cost. "
        "It is sent to the base URL and nowhere else.",
    )
    console_user_id: Annotated[Text, Matches(r"^[0-9]*$", "must be a whole number, such as 42")] = Field(
        default="",
        title="Console user id",
        description="The number of the user in the gateway's console, to go with the access token.",
    )

    @field_validator("console_access_token")
    @classmethod
    def _a_token(cls, token: SecretStr) -> SecretStr:
        if any(not 33 <= ord(character) <= 126 for character in token.get_secret_value()):
            raise ValueError("the access token contains spaces or characters that an HTTP header cannot have")
        return token

    @model_validator(mode="after")
    def _both_or_neither(self) -> Self:
        if bool(self.console_access_token) != bool(self.console_user_id):
            raise ValueError("console_access_token and console_user_id belong together: give both or neither")
        return self

    @override
    def console(self) -> Console | None:
        return Console(self.console_access_token, self.console_user_id) if self.console_user_id else None
