"""Debian's chromium, without a window."""

from __future__ import annotations

import shutil
from collections.abc import Generator
from contextlib import contextmanager

from playwright.sync_api import Browser, sync_playwright

CHROMIUM = shutil.which("chromium")
ARGUMENTS = ["--no-sandbox", "--disable-background-networking"]
GPU = ["--enable-gpu-rasterization", "--ignore-gpu-blocklist", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"]
"""Painted as with a graphics card, by a simulated one."""


@contextmanager
def chromium(*graphics: str) -> Generator[Browser]:
    """A browser of its own. A process can have one at a time, and none while an event loop runs in its thread.

    Args:
        graphics: `GPU`, or nothing.
    """
    with (
        sync_playwright() as playwright,
        playwright.chromium.launch(
            executable_path=CHROMIUM, args=[*ARGUMENTS, *(graphics or ["--disable-gpu"])]
        ) as browser,
    ):
        yield browser
