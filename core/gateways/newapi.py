"""What gateways built on new-api share (providers.md, sections 6 and 8)."""

from __future__ import annotations

from prefect_omnivideo.core.gateways.specification import JobStatus

STATUSES = {
    "": JobStatus.QUEUED,
    "queued": JobStatus.QUEUED,
    "pending": JobStatus.QUEUED,
    "submitted": JobStatus.QUEUED,
    "not_start": JobStatus.QUEUED,
    "not_started": JobStatus.QUEUED,
    "unknown": JobStatus.QUEUED,  # what NOT_START looks like from outside (section 6.6)
    "created": JobStatus.QUEUED,
    "waiting": JobStatus.QUEUED,
    "preparing": JobStatus.QUEUED,
    "processing": JobStatus.RUNNING,
    "in_progress": JobStatus.RUNNING,
    "running": JobStatus.RUNNING,
    "generating": JobStatus.RUNNING,
    "completed": JobStatus.SUCCEEDED,
    "complete": JobStatus.SUCCEEDED,
    "success": JobStatus.SUCCEEDED,
    "succeeded": JobStatus.SUCCEEDED,
    "succeed": JobStatus.SUCCEEDED,
    "done": JobStatus.SUCCEEDED,
    "finished": JobStatus.SUCCEEDED,
    "failed": JobStatus.FAILED,
    "failure": JobStatus.FAILED,
    "fail": JobStatus.FAILED,
    "error": JobStatus.FAILED,
    "expired": JobStatus.FAILED,
    "timeout": JobStatus.FAILED,
    "cancelled": JobStatus.CANCELLED,
    "canceled": JobStatus.CANCELLED,
}

URL_PATHS = (
    "video_url",
    "result.video_url",
    "result.videos.*.url",
    "metadata.url",
    "result_url",
    "url",
    "urls",
    "result.url",
    "result.urls",
    "output.video_url",
    "output.url",
    "output.urls",
    "mediaUrl",
    "fail_reason",  # old rows keep the link there on SUCCESS (section 6.7)
    "data.video_url",
    "data.result_url",
    "data.url",
    "data.urls",
)

GOOD_CODES = frozenset({"success", "0", "200"})

CODE_STATUSES = {
    "task_not_exist": 400,
    "insufficient_user_quota": 403,
    "pre_consume_token_quota_failed": 403,
    "do_request_failed": 500,
    "build_request_failed": 500,
    "unmarshal_response_body_failed": 500,
    "invalid_response": 500,
    "get_channel_failed": 500,
    "get_task_failed": 500,
    "convert_to_openai_video_failed": 500,
    "fail_to_fetch_task": 502,
    "not_implemented": 501,
}
"""Codes of a task error and the HTTP status they come with (section 6.3), for gateways that answer 200 all the same."""
