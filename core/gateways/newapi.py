"""What gateways built on new-api share (docs/gateways.md, The new-api family)."""

from __future__ import annotations

LINK_PATHS = (
    "video_url",
    "result.video_url",
    "result.videos[].url",
    "metadata.url",
    "result_url",
    "url",
    "urls",
    "result.url",
    "result.urls",
    "output.video_url",
    "output.url",
    "output[].url",
    "output.urls",
    "mediaUrl",
    "fail_reason",  # old rows keep the link there on SUCCESS (The new-api family, Status)
    "data.video_url",
    "data.result_url",
    "data.url",
    "data.urls",
)
