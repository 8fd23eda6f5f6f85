"""Records in every state, made by hand."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from prefect_omnivideo.core.money.amount import Amount
from prefect_omnivideo.core.records.model import Attempt, StoredFile, VideoRecord, new_record
from prefect_omnivideo.core.request import VideoRequest

MOMENT = datetime(2026, 8, 1, 9, 30, tzinfo=UTC)


def attempt(**settings: Any) -> Attempt:
    known: dict[str, Any] = {
        "gateway": "apimart",
        "account": "prod",
        "base_url": "https://api.apimart.ai",
        "submit_path": "/v1/videos/generations",
        "claim_id": "0" * 32,
        "started_at": MOMENT,
        "claim_ends_at": MOMENT + timedelta(minutes=5),
    }
    return Attempt.model_validate(known | settings)


def record(prompt: str = "a red apple", batch: str = "daily", *, claim: str = "0" * 32, **request: Any) -> VideoRecord:
    return new_record(VideoRequest(prompt=prompt, **request), batch, attempt(claim_id=claim))


def stored(video: VideoRecord, *, poster: bool = False) -> VideoRecord:
    file = StoredFile(
        name=f"{video.stem}.mp4",
        uri=f"s3://videos/{video.stem}.mp4",
        size=3_400_000,
        sha256="0" * 64,
        content_type="video/mp4",
        source_host="cdn.example",
        transfer_seconds=1.0,
        media={"duration": 8.0, "width": 1280, "height": 720},
        poster=f"{video.stem}.jpg" if poster else None,
    )
    return video.submitted("task_1").finished(Amount.parse("0.25 USD")).stored((file,))
