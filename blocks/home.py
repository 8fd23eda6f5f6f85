"""The project's address, in one place."""

from __future__ import annotations

HOME: str | None = None
"""Of the public repository, such as https://github.com/someone/prefect-omnivideo; None until there is one.

An address that does not exist would be a broken image in every list of blocks, and a dead link below every block.
Without one, Prefect's UIs show a neutral icon and no link. A `data:` URI is no way out: Prefect's client accepts http
and https alone, so that no block type of the server could be read any more.
"""


def logo(name: str) -> str | None:
    """Address of a logo of this package (`blocks/logos`), for the Prefect UI."""
    return f"{HOME}/raw/main/blocks/logos/{name}.png" if HOME else None


def documentation() -> str | None:
    """Address of the documentation of the blocks."""
    return f"{HOME}#readme" if HOME else None
