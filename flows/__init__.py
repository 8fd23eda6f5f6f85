"""Flows: one video, a list of them, or a sheet."""

from prefect_omnivideo.flows.batch import generate_videos
from prefect_omnivideo.flows.choosing import ChoiceIncompleteError, choose_takes
from prefect_omnivideo.flows.collecting import collect_videos
from prefect_omnivideo.flows.comparing import compare_accounts
from prefect_omnivideo.flows.resolving import resolve_videos
from prefect_omnivideo.flows.run.ending import BatchFailedError, BatchIncompleteError, BatchStoppedError
from prefect_omnivideo.flows.sequence import generate_sequence
from prefect_omnivideo.flows.sharded import generate_sharded
from prefect_omnivideo.flows.sheet import generate_from_sheet
from prefect_omnivideo.flows.video import generate_video

__all__ = [
    "BatchFailedError",
    "BatchIncompleteError",
    "BatchStoppedError",
    "ChoiceIncompleteError",
    "choose_takes",
    "collect_videos",
    "compare_accounts",
    "generate_from_sheet",
    "generate_sequence",
    "generate_sharded",
    "generate_video",
    "generate_videos",
    "resolve_videos",
]
