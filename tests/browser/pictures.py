"""Screenshots for the documentation."""

import os
from pathlib import Path

from playwright.sync_api import Page

MOST_SHOTS = 20


def picture(page: Page, name: str, height: int = 900) -> None:
    """A screenshot in the folder that SCREENSHOTS names, if it names one."""
    if folder := os.environ.get("SCREENSHOTS"):
        page.set_viewport_size({"width": (page.viewport_size or {"width": 1300})["width"], "height": height})
        page.wait_for_load_state("networkidle")
        page.mouse.move(0, 0)  # nothing is lit up below it
        page.evaluate(_PRESENTABLE)
        taken, before = page.screenshot(), b""
        for _ in range(MOST_SHOTS):  # until nothing moves any more, such as the spinner of a player
            if taken == before:
                break
            taken, before = page.screenshot(), taken
        Path(folder, f"{name}.png").write_bytes(taken)


# No cursor blinks, and the folder of a test reads like the folder of a person. Logos are on the internet, which the
# tests do not reach.
_PRESENTABLE = """() => {
  document.activeElement.blur();
  window.scrollTo(0, 0);
  for (const image of document.images) image.style.visibility = image.naturalWidth ? "visible" : "hidden";
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    texts.currentNode.data = texts.currentNode.data.replace(/\\/\\S*\\/prefect0\\//, "///home/ada/");
  }
}"""
