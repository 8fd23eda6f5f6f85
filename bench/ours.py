"""Ours: the flow as users call it."""

import asyncio
from pathlib import Path

from pydantic import SecretStr

from bench.order import Order, contend
from prefect_omnivideo import LocalVideoStore, S3VideoStore, SoraCompatibleCredentials
from prefect_omnivideo.flows import generate_videos


def credentials(order: Order) -> SoraCompatibleCredentials:
    """The account, with the limits of the order."""
    return SoraCompatibleCredentials(
        api_key=SecretStr(order.key),
        base_url=order.base_url,
        jobs_in_flight=order.in_flight,
        requests_in_flight=order.requests,
    )


def store(order: Order) -> S3VideoStore | LocalVideoStore:
    """The bucket, or the folder."""
    if order.folder:
        return LocalVideoStore(folder=Path(order.folder))
    return S3VideoStore(
        bucket=order.bucket,
        endpoint_url=order.endpoint_url,
        region_name="us-east-1",
        aws_access_key_id=order.access_key_id,
        aws_secret_access_key=SecretStr(order.secret_access_key),
    )


def work(order: Order) -> None:
    """One batch."""
    prompts: list[str] = order.prompts
    report = asyncio.run(generate_videos(prompts, credentials(order), store(order), batch=order.batch))  # type: ignore[arg-type]  # list is invariant
    if len(report.stored) != order.jobs:
        raise SystemExit(report.summary())


if __name__ == "__main__":
    contend(work)
