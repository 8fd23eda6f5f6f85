"""The log of a task run tells an error of ours by its message alone: a traceback would bury what to do."""

import logging

from prefect_omnivideo.core.errors import OmniVideoError


def without_traceback(record: logging.LogRecord) -> bool:
    """A filter that lets every record pass. Prefect's engine adds a traceback when a task's retries are used up."""
    error = record.exc_info[1] if record.exc_info else None
    if record.module == "task_engine" and isinstance(error, OmniVideoError):
        record.exc_info = None
    return True
