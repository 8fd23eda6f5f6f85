"""The demo: a Prefect server, the five gateways and an S3 server on this machine, and a dozen prompts for them.

It runs the production flow, `generate_videos`, with credentials that point at the sandbox: once with faults, then the
decision about a submission whose answer was lost, then the same batch again.
"""

import asyncio
import contextlib
import logging
import shlex
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

from prefect import serve
from prefect.blocks.core import Block
from prefect.client.orchestration import get_client
from prefect.deployments.runner import RunnerDeployment
from prefect.settings import PREFECT_API_URL, PREFECT_LOGGING_TO_API_ENABLED, temporary_settings
from prefect.types.entrypoint import EntrypointType

from prefect_omnivideo.blocks import APIMartCredentials, LocalVideoStore, S3VideoStore
from prefect_omnivideo.cli.app import app
from prefect_omnivideo.cli.demo.screen import command, console, heading, omnivideo, say, show, watch
from prefect_omnivideo.cli.demo.stage import FAULTS, LOST, REFUSED, REQUESTS, accounts, bucket, prefect_server, wait_for
from prefect_omnivideo.core.media.probe import examine
from prefect_omnivideo.core.records.repository import Records
from prefect_omnivideo.core.reports.commands import TASK_ID, jobs_command, resolve_commands
from prefect_omnivideo.core.reports.report import BatchReport
from prefect_omnivideo.core.storage.base import ObjectStore
from prefect_omnivideo.flows import BatchFailedError, generate_videos
from prefect_omnivideo.flows.run.parameters import AnyCredentials, AnyStore
from prefect_omnivideo.sandbox import Sandbox, Settings, running
from prefect_omnivideo.sandbox.s3server import running_s3

BATCH = "demo"
LATENCY = 6.0
VIDEOS = Path("demo-videos")


def run_demo(*, ui: bool = False) -> int:
    """Run the demo. Returns 0 if exactly the expected videos exist and play, and each was billed once.

    Args:
        ui: leave everything running, with a deployment for videos of one's own, until Ctrl-C.
    """
    say("Starting a Prefect server, five sandbox gateways and an S3 server on 127.0.0.1 …")
    with contextlib.ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="omnivideo-demo-")))
        api = stack.enter_context(prefect_server(home))
        sandbox = stack.enter_context(running(Settings(latency=LATENCY, jitter=0.3, faults=FAULTS)))
        s3 = stack.enter_context(running_s3(home / "s3"))
        wait_for(api)
        stack.enter_context(temporary_settings({PREFECT_API_URL: api, PREFECT_LOGGING_TO_API_ENABLED: ui}))
        for logger in ("prefect", "stamina"):
            logging.getLogger(logger).setLevel(logging.CRITICAL)
        for logger in ("prefect.flow_runs", "prefect.task_runs"):  # logs are for the UI: here they would bury the story
            logging.getLogger(logger).setLevel(logging.INFO if ui else logging.CRITICAL)
            logging.getLogger(logger).propagate = False
        well = _play(sandbox, accounts(sandbox), bucket(s3))
        _next(ui)
        if ui:
            _stay(api.removesuffix("/api"))
    return 0 if well else 1


def _play(sandbox: Sandbox, credentials: list[AnyCredentials], store: S3VideoStore) -> bool:
    asyncio.run(_save([*credentials, store, LocalVideoStore(folder=VIDEOS.absolute())]))
    heading(f"1. The batch: {len(REQUESTS)} prompts, shared by five gateways, with faults")
    first = asyncio.run(_run(credentials, store, sandbox))
    billed = len(sandbox.jobs())
    say(f"{first.summary()} The gateways billed {billed} submissions.")

    heading("2. The answer to one submission was lost")
    say("It may have been paid, so it is never sent again automatically: a person looks into the gateway's task list.")
    (lost,) = first.unknown
    task_id = next(job["id"] for job in sandbox.jobs() if job["prompt"] == lost.request.prompt)
    say(f"There it is, as {task_id}. So the decision is:")
    decision = next(iter(resolve_commands(lost, first.store, first.endpoint_url).values())).replace(TASK_ID, task_id)
    command(decision)
    app(shlex.split(decision)[1:], result_action="return_value")

    heading("3. The same batch again: what is stored is skipped, what was found is collected")
    second = asyncio.run(_run(credentials, store, sandbox))
    again = len(sandbox.jobs()) - billed
    say(f"{second.summary()} The second run: {again} billed.")

    heading("Results")
    show(second)
    say(f"\nThe store has them all at {store.open().uri(BATCH)}.")
    playing = _download(second, store.open())
    expected = len(REQUESTS) - 1
    say(f"{playing} of the {expected} expected videos play. Look at them:")
    console.print((VIDEOS / BATCH / "index.html").resolve().as_uri(), soft_wrap=True)
    refused = [record.request for record in second.failed]
    bills = (billed, again, lost.request, refused)
    return playing == expected and bills == (len(REQUESTS), 0, LOST, [REFUSED])


async def _save(blocks: Sequence[AnyCredentials | AnyStore]) -> None:
    for block in blocks:
        await block.asave(BATCH, overwrite=True)


async def _run(credentials: list[AnyCredentials], store: S3VideoStore, sandbox: Sandbox) -> BatchReport:
    done = asyncio.Event()
    watching = asyncio.create_task(watch(Records(store.open()), BATCH, sandbox, done))
    try:
        return await generate_videos(REQUESTS, credentials, store, batch=BATCH)
    except BatchFailedError as error:
        return error.report
    finally:
        done.set()
        await watching


def _next(ui: bool) -> None:
    heading("Next")
    command(omnivideo(jobs_command(str(VIDEOS.resolve()), batch=BATCH)), "The records of these videos:")
    request = '{"prompt": "a red apple", "aspect_ratio": "9:16"}'
    command(f"echo '{request}' | {omnivideo('omnivideo encode --gateway apimart')}", "What a request becomes:")
    if not ui:
        command(omnivideo("omnivideo demo --ui"), "Videos of your own from the Prefect UI, still without paying:")


def _stay(address: str) -> None:
    """Serve a deployment for the person's own videos until they press Ctrl-C."""
    heading("The Prefect UI")
    console.print(address, style="bold cyan", soft_wrap=True)
    say("The two runs are under Runs, their reports under Artifacts. For a video of your own:")
    say('Deployments > "demo" > Run > Custom run, type prompts, then Submit. Credentials and store are preset.')
    say(f"It is made by the simulated APIMart; its gallery is {VIDEOS.absolute()}/<batch>/index.html.")
    say("Ctrl-C stops everything. The videos stay.")
    kinds: dict[str, type[Block]] = {"credentials": APIMartCredentials, "store": LocalVideoStore}
    with get_client(sync_client=True) as client:
        saved = {
            field: client.read_block_document_by_name(BATCH, kind.get_block_type_slug())
            for field, kind in kinds.items()
        }
    # The form shows a block as chosen by its id alone.
    parameters = {field: {"$ref": {"block_document_id": str(block.id)}} for field, block in saved.items()}
    deployment = RunnerDeployment.from_flow(
        generate_videos,
        BATCH,
        description="Prompts typed into the form, for the simulated APIMart. Nothing is spent. Credentials and store "
        "are preset: leave them as they are.",
        parameters=parameters,
        entrypoint_type=EntrypointType.MODULE_PATH,
    )
    with contextlib.suppress(KeyboardInterrupt):
        serve(deployment, pause_on_shutdown=False, print_starting_message=False)
    say("Stopping …")


def _download(report: BatchReport, store: ObjectStore) -> int:
    """Copy the finished batch with its gallery into a local folder. Returns how many videos play."""
    shutil.rmtree(VIDEOS / BATCH, ignore_errors=True)
    for name in store.names(f"{BATCH}/"):
        target = VIDEOS / name
        target.parent.mkdir(parents=True, exist_ok=True)
        with store.open(name) as source, target.open("wb") as copy:
            shutil.copyfileobj(source, copy)
    return sum(_plays(VIDEOS / record.files[0].name) for record in report.stored)


def _plays(path: Path) -> bool:
    with path.open("rb") as file:
        examined = examine(file)
    return examined is not None and bool(examined.facts.get("duration"))
