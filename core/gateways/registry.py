"""Finds gateways by name: the five of this package the way a third-party one is found, by entry point."""

from __future__ import annotations

from functools import cache
from importlib.metadata import entry_points

from prefect_omnivideo.core.errors import Problem, RequestError
from prefect_omnivideo.core.gateways.specification import Provider

GROUP = "prefect_omnivideo.providers"


def provider_names() -> tuple[str, ...]:
    """Names of all installed gateways."""
    return tuple(sorted({entry.name for entry in entry_points(group=GROUP)}))


@cache
def get_provider(name: str) -> Provider:
    """The gateway registered under a name.

    Raises:
        RequestError: when there is none, naming those that are installed.
    """
    for entry in entry_points(group=GROUP, name=name):
        found = entry.load()
        if not isinstance(found, Provider):
            raise TypeError(f"entry point {entry.value} of {GROUP} is no Provider but a {type(found).__name__}")
        return found
    raise RequestError([Problem("provider", f"no gateway is called {name!r}", ", ".join(provider_names()))])
