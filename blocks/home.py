"""The project's address, in one place."""

from __future__ import annotations

from typing import Literal

HOME: str | None = None
"""Of the public repository, such as https://github.com/someone/prefect-omnivideo; None until there is one.

An address that does not exist would be a dead link below every block.
"""
_PREFECT_LOGOS = (
    "https://raw.githubusercontent.com/PrefectHQ/prefect/420d0d6a78bb6df1fc18bcf188fdad43c1d22ea9/assets/block-logos"
)
"""Where Prefect's own blocks have their logos.

Without a logo, the block picker of Prefect's default UI shows a broken image. A `data:` URI is no way out: Prefect's
client accepts http and https alone, so that no block type of the server could be read any more.
"""


def logo(name: str, *, like: Literal["secret", "filesystem"]) -> str:
    """Address of a logo of this package (`blocks/logos`), for the Prefect UI.

    Args:
        like: Prefect's own block whose logo stands in while the package has no address.
    """
    return f"{HOME}/raw/main/blocks/logos/{name}.png" if HOME else f"{_PREFECT_LOGOS}/{like}.png"


def documentation() -> str | None:
    """Address of the documentation of the blocks."""
    return f"{HOME}#readme" if HOME else None
