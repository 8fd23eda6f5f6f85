"""The lower bound: a bare script. No Prefect, no records, no checks; its cost cannot be avoided."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3.session
import httpx

from bench.order import PAUSE, Order, contend


def work(order: Order) -> None:
    """Submit, poll every five seconds, download into memory, put."""
    asyncio.run(_all(order))


async def _all(order: Order) -> None:
    put = putter(order)
    gate, jobs = asyncio.Semaphore(order.requests), asyncio.Semaphore(order.in_flight)
    headers = {"Authorization": f"Bearer {order.key}"}
    async with httpx.AsyncClient(timeout=60) as http:

        async def ask(method: str, path: str, **options: Any) -> Any:
            async with gate:
                response = await http.request(method, f"{order.base_url}/v1/videos{path}", headers=headers, **options)
            response.raise_for_status()
            return response.json()

        async def make(prompt: str) -> None:
            async with jobs:
                job = await ask("POST", "", json={"model": "gemini-omni", "prompt": prompt})
                while job["status"] != "completed":
                    await asyncio.sleep(PAUSE)
                    job = await ask("GET", f"/{job['id']}")
                async with gate:
                    video = (await http.get(job["video_url"])).raise_for_status().content
                await asyncio.to_thread(put, f"{order.batch}/{job['id']}.mp4", video)

        await asyncio.gather(*map(make, order.prompts))


def putter(order: Order) -> Callable[[str, bytes], object]:
    """Writes an object into the bucket or the folder of an order."""
    if order.folder:
        (Path(order.folder) / order.batch).mkdir(parents=True)
        return lambda name, data: (Path(order.folder) / name).write_bytes(data)
    s3: Any = boto3.session.Session().client(
        "s3",
        endpoint_url=order.endpoint_url,
        region_name="us-east-1",
        aws_access_key_id=order.access_key_id,
        aws_secret_access_key=order.secret_access_key,
    )
    return lambda name, data: s3.put_object(Bucket=order.bucket, Key=name, Body=data)


if __name__ == "__main__":
    contend(work)
