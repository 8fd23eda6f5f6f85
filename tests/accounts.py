"""Credentials for a sandbox: one account per gateway, in a hurry."""

from typing import Any

from prefect_omnivideo.blocks import (
    APIMartCredentials,
    JimmyAICredentials,
    OmniRoutersCredentials,
    SoraCompatibleCredentials,
    TwelveAICredentials,
)
from prefect_omnivideo.blocks.credentials import GatewayCredentials
from prefect_omnivideo.sandbox import Sandbox

KINDS: dict[str, type[GatewayCredentials]] = {
    "12ai": TwelveAICredentials,
    "omnirouters": OmniRoutersCredentials,
    "sora": SoraCompatibleCredentials,
    "apimart": APIMartCredentials,
    "jimmyai": JimmyAICredentials,
}
GATEWAYS = tuple(KINDS)


def credentials(sandbox: Sandbox, gateway: str, **settings: Any) -> Any:
    """Credentials for one of the sandbox's gateways."""
    given = {"api_key": sandbox.key, "base_url": sandbox.base_url(gateway), "poll_seconds": 0.02, **settings}
    return KINDS[gateway].model_validate(given)
