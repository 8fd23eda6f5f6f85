"""A month in fast motion: `make month` runs a growing sheet twice a day on a daily budget, and kills many of the runs.

Each run is the real flow in a process of its own, whose clock is moved to its day; the gateways' clock goes along.
At the end every row has exactly one video or a stated reason, no day is above its budget, and `omnivideo spend` equals
the gateways' bill to the cent. Exit code 1 otherwise.
"""

import contextlib
import csv
import json
import os
import random
import sys
import tempfile
import time
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from io import StringIO
from pathlib import Path
from typing import Any

from cyclopts import App
from prefect.settings import PREFECT_API_URL, temporary_settings

from bench.chaos_scene import PROCESSES, SETTLE, Run
from bench.month_flow import Order, run_flow
from bench.month_verdict import Verdict, judge_month
from prefect_omnivideo.blocks import VideoBudget
from prefect_omnivideo.cli.commands import app as omnivideo
from prefect_omnivideo.cli.demo.stage import prefect_server, wait_for
from prefect_omnivideo.core.records.model import VideoRecord, VideoState
from prefect_omnivideo.core.records.repository import Records
from prefect_omnivideo.core.storage.folder import Folder
from prefect_omnivideo.sandbox import Fault, FaultPlan, Sandbox, Settings, running

BUDGET = "month-in-fast-motion"
DAILY = Decimal(5)
"""US dollars: five videos, of 1.00 USD on the one account and 0.90 USD on the other."""
ROWS = 8
"""Rows that the sheet has at first."""
GROWTH = 5
"""Most rows that it gets after each moment with runs, at least one."""
CLOSING = 30
"""Most days after the month in which what was left out is made."""
FAULTS = (
    Fault("429", times=1, probability=0.1),
    Fault("retry-after", value=1, times=1, probability=0.1),
    Fault("no-balance", times=1, probability=0.03),
    Fault("500", probability=0.03),
    Fault("drop-before", probability=0.03),
    Fault("drop-after", probability=0.05),
    Fault("slow", value=1, probability=0.3),
    Fault("fail", probability=0.05),
    Fault("moderated", probability=0.03),
    Fault("poll-500", times=1, probability=0.1),
    Fault("poll-drop", times=1, probability=0.1),
    Fault("expired-link", times=1, probability=0.1),
    Fault("truncate", times=1, probability=0.1),
)
DAYS: dict[str, tuple[str, str]] = {
    "twice": ("09:00:00", "21:00:00"),
    "together": ("09:00:00", "09:00:00"),
    "midnight": ("09:00:00", "23:59:45"),
}
"""When the runs of a day begin."""

app = App(name="month", help="Run a month of schedules in minutes, kill runs, and hold the bill against the store.")


@dataclass
class Month:
    """The scene: the gateways, the sheet, the store, and the moment."""

    sandbox: Sandbox
    clock: "Clock"
    home: Path
    rng: random.Random
    rows: list[str] = field(default_factory=list[str])
    killed: int = 0
    resolved: int = 0
    ended: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    """How runs ended that were not killed, and what they said."""

    @property
    def folder(self) -> Path:
        """The store."""
        return self.home / "videos"

    @property
    def records(self) -> list[VideoRecord]:
        """All that is recorded."""
        return list(Records(Folder(self.folder)).all())

    def add_rows(self, count: int) -> None:
        """Let the sheet grow."""
        self.rows += [f"row {number:03}" for number in range(len(self.rows), len(self.rows) + count)]
        text = StringIO()
        csv.writer(text).writerows([["prompt"], *([row] for row in self.rows)])
        new = self.home / "sheet.new"
        new.write_text(text.getvalue(), "utf-8")
        new.replace(self.home / "sheet.csv")

    def play(self, moment: datetime, kills: Sequence[bool]) -> None:
        """Start as many runs at a moment, and kill those that are to be killed."""
        self.clock.set(moment)
        accepted, begin = len(self.sandbox.jobs()), time.monotonic()
        runs = [self._start() for _ in kills]
        deaths = [self.rng.randint(1, 3) for _ in kills]
        for run, is_killed, after in zip(runs, kills, deaths, strict=True):
            if is_killed:
                end = time.monotonic() + 60
                while run.is_alive and len(self.sandbox.jobs()) < accepted + after and time.monotonic() < end:
                    time.sleep(0.01)
                time.sleep(self.rng.choice((0.0, 0.3, 1.5)) * self.rng.random())
                if run.is_alive:
                    run.kill()
                    self.killed += 1
        said = [self._end(run) for run in runs]
        time.sleep(SETTLE)
        line = {"begins": f"{moment:%Y-%m-%d %H:%M:%S}", "rows": len(self.rows), "runs": said}
        line |= {"submitted": len(self.sandbox.jobs()) - accepted, "seconds": round(time.monotonic() - begin, 1)}
        print(json.dumps(line), flush=True)

    def _start(self) -> Run:
        account: dict[str, Any] = {"api_key": self.sandbox.key, "poll_seconds": 0.2, "request_seconds": 3}
        order = Order(
            ahead=self.clock.ahead,
            sheet=str(self.home / "sheet.csv"),
            folder=str(self.folder),
            budget=BUDGET,
            apimart=account
            | {
                "base_url": self.sandbox.base_url("apimart"),
                "jobs_in_flight": 2,
                "prices": [{"per_video": "1 USD"}],
            },
            omnirouters=account
            | {
                "base_url": self.sandbox.base_url("omnirouters"),
                "jobs_in_flight": 2,
                "console_access_token": self.sandbox.settings.access_token,
                "console_user_id": self.sandbox.settings.user_id,
            },
        )
        said, says = PROCESSES.Pipe(duplex=False)
        process = PROCESSES.Process(target=run_flow, args=(order, says), daemon=True)
        process.start()
        says.close()
        return Run(process, said)

    def _end(self, run: Run) -> str:
        run.process.join(300)
        if run.is_alive:
            run.kill()
            self.ended.append(("Hangs", "a run took more than 300 s"))
            return "Hangs"
        with contextlib.suppress(EOFError):
            run.said.recv()
            ended: tuple[str, str] = run.said.recv()
            self.ended.append(ended)
            return ended[0]
        return "killed"

    def resolve(self) -> int:
        """Do what a person does who sees the gateways' lists of jobs: give the task ids of those of unknown outcome.

        Returns how many there were.
        """
        found = {job["prompt"]: job["id"] for job in self.sandbox.jobs()}
        unknown = [each for each in self.records if each.state is VideoState.UNKNOWN]
        known = [each for each in unknown if each.request.prompt in found]
        for record in known:
            task = found[record.request.prompt]
            command_line("resolve", record.key, "--store", str(self.folder), "--task-id", task)
        self.resolved += len(known)
        return len(known)


class Clock:
    """The time of the month; it runs at its usual speed."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def __call__(self) -> float:
        """Epoch seconds."""
        return time.time() + self.ahead

    def set(self, moment: datetime) -> None:
        """Move on to a moment."""
        self.ahead = moment.timestamp() - time.time()


def command_line(*arguments: str) -> str:
    """What `omnivideo` prints."""
    said = StringIO()
    with contextlib.redirect_stdout(said), contextlib.suppress(SystemExit):
        omnivideo(list(arguments))
    return said.getvalue()


@app.default
def month(*, days: int = 30, seed: int | None = None, api: str | None = None) -> int:
    """Play a month and print a JSON line for each moment with runs, and the verdict.

    Args:
        days: Of the month, with two runs each.
        seed: Seed of everything random; drawn when left out, and printed.
        api: Address of a Prefect API to use; a server is started when left out.
    """
    seed = random.SystemRandom().randrange(1_000_000) if seed is None else seed
    with _stage(seed, api) as scene:
        begin = time.monotonic()
        # In the past, so that whoever looks at it afterwards looks back.
        first = (datetime.now(UTC) - timedelta(days=days + CLOSING + 5)).replace(hour=0, minute=0, second=0)
        _play(scene, first.replace(microsecond=0), days)
        verdict = _verdict(scene)
        line = {"runs": 2 * days, "killed": scene.killed, "resolved": scene.resolved, **verdict.facts}
        line |= {"seconds": round(time.monotonic() - begin), "seed": seed, "ok": not verdict.faults}
    print(json.dumps(line | ({"faults": verdict.faults[:10]} if verdict.faults else {})))
    return 1 if verdict.faults else 0


def _play(scene: Month, first: datetime, days: int) -> None:
    scene.add_rows(ROWS)
    kinds = [list(DAYS)[number % len(DAYS)] for number in range(days)]
    scene.rng.shuffle(kinds)
    for number, kind in enumerate(kinds):
        kills = [scene.rng.random() < 1 / 3 for _ in DAYS[kind]]
        moments = [datetime.fromisoformat(f"{first + timedelta(days=number):%F}T{at}Z") for at in DAYS[kind]]
        for moment in sorted(set(moments)):
            scene.play(moment, [dies for each, dies in zip(moments, kills, strict=True) if each == moment])
            scene.add_rows(scene.rng.randint(1, GROWTH))
    # The month is closed: a person looks at what is unknown, and what was left out is made on the days that follow.
    for number in range(days, days + CLOSING):
        scene.play(first + timedelta(days=number, hours=9), [False])
        resolved = scene.resolve()
        if len(scene.records) == len(scene.rows) and not resolved:
            break


def _verdict(scene: Month) -> Verdict:
    spend = {
        by: list(csv.DictReader(StringIO(command_line("spend", "--store", str(scene.folder), "--csv", *arguments))))
        for by, arguments in {"": [], "day": ["--by", "day"], "account": ["--by", "account"]}.items()
    }
    verdict = judge_month(scene.rows, scene.sandbox, scene.records, Folder(scene.folder), spend, DAILY)
    unexpected = [f"a run said: {said}" for name, said in scene.ended if name != "Completed" and _is_odd(name)]
    return Verdict(verdict.facts, [*verdict.faults, *unexpected])


def _is_odd(name: str) -> bool:
    return name not in ("BatchFailedError", "BatchIncompleteError", "BatchStoppedError")


@contextlib.contextmanager
def _stage(seed: int, api: str | None) -> Generator[Month]:
    with contextlib.ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="month-")))
        if api is None:
            api = stack.enter_context(prefect_server(home))
            wait_for(api)
        # The runs inherit these.
        quiet = {"PREFECT_LOGGING_LEVEL": "CRITICAL", "PREFECT_LOGGING_TO_API_ENABLED": "0"}
        os.environ |= {"PREFECT_API_URL": api, **quiet}
        clock = Clock()
        settings = Settings(latency=0.5, jitter=0.5, faults=FaultPlan(FAULTS, seed))
        sandbox = stack.enter_context(running(settings, clock))
        stack.enter_context(temporary_settings({PREFECT_API_URL: api}))
        VideoBudget(amount=f"{DAILY} USD", period="day").save(BUDGET, overwrite=True)
        yield Month(sandbox, clock, home, random.Random(seed))


if __name__ == "__main__":
    sys.exit(app())
