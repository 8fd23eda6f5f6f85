"""Worker failure: `python -m bench.workers` shares one long sheet among workers and kills one of them.

A Prefect server on PostgreSQL, the deployments of prefect.yaml and the automations crash-*.yaml, as documented. In the
end the gateways' bill is held against the store. Exit code 1 when anything was paid twice, lost, or of unknown
outcome without a reason.
"""

import contextlib
import json
import math
import os
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from cyclopts import App
from prefect.client.schemas.objects import FlowRun
from prefect.settings import PREFECT_API_URL, temporary_settings
from rich.console import Console
from rich.table import Table

from bench.chaos_flow import CREDENTIALS
from bench.chaos_scene import SETTLE, ScenarioError, Scene, free_ports
from bench.chaos_verdict import judge
from bench.postgres import NoPostgresError, running_postgres
from prefect_omnivideo.blocks import S3VideoStore
from prefect_omnivideo.core.records.model import VideoState
from prefect_omnivideo.core.records.repository import Records
from prefect_omnivideo.sandbox import Settings
from prefect_omnivideo.sandbox.s3server import running_s3
from tests.deployments.stage import ROOT, Machine, Server, machine, prefect_server

SHARDS = 16
"""Parts of the sheet, in two rounds: 8 of them run at a time, as is the default."""
ACCOUNT: dict[str, Any] = {"jobs_in_flight": 5, "request_seconds": 30}
"""Settings of each account: three of them in eight shards make 120 jobs in flight."""
ENTIRE = 3 * 3600.0
"""Seconds in which a batch must be done."""

TELL = 30.0
"""Seconds between two lines about the progress."""

app = App(name="workers", help="Share a long sheet among workers on PostgreSQL, kill one, and count what was paid.")
console = Console(width=None if sys.stdout.isatty() else 120)
started = time.monotonic()


@dataclass
class Play:
    """The servers, the workers, and what is measured of them."""

    server: Server
    scene: Scene
    machines: list[Machine] = field(default_factory=list[Machine])
    peak_rss: int = 0
    """Bytes of all workers and their flow runs together, at the most; pages that they share count for each."""

    def start(self, shard_size: int) -> FlowRun:
        """The deployment "long", as a person would start it."""
        parameters = {
            "sheet": "s3://videos/sheets/workers.jsonl",
            "batch": self.scene.batch,
            "credentials": [_reference(gateway) for gateway in self.scene.gateways],
            "shard_size": shard_size,
        }
        return self.server.start("Generate sharded/long", parameters)

    def watch(self, run: FlowRun, is_enough: Callable[[int], bool] = lambda accepted: False) -> FlowRun:
        """Wait until a run has ended, or enough submissions were accepted."""
        begin = reported = time.monotonic()
        while (now := time.monotonic()) < begin + ENTIRE:
            accepted, run = self.scene.accepted(), self.server.read(run)
            if (run.state and run.state.is_final()) or is_enough(accepted):
                return run
            if now > reported + TELL:
                reported = now
                _say(f"{accepted} submissions accepted")
            self.peak_rss = max(self.peak_rss, sum(_rss(pid) for each in self.machines for pid in each.processes))
            time.sleep(1)
        raise ScenarioError(f"{run.name} takes too long")


@dataclass(frozen=True)
class Death:
    """The state of a machine when it died."""

    moment: float
    """Epoch seconds."""
    runs: tuple[FlowRun, ...]
    jobs: int
    """Submitted and not stored yet."""
    claims: frozenset[str]
    """Of submissions under way, whose outcome is unknown."""


@app.default
def workers(*, prompts: int = 2000, workers: int = 4, kill: bool = True, latency: float = 20.0) -> int:
    """Make the videos of a sheet, then run the same batch again, and report what was paid.

    Args:
        prompts: Rows of the sheet.
        workers: Process workers, two at least when one is to die.
        kill: Kill a worker and its flow runs when a third of the jobs were accepted.
        latency: Seconds a job takes at the gateways.
    """
    if workers < 1 + kill:
        sys.exit("when one worker dies, there must be another")
    try:
        line = _measure(prompts, workers, kill, latency)
    except (NoPostgresError, ScenarioError) as error:
        sys.exit(str(error))
    table = Table(title=f"{prompts} prompts, {workers} workers, PostgreSQL", title_justify="left", show_header=False)
    for name, value in line.items():
        table.add_row(name, str(value))
    console.print(table)
    print(json.dumps(line))
    return 1 if line["faults"] else 0


def _measure(prompts: int, workers: int, kill: bool, latency: float) -> dict[str, Any]:
    with contextlib.ExitStack() as stack:
        play = _set_up(stack, prompts, latency)
        before = _spent_by_the_dead()
        with contextlib.ExitStack() as hall:
            # There is room for the 8 shards and the run that started them, on the survivors too.
            room = math.ceil(9 / (workers - kill))
            names = [f"worker-{number}" for number in range(1, workers + 1)]
            play.machines += [hall.enter_context(machine(play.server, name, room)) for name in names]
            _say(f"{workers} process workers with room for {room} flow runs each")
            line = _play(play, prompts, kill)
        # Without the flow runs of the killed worker, whose end no process observed.
        line |= {"worker_cpu_seconds": round(_spent_by_the_dead() - before), "worker_peak_rss_mb": play.peak_rss >> 20}
        return line | {"server_errors": (play.server.home / "server.log").read_text().count("| ERROR ")}


def _set_up(stack: contextlib.ExitStack, prompts: int, latency: float) -> Play:
    database = stack.enter_context(running_postgres())
    _say(f"PostgreSQL is ready: {database}")
    # SeaweedFS may still be writing when it is stopped.
    home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="workers-", ignore_cleanup_errors=True)))
    server = stack.enter_context(prefect_server(home, PREFECT_API_DATABASE_CONNECTION_URL=database))
    s3 = stack.enter_context(running_s3(home / "s3"))
    store = {
        "bucket": s3.bucket("videos"),
        "endpoint_url": s3.endpoint_url,
        "region_name": "us-east-1",
        "aws_access_key_id": s3.access_key_id,
        "aws_secret_access_key": s3.secret_access_key,
    }
    block = S3VideoStore.model_validate(store)
    port, media_port = free_ports(2)
    scene = Scene(
        batch="workers",
        prompts=tuple(f"workers {number:05}" for number in range(prompts)),
        settings=Settings(
            port=port, media_port=media_port, journal=home / "journal", latency=latency, jitter=0.3, link_seconds=3600
        ),
        store=store,
        records=Records(block.open()),
        account=ACCOUNT,
    )
    stack.enter_context(contextlib.closing(scene))
    scene.open()
    sheet = "\n".join(json.dumps({"prompt": prompt}) for prompt in scene.prompts)
    s3.client().put_object(Bucket="videos", Key="sheets/workers.jsonl", Body=sheet.encode())
    server.wait()
    _say(f"the Prefect server, S3 and the gateways are ready; a sheet of {prompts} prompts is in S3")
    with temporary_settings({PREFECT_API_URL: server.api}):
        block.save("prod")
        for gateway in scene.gateways:
            address = {"api_key": scene.settings.key, "base_url": f"{scene.url}/{gateway}"}
            CREDENTIALS[gateway].model_validate(address | scene.account).save("prod")
    server.deploy()
    automations = sorted((ROOT / "deployments" / "automations").glob("crash-*.yaml"))
    for path in automations:
        server.prefect("automation", "create", "--from-file", str(path))
    names = ", ".join(path.stem for path in automations)
    _say(f"blocks are saved, prefect.yaml is deployed, automations are created: {names}")
    return Play(server, scene)


def _play(play: Play, prompts: int, kill: bool) -> dict[str, Any]:
    shard_size = math.ceil(prompts / SHARDS)
    begin = time.monotonic()
    run = play.start(shard_size)
    _say(f"Generate sharded/long begins, in shards of {shard_size}")
    death = None
    if kill:
        run = play.watch(run, lambda accepted: accepted >= prompts / 3)
        death = _cut_the_power(play, run)
        _say(
            f"a worker and its {len(death.runs)} shards are dead, with {death.jobs} jobs in flight and "
            f"{len(death.claims)} submissions under way; {play.scene.accepted()} jobs were accepted so far"
        )
    run = play.watch(run)
    seconds = time.monotonic() - begin
    _say(f"Generate sharded/long ended {run.state_name} after {seconds:.0f} s")
    shards, paid = play.server.children(run), play.scene.accepted()
    again = play.watch(play.start(shard_size))
    _say(f"the same batch once more ended {again.state_name}; it paid for {play.scene.accepted() - paid} jobs")
    found = play.scene.found()
    verdict = asdict(judge(play.scene.prompts, play.scene.bill(), found, play.scene.records.store))
    excused = death.claims if death else frozenset[str]()
    faults = [*verdict.pop("faults")]
    faults += [f"a key went to {path}" for path in play.scene.stats()["leaks"]]
    faults += [
        f"{record.stem} is of unknown outcome without a reason"
        for record in found
        if record.state is VideoState.UNKNOWN and record.attempt.claim_id not in excused
    ]
    if play.scene.accepted() != paid:
        faults.append("the second run paid again")
    good = "Failed" if verdict["unknown"] else "Completed"
    faults += [f"{each.name} ended {each.state_name}" for each in (run, again) if each.state_name != good]
    crashed = [shard for shard in shards if shard.state and shard.state.is_crashed()]
    if death and not crashed:
        faults.append("no shard crashed, so nothing was shown")
    return {
        "prompts": prompts,
        **verdict,
        "may_be_unknown": len(excused),
        "faults": faults[:10],
        "seconds": round(seconds, 1),
        "videos_per_second": round(verdict["stored"] / seconds, 2),
        "flow_runs": 1 + len(shards),
        "shards_crashed": len(crashed),
        "shards_run_again": len(shards) - math.ceil(prompts / shard_size),
        "death_noticed_after": _noticed(death, crashed),
        "second_run_seconds": round(again.total_run_time.total_seconds(), 1),
    }


def _cut_the_power(play: Play, run: FlowRun) -> Death:
    """Kill the machine with most shards; not that of the run that started them, as no other run would repeat them."""
    shards = [shard for shard in play.server.children(run) if shard.state and shard.state.is_running()]
    others = [each for each in play.machines if not each.has(run)]
    victim = max(others, key=lambda each: sum(map(each.has, shards)))
    runs = tuple(shard for shard in shards if victim.has(shard))
    victim.die()
    moment = time.time()
    time.sleep(SETTLE)
    left = [r for r in play.scene.found() if r.attempt.flow_run in {str(shard.id) for shard in runs}]
    return Death(
        moment,
        runs,
        jobs=sum(r.state is VideoState.SUBMITTED for r in left),
        claims=frozenset(r.attempt.claim_id for r in left if r.state is VideoState.SUBMITTING),
    )


def _noticed(death: Death | None, crashed: list[FlowRun]) -> list[float]:
    """Seconds from the death of the machine until each of its shards was marked as crashed."""
    moments = sorted(shard.state.timestamp.timestamp() for shard in crashed if shard.state)
    return [round(moment - death.moment, 1) for moment in moments] if death else []


def _reference(gateway: str) -> dict[str, dict[str, str]]:
    return {"$ref": {"block_document_slug": f"{CREDENTIALS[gateway].get_block_type_slug()}/prod"}}


def _rss(pid: int) -> int:
    """Bytes that a process holds now; 0 when it has ended."""
    with contextlib.suppress(OSError):
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    return 0


def _spent_by_the_dead() -> float:
    """CPU seconds of the processes that this one has seen end, and of those that they had seen end."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def _say(text: str) -> None:
    console.print(f"{time.monotonic() - started:6.1f} s  {text}", highlight=False, soft_wrap=True)


if __name__ == "__main__":
    sys.exit(app())
