"""Errors of informational output must not stop paid work."""

from collections.abc import Generator
from contextlib import contextmanager

from prefect.logging import get_logger
from prefect.runtime import flow_run

_said: set[tuple[str | None, str]] = set()


@contextmanager
def only_shows(what: str) -> Generator[None]:
    """Continue if `what` cannot be shown, for any reason; logged once per flow run."""
    try:
        yield
    except Exception as error:  # any error: the videos matter more
        if (place := (flow_run.id, what)) not in _said:
            _said.add(place)
            get_logger("omnivideo").warning(
                "%s cannot be shown in Prefect (%s: %s); the videos are not affected", what, type(error).__name__, error
            )
