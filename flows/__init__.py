"""Flows: one video, or a list of them."""

from prefect_omnivideo.flows.batch import BatchFailedError, generate_videos
from prefect_omnivideo.flows.video import generate_video

__all__ = ["BatchFailedError", "generate_video", "generate_videos"]
