"""Records as a table on a terminal."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from prefect_omnivideo.core.money.amount import told
from prefect_omnivideo.core.records.model import VideoRecord
from prefect_omnivideo.core.reports.wording import reason


def show_jobs(records: Sequence[VideoRecord]) -> None:
    """Print one line per video. Without a terminal, lines are not cut or wrapped."""
    table = Table(box=None, pad_edge=False)
    for column in ("key", "state", "batch", "gateway", "account", "task id", "sent", "cost", "prompt", "reason"):
        table.add_column(column, no_wrap=column != "reason", overflow="ellipsis" if column == "prompt" else "fold")
    for record in records:
        attempt = record.attempt
        table.add_row(
            record.key,
            record.state,
            Text(record.batch),
            attempt.gateway,
            Text(attempt.account),
            Text(attempt.task_id or ""),
            f"{attempt.started_at:%Y-%m-%d %H:%M:%S %Z}",
            told(record.cost, record.without_cost),
            Text(" ".join(record.request.prompt.split())[:40]),
            Text(reason(record)),
        )
    Console(width=None if sys.stdout.isatty() else 320).print(table)
    if not records:
        sys.stdout.write("no videos\n")


def show_answers(record: VideoRecord) -> None:
    """Print the answers kept with a record, each with its time, its request and the gateway's id of it."""
    console = Console(soft_wrap=True, highlight=False)
    for number, attempt in enumerate(record.attempts, start=1):
        console.print(Text(f"attempt {number}: {attempt.account} at {attempt.base_url}, task {attempt.task_id or '-'}"))
        if attempt.trouble:
            console.print(Text(f"  {attempt.trouble}"))
        for answer in attempt.answers:
            ids = f" ({answer.request_id})" if answer.request_id else ""
            console.print(Text(f"  {answer.at:%Y-%m-%d %H:%M:%S %Z} {answer.asked} -> HTTP {answer.status}{ids}"))
            console.print(Text(f"    {answer.body}"))
    if not any(attempt.answers for attempt in record.attempts):
        console.print(Text("no answers are kept: nothing unexpected happened"))
