"""Extra credentials fields for gateways built on new-api: access to the user's console."""

from __future__ import annotations

from typing import Self

from pydantic import Field, SecretStr, field_validator, model_validator
from typing_extensions import override

from prefect_omnivideo.blocks.credentials import GatewayCredentials
from prefect_omnivideo.core.client.console import Console


class NewApiCredentials(GatewayCredentials):
    """Credentials that can also open the gateway's console, to look up submissions of unknown outcome."""

    _block_type_name = "New API Credentials"
    _block_type_slug = "omnivideo-new-api-credentials"

    console_access_token: SecretStr | None = Field(
        default=None,
        title="Console access token",
        description="Access token made in the gateway's console, under personal settings; not an API key. With it, a "
        "submission whose answer was lost is looked for in the account's list of jobs. It is sent to the base URL and "
        "nowhere else.",
    )
    console_user_id: str | None = Field(
        default=None,
        title="Console user id",
        description="The number of the user in the gateway's console, to go with the access token.",
    )

    @field_validator("console_access_token")
    @classmethod
    def _a_token(cls, token: SecretStr | None) -> SecretStr | None:
        if token and any(not 33 <= ord(character) <= 126 for character in token.get_secret_value()):
            raise ValueError("the access token contains spaces or characters that an HTTP header cannot have")
        return token if token and token.get_secret_value() else None

    @field_validator("console_user_id")
    @classmethod
    def _a_number(cls, user: str | None) -> str | None:
        if user and not (user.isascii() and user.isdecimal()):
            raise ValueError("the console's user id must be a whole number, such as 42")
        return user or None

    @model_validator(mode="after")
    def _both_or_neither(self) -> Self:
        if (self.console_access_token is None) != (self.console_user_id is None):
            raise ValueError("console_access_token and console_user_id belong together: give both or neither")
        return self

    @override
    def console(self) -> Console | None:
        if self.console_access_token is None or self.console_user_id is None:
            return None
        return Console(self.console_access_token, self.console_user_id)
