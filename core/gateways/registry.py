"""Finds gateways by name: those of this package, like third-party ones, by entry point."""

from __future__ import annotations

from functools import cache
from importlib.metadata import entry_points

from prefect_omnivideo.core.errors import Problem, RequestError
from prefect_omnivideo.core.gateways.specification import Gateway

GROUP = "prefect_omnivideo.gateways"


def gateway_names() -> tuple[str, ...]:
    """Names of all installed gateways."""
    return tuple(sorted({entry.name for entry in entry_points(group=GROUP)}))


@cache
def get_gateway(name: str) -> Gateway:
    """The gateway registered under a name.

    Raises:
        RequestError: there is none; names those that are installed.
    """
    for entry in entry_points(group=GROUP, name=name):
        found = entry.load()
        if not isinstance(found, Gateway):
            raise TypeError(f"entry point {entry.value} of {GROUP} is not a Gateway but a {type(found).__name__}")
        return found
    raise RequestError([Problem("gateway", f"no gateway is called {name!r}", ", ".join(gateway_names()))])
