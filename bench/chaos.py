"""Fault tests: `make chaos` plays everything that can go wrong between a submission and a stored video.

The real flow, a Prefect server, the sandbox and an S3 server run in processes of their own. After each scenario the
gateways' bill is held against the store, and one JSON line says what was found. Exit code 1 when anything was paid
twice, lost, or of unknown outcome without a reason.
"""

import contextlib
import json
import os
import random
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

from cyclopts import App, Parameter
from pydantic import SecretStr

from bench.chaos_proxy import s3_proxy
from bench.chaos_scene import SETTLE, ScenarioError, Scene, free_ports
from bench.chaos_verdict import judge
from prefect_omnivideo.blocks import S3VideoStore
from prefect_omnivideo.cli.demo.stage import prefect_server, wait_for
from prefect_omnivideo.core.records.model import VideoState
from prefect_omnivideo.core.records.repository import Records
from prefect_omnivideo.sandbox import Fault, FaultPlan, Settings
from prefect_omnivideo.sandbox.s3server import S3Server, running_s3

Facts = dict[str, Any]
"""What a scenario adds to its line; `may_be_unknown` is the largest number of records that may be unknown."""

app = App(name="chaos", help="Kill, cut and delay everything, and count what was paid and what is there.")


def kill(scene: Scene, rng: random.Random, kills: int) -> Facts:
    """SIGKILL at random moments, until the batch is complete; the same batch each time."""
    done, moments = 0, []
    while done < kills:
        left, before = len(scene.prompts) - len(scene.found()), scene.accepted()
        run = scene.start()
        if left:
            # Spread over the batch: one submission more, or as many as there are for each life. Half of the kills come
            # soon after, where they cost most: the answer is still on its way.
            share = max(1, round(2 * left / (kills - done)))
            scene.wait_for_accepted(before + rng.randint(1, share), run, seconds=20)
            time.sleep(rng.choice((0.3, 1.5)) * rng.random())
        else:
            time.sleep(rng.uniform(0, 3))
        if not run.is_alive:
            break
        run.kill()
        done += 1
        time.sleep(SETTLE)
        moments.append(scene.note_claims())
    scene.complete()
    unknown = {r.attempt.claim_id for r in scene.found() if r.state is VideoState.UNKNOWN}
    return {"kills": done, "in_flight": moments, "may_be_unknown": len(scene.in_flight & unknown)}


def twice(scene: Scene, rng: random.Random, kills: int) -> Facts:
    """Two runs of one batch at the same time: each prompt is paid once, and both see it stored."""
    runs = [scene.start(), scene.start()]
    saw = [scene.wait(run).counts for run in runs]
    faults = [f"a run saw {counts}" for counts in saw if not counts or counts["stored"] < len(scene.prompts)]
    return {"faults": faults}


def s3(scene: Scene, rng: random.Random, kills: int) -> Facts:
    """S3 refuses, is slow, loses answers and goes down for a while, under two runs of one batch."""
    with s3_proxy(str(scene.store["endpoint_url"]), rng) as proxy:
        scene.store["endpoint_url"] = proxy.url
        runs = [scene.start(), scene.start()]
        scene.wait_for_accepted(len(scene.prompts) // 2, runs[0])
        proxy.go_down(OUTAGE)
        for run in runs:
            scene.wait(run)
        scene.complete()
    return {"struck": proxy.struck}


def restart(scene: Scene, rng: random.Random, kills: int) -> Facts:
    """The gateways die in the middle, twice, and come back knowing what they had accepted."""
    deaths: list[float] = []
    run = scene.start()
    for part in (1 / 4, 1 / 2):
        scene.wait_for_accepted(int(len(scene.prompts) * part), run)
        time.sleep(rng.uniform(0, 1))
        scene.close()
        deaths.append(time.time())
        time.sleep(rng.uniform(1, 5))
        scene.open()
    scene.wait(run)
    scene.complete()
    unknown = [r for r in scene.found() if r.state is VideoState.UNKNOWN]
    explained = [
        r
        for r in unknown
        if any(r.attempt.started_at.timestamp() <= death <= r.updated_at.timestamp() for death in deaths)
    ]
    return {"kills": len(deaths), "may_be_unknown": min(len(explained), scene.slots * len(deaths))}


def storm(scene: Scene, rng: random.Random, kills: int) -> Facts:
    """Many submissions meet 429, with and without Retry-After, some several times."""
    scene.complete()
    stats = scene.stats()["gateways"].values()
    return {"refused": sum(counts.get("refused", 0) for counts in stats)}


def drops(scene: Scene, rng: random.Random, kills: int) -> Facts:
    """Connections cut before and after acceptance: unknown, and never sent again by a later run."""
    scene.complete()
    scene.complete()
    received = sum(counts.get("submissions", 0) for counts in scene.stats()["gateways"].values())
    faults = [f"{received} submissions arrived"] if received != len(scene.prompts) else []
    return {"may_be_unknown": sum("cut" in prompt for prompt in scene.prompts), "faults": faults}


def links(scene: Scene, rng: random.Random, kills: int) -> Facts:
    """Links expire between success and download."""
    scene.complete()
    return {}


Scenario = Callable[[Scene, random.Random, int], Facts]
SCENARIOS: dict[str, tuple[Scenario, Facts, Facts]] = {
    # What is played, settings of the sandbox, settings of the accounts.
    "kill": (kill, {"faults": FaultPlan((Fault("slow", value=1, probability=0.5),))}, {"jobs_in_flight": 1}),
    "twice": (twice, {}, {}),
    "s3": (s3, {}, {}),
    "restart": (restart, {"faults": FaultPlan((Fault("slow", value=0.3, probability=0.5),))}, {}),
    "storm": (
        storm,
        {
            "faults": FaultPlan(
                (
                    Fault("retry-after", value=2, times=1, probability=0.3),
                    Fault("429", times=2, probability=0.3),
                    Fault("429-empty", times=1, probability=0.3),
                )
            )
        },
        {"request_seconds": 30},
    ),
    "drops": (
        drops,
        {"faults": FaultPlan((Fault("drop-before", match="cut before"), Fault("drop-after", match="cut after")))},
        {},
    ),
    "links": (links, {"link_seconds": 1, "faults": FaultPlan((Fault("expired-link", times=2),))}, {}),
}
OUTAGE = 12.0
"""Seconds."""
ACCOUNT: Facts = {"jobs_in_flight": 4, "request_seconds": 3, "poll_seconds": 0.3}
"""Short requests make short claims: a submission of a killed process becomes unknown after seconds."""


@app.default
def chaos(
    *,
    scenario: Annotated[list[str] | None, Parameter(consume_multiple=True, negative=())] = None,
    prompts: int = 60,
    kills: int = 30,
    seed: int | None = None,
    api: str | None = None,
) -> int:
    """Play the scenarios and print one JSON line for each.

    Args:
        scenario: Which to play; all when left out.
        prompts: Prompts per batch.
        kills: How often the flow is killed in the scenario `kill`.
        seed: Seed of everything random; drawn when left out, and printed.
        api: Address of a Prefect API to use; a server is started when left out.
    """
    seed = random.SystemRandom().randrange(1_000_000) if seed is None else seed
    names = scenario or list(SCENARIOS)
    if unknown := set(names) - set(SCENARIOS):
        sys.exit(f"no such scenario: {', '.join(unknown)}; there are: {', '.join(SCENARIOS)}")
    with contextlib.ExitStack() as stack:
        # SeaweedFS may still be writing when it is stopped.
        home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="chaos-", ignore_cleanup_errors=True)))
        if api is None:
            api = stack.enter_context(prefect_server(home))
            wait_for(api)
        server = stack.enter_context(running_s3(home / "s3"))
        server.bucket("chaos")
        # The processes of the scenarios inherit these.
        os.environ |= {
            "PREFECT_API_URL": api,
            "PREFECT_LOGGING_LEVEL": "CRITICAL",
            "PREFECT_LOGGING_TO_API_ENABLED": "0",
        }
        good = [_play(name, prompts, kills, seed, server, home) for name in names]
    return 0 if all(good) else 1


def _play(name: str, prompts: int, kills: int, seed: int, server: S3Server, home: Path) -> bool:
    play, sandbox, account = SCENARIOS[name]
    rng = random.Random(f"{seed} {name}")
    port, media_port = free_ports(2)
    scene = Scene(
        batch=name,
        prompts=tuple(_prompts(name, prompts)),
        settings=Settings(
            port=port,
            media_port=media_port,
            journal=home / f"{name}.journal",
            **{"latency": 2, "jitter": 0.5} | sandbox,
        ),
        store=_store(server),
        records=Records(S3VideoStore.model_validate(_store(server)).open()),
        account=ACCOUNT | account,
    )
    started = time.monotonic()
    facts: Facts = {}
    faults: list[str] = []
    with contextlib.closing(scene):
        scene.open()
        try:
            facts = play(scene, rng, kills)
        except ScenarioError as error:
            faults.append(str(error))
        verdict = asdict(judge(scene.prompts, scene.bill(), scene.found(), scene.records.store))
        leaks = scene.stats()["leaks"]
    faults += [*verdict.pop("faults"), *facts.pop("faults", []), *(f"a key went to {path}" for path in leaks)]
    excused = facts.setdefault("may_be_unknown", 0)
    if verdict["unknown"] > excused:
        faults.append(f"{verdict['unknown'] - excused} videos are of unknown outcome without a reason")
    line = {"scenario": name, "prompts": len(scene.prompts)} | verdict | facts
    line |= {
        "runs": scene.runs,
        "gave_up": scene.troubles,
        "seconds": round(time.monotonic() - started, 1),
        "seed": seed,
        "ok": not faults,
    }
    print(json.dumps(line | ({"faults": faults[:10]} if faults else {})), flush=True)
    return not faults


def _prompts(name: str, count: int) -> Sequence[str]:
    cuts = ("cut before", "cut after", "", "", "") if name == "drops" else ("",)
    return [f"{name} {number:03} {cuts[number % len(cuts)]}".strip() for number in range(count)]


def _store(server: S3Server) -> Facts:
    return {
        "bucket": "chaos",
        "prefix": "videos",
        "endpoint_url": server.endpoint_url,
        "region_name": "us-east-1",
        "aws_access_key_id": server.access_key_id,
        "aws_secret_access_key": SecretStr(server.secret_access_key),
    }


if __name__ == "__main__":
    sys.exit(app())
