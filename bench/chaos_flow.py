"""The separate processes: the flow, which is killed, and the sandbox, which may be."""

import asyncio
import logging
import os
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

from prefect_omnivideo.blocks import (
    APIMartCredentials,
    JimmyAICredentials,
    OmniRoutersCredentials,
    S3VideoStore,
    SoraCompatibleCredentials,
    TwelveAICredentials,
)
from prefect_omnivideo.flows import BatchFailedError, generate_videos
from prefect_omnivideo.sandbox import Settings, serve

CREDENTIALS: dict[str, Any] = {
    "12ai": TwelveAICredentials,
    "omnirouters": OmniRoutersCredentials,
    "sora": SoraCompatibleCredentials,
    "apimart": APIMartCredentials,
    "jimmyai": JimmyAICredentials,
}


@dataclass(frozen=True)
class Order:
    """One run of the flow: its parameters, in a form that can be sent between processes."""

    prompts: tuple[str, ...]
    accounts: tuple[tuple[str, dict[str, Any]], ...]
    store: dict[str, Any]
    batch: str


def run_flow(order: Order, said: Connection) -> None:
    """Send `None` when the flow is about to start, and at the end the counts by state, or the error."""
    logging.getLogger("stamina").setLevel(logging.CRITICAL)  # Prefect's settings do not reach it
    accounts = [CREDENTIALS[gateway].model_validate(settings) for gateway, settings in order.accounts]
    store = S3VideoStore.model_validate(order.store)
    said.send(None)
    try:
        report = asyncio.run(generate_videos(list(order.prompts), accounts, store, batch=order.batch))
    except BatchFailedError as error:
        report = error.report
    except Exception as error:  # any error is sent to the parent
        said.send(f"{type(error).__name__}: {error}")
        return
    said.send(report.counts)


def run_sandbox(settings: Settings) -> None:
    """Run the sandbox until killed."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    serve(settings)
