"""What the demo prints."""

import asyncio
import contextlib
import shlex
import shutil
import sys
import time
from pathlib import Path

from rich.console import Console
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from prefect_omnivideo.cli.demo.stage import WORDS
from prefect_omnivideo.core.gateways.registry import get_gateway
from prefect_omnivideo.core.records.model import VideoRecord, VideoState
from prefect_omnivideo.core.records.repository import Records
from prefect_omnivideo.core.reports.report import BatchReport
from prefect_omnivideo.sandbox import Sandbox

# Without a terminal, lines are not wrapped.
console = Console(width=None if sys.stdout.isatty() else 200, highlight=False)

_COLOURS = {VideoState.STORED: "green", VideoState.FAILED: "red", VideoState.UNKNOWN: "yellow"}


def heading(text: str) -> None:
    """Begin a part."""
    console.print()
    console.print(Rule(Text(text, style="bold"), align="left"))


def say(text: str) -> None:
    """Print a sentence."""
    console.print(Text(text))


def command(words: str, what: str = "") -> None:
    """Print a command as it can be typed, after what it is for."""
    if what:
        console.print(Text(what))
    console.print(Text(f"  $ {words}", style="cyan"), soft_wrap=True)


def omnivideo(line: str) -> str:
    """A command line of `omnivideo`, with the path of the program where the shell does not find it."""
    program = shutil.which("omnivideo")
    mine = Path(sys.executable).with_name("omnivideo")
    if program and Path(program).resolve() == mine.resolve():
        return line
    with contextlib.suppress(ValueError):
        mine = mine.relative_to(Path.cwd())
    return line.replace("omnivideo", shlex.quote(str(mine)), 1)


async def watch(records: Records, batch: str, sandbox: Sandbox, done: asyncio.Event) -> None:
    """Print every change of a record, and every fault that a gateway injects, until the run is done."""
    started = time.monotonic()
    seen = {record.key: record.state for record in await asyncio.to_thread(lambda: list(records.batch(batch)))}
    faults, last = len(sandbox.injected()), False

    def line(gateway: str, word: str, style: str, rest: str) -> None:
        text = Text(f"{time.monotonic() - started:5.1f} s  {get_gateway(gateway).title:<24} ")
        console.print(text + Text(f"{word:<11}", style=style) + Text(rest, overflow="ellipsis"), no_wrap=True)

    while not last:
        last = done.is_set()
        for each in sandbox.injected()[faults:]:
            faults += 1
            line(each.gateway, "FAULT", "bold magenta", f"{WORDS[each.fault]}: {each.prompt}")
        for record in await asyncio.to_thread(lambda: list(records.batch(batch))):
            if seen.get(record.key) != record.state:
                seen[record.key] = record.state
                line(record.attempt.gateway, record.state, _COLOURS.get(record.state, ""), record.request.prompt)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(done.wait(), 0 if last else 0.4)


def show(report: BatchReport) -> None:
    """Print one row for each video."""
    table = Table(box=None, pad_edge=False)
    table.add_column("prompt", max_width=34, no_wrap=True, overflow="ellipsis")
    for column in ("gateway", "state", "seconds", "size"):
        table.add_column(column, no_wrap=True, justify="right" if column in ("seconds", "size") else "left")
    for record in report.records:
        file = record.files[0] if record.files else None
        table.add_row(
            Text(record.request.prompt),
            get_gateway(record.attempt.gateway).title,
            Text(_state(record), style=_COLOURS.get(record.state, "")),
            f"{file.media.get('duration') or 0:.0f}" if file else "",
            f"{file.size / 1000:.0f} kB" if file else "",
        )
    console.print(table)


def _state(record: VideoRecord) -> str:
    return f"{record.state} ({record.failure.category})" if record.failure else str(record.state)
