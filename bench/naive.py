"""A typical flow: `.map` over a task that posts, sleeps between polls, downloads into memory and puts."""

import time
from pathlib import Path
from typing import Any

import boto3.session
import httpx
from prefect import flow, task
from prefect.task_runners import ThreadPoolTaskRunner

from bench.order import PAUSE, Order, contend


@task(retries=2)
def make(prompt: str, order: dict[str, Any]) -> str:
    headers = {"Authorization": f"Bearer {order['key']}"}
    url = f"{order['base_url']}/v1/videos"
    with httpx.Client(timeout=60, headers=headers) as http:
        job = http.post(url, json={"model": "gemini-omni", "prompt": prompt}).raise_for_status().json()
        while job["status"] != "completed":
            time.sleep(PAUSE)
            job = http.get(f"{url}/{job['id']}").raise_for_status().json()
    video = httpx.get(job["video_url"]).raise_for_status().content
    key = f"{order['batch']}/{job['id']}.mp4"
    if order["folder"]:
        path = Path(order["folder"]) / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(video)
        return key
    s3: Any = boto3.session.Session().client(
        "s3",
        endpoint_url=order["endpoint_url"],
        region_name="us-east-1",
        aws_access_key_id=order["access_key_id"],
        aws_secret_access_key=order["secret_access_key"],
    )
    s3.put_object(Bucket=order["bucket"], Key=key, Body=video)
    return key


def work(order: Order) -> None:
    """Run the flow with as many threads as jobs in flight."""
    from prefect import unmapped

    @flow(task_runner=ThreadPoolTaskRunner(max_workers=order.in_flight))  # type: ignore[arg-type]  # generic
    def videos(prompts: list[str]) -> list[str]:
        return make.map(prompts, order=unmapped(vars(order))).result()

    videos(order.prompts)


if __name__ == "__main__":
    contend(work)
