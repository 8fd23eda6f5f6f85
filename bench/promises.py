"""The second floor: the bare script, and what is promised for each video, without Prefect.

A record before the submission, with the task id after it and with the file at the end; the length and SHA-256 of the
bytes. What it costs above the first floor is the price of the promises at their simplest.
"""

import asyncio
import hashlib
import json
from typing import Any

import httpx

from bench.floor import putter
from bench.order import PAUSE, Order, contend


def work(order: Order) -> None:
    """Record, submit, record, poll every five seconds, download, check, put, record."""
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

        async def make(number: int, prompt: str) -> None:
            async with jobs:
                stem, body = f"{order.batch}/{number:05}", {"model": "gemini-omni", "prompt": prompt}

                async def record(**facts: object) -> None:
                    await asyncio.to_thread(put, f"{stem}.json", json.dumps({"request": body, **facts}).encode())

                await record(state="submitting")
                job = await ask("POST", "", json=body)
                task_id = job["id"]
                await record(state="submitted", task_id=task_id)
                while job["status"] != "completed":
                    await asyncio.sleep(PAUSE)
                    job = await ask("GET", f"/{task_id}")
                async with gate:
                    response = (await http.get(job["video_url"])).raise_for_status()
                video = response.content
                if len(video) != int(response.headers["content-length"]):
                    raise SystemExit(f"{task_id}: the video is too short")
                digest = (await asyncio.to_thread(hashlib.sha256, video)).hexdigest()
                await asyncio.to_thread(put, f"{stem}.mp4", video)
                await record(state="stored", task_id=task_id, size=len(video), sha256=digest)

        await asyncio.gather(*(make(number, prompt) for number, prompt in enumerate(order.prompts)))


if __name__ == "__main__":
    contend(work)
