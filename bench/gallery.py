"""`python -m bench.gallery`: how soon a browser can use the gallery of a large batch, and its memory."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

from cyclopts import App
from playwright.sync_api import Browser, Page
from rich.console import Console
from rich.table import Table

from tests.browser.album import album, put
from tests.browser.chromium import GPU, chromium

INTERACTIVE, MEMORY, SCROLLED = "interactive after (s)", "renderer (MB)", "renderer, scrolled to the end (MB)"
GOALS = {INTERACTIVE: "2", MEMORY: "400", SCROLLED: "400"}

app = App(name="bench.gallery", help="Measure the gallery in chromium.")

_READY = """() => new Promise(done => requestAnimationFrame(() => setTimeout(() => done(performance.now() / 1000))))"""
_TIMED = """async ([selector, value]) => {
  const field = document.querySelector(selector), begin = performance.now();
  field.value = value;
  field.dispatchEvent(new Event("input", { bubbles: true }));
  await new Promise(done => requestAnimationFrame(() => setTimeout(done)));
  return (performance.now() - begin) / 1000;
}"""


@app.default
def bench(*, videos: int = 2000, rounds: int = 3, gpu: bool = True) -> None:
    """Print the medians of a few rounds, each in a browser of its own.

    Args:
        videos: In the batch.
        rounds: How often it is opened.
        gpu: Paint as with a graphics card, by a simulated one. Without, chromium keeps 512 MB of decoded pictures.
    """
    with tempfile.TemporaryDirectory() as folder:
        begin = time.perf_counter()
        page = put(Path(folder), album(videos))
        written = time.perf_counter() - begin
        size = page.stat().st_size / 1e6
        runs = [_run(page, GPU if gpu else []) for _ in range(rounds)]
    table = Table(box=None)
    table.add_column(f"{videos} videos, a page of {size:.1f} MB")
    table.add_column("median", justify="right")
    table.add_column("goal", justify="right")
    for name in runs[0]:
        table.add_row(name, f"{median(run[name] for run in runs):.3g}", GOALS.get(name, ""))
    table.add_row("written in (s), with videos and posters", f"{written:.3g}")
    Console(width=120).print(table)


def _run(page: Path, graphics: list[str]) -> dict[str, float]:
    with chromium(*graphics) as browser:
        tab = browser.new_page(viewport={"width": 1300, "height": 900})
        requests: list[str] = []
        tab.on("request", lambda request: requests.append(request.url))
        begin = time.perf_counter()
        tab.goto(page.as_uri(), wait_until="domcontentloaded")
        ready: float = tab.evaluate(_READY)
        seen = time.perf_counter() - begin
        tab.wait_for_load_state("networkidle")
        row = {
            INTERACTIVE: ready,
            "the same, on the clock outside (s)": seen,
            "search (s)": tab.evaluate(_TIMED, ["[name=q]", "lighthouse scene 7"]),
            "search ends (s)": tab.evaluate(_TIMED, ["[name=q]", ""]),
            "sort (s)": tab.evaluate(_TIMED, ["[name=sort]", "bytes"]),
            "requests on load": len(requests),
            MEMORY: _renderer(browser),
        }
        _scroll(tab)
        return row | {SCROLLED: _renderer(browser)}


def _scroll(tab: Page) -> None:
    """Through the whole page, so that every poster is shown once."""
    height = int(tab.evaluate("document.documentElement.scrollHeight"))
    for top in range(0, height, 1500):
        tab.evaluate("top => scrollTo(0, top)", top)
        tab.wait_for_timeout(30)


def _renderer(browser: Browser) -> float:
    """Resident memory of the largest renderer process, in MB."""
    processes: Any = browser.new_browser_cdp_session().send("SystemInfo.getProcessInfo")["processInfo"]
    return max(_resident(int(each["id"])) for each in processes if each["type"] == "renderer")


def _resident(pid: int) -> float:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1000 for line in lines if line.startswith("VmRSS"))


if __name__ == "__main__":
    app()
