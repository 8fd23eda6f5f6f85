"""Commands for people to type, complete and quoted for a shell."""

from __future__ import annotations

import shlex

from prefect_omnivideo.core.records.model import VideoRecord

TASK_ID = "TASK_ID"
"""Stands for the gateway's task id, which only a person can find; the command line refuses it as it is."""

DECISIONS = {
    f"If it is there, with its task id in place of {TASK_ID}": ("--task-id", TASK_ID),
    "If it is not there, to submit and pay it again": ("--resubmit",),
    "If it is no longer wanted": ("--abandon",),
}


def resolve_commands(record: VideoRecord, store: str | None, endpoint_url: str | None = None) -> dict[str, str]:
    """The command for each decision about a video of unknown outcome, by the case it is for.

    Args:
        store, endpoint_url: as `omnivideo --store` takes them. Without a store there is no command.
    """
    if not store:
        return {}
    words = ["omnivideo", "resolve", record.key, f"--batch={record.batch}", *_at(store, endpoint_url)]
    return {case: shlex.join([*words, *decision]) for case, decision in DECISIONS.items()}


def jobs_command(store: str, endpoint_url: str | None = None, **choice: str) -> str:
    """The command that lists videos of a store, such as those of one `batch` or in one `state`."""
    options = [f"--{name}={value}" for name, value in choice.items()]
    return shlex.join(["omnivideo", "jobs", *options, *_at(store, endpoint_url)])


def _at(store: str, endpoint_url: str | None) -> list[str]:
    return ["--store", store, *(["--endpoint-url", endpoint_url] if endpoint_url else [])]
