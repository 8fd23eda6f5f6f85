"""Flows: one video, a list of them, or a sheet."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
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

# A run needs one flow: Prefect takes 0.1 s of CPU to examine the parameters of each, and media, sheets and shards have
# imports of their own.
if not TYPE_CHECKING:
    _HOMES = {
        "BatchFailedError": "run.ending",
        "BatchIncompleteError": "run.ending",
        "BatchStoppedError": "run.ending",
        "ChoiceIncompleteError": "choosing",
        "choose_takes": "choosing",
        "collect_videos": "collecting",
        "compare_accounts": "comparing",
        "generate_from_sheet": "sheet",
        "generate_sequence": "sequence",
        "generate_sharded": "sharded",
        "generate_video": "video",
        "generate_videos": "batch",
        "resolve_videos": "resolving",
    }

    def __getattr__(name: str) -> object:
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
