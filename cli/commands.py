"""The command line: `omnivideo`."""

import json
import sys
from collections.abc import Generator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any

from cyclopts import App, Parameter
from pydantic import BaseModel, TypeAdapter, ValidationError

from prefect_omnivideo.core.errors import OmniVideoError, Problem, RequestError
from prefect_omnivideo.core.gateways.preview import preview
from prefect_omnivideo.core.gateways.registry import get_gateway
from prefect_omnivideo.core.gateways.specification import Gateway
from prefect_omnivideo.core.gateways.validation import check_native, translate
from prefect_omnivideo.core.records import resolve as settle
from prefect_omnivideo.core.records.model import VideoState
from prefect_omnivideo.core.records.repository import Records
from prefect_omnivideo.core.references.parse import placeholder
from prefect_omnivideo.core.reports.listing import show_jobs
from prefect_omnivideo.core.request import VideoRequest
from prefect_omnivideo.core.storage.address import open_store

NOT_ACCEPTABLE = 2

GatewayName = Annotated[str, Parameter(name=["--gateway", "--provider"])]

app = App(
    name="omnivideo",
    version=version("prefect-omnivideo"),
    help="Prompt lists to stored videos through AI-video gateways, paying once.",
)


@app.command
def demo() -> int:
    """Make a dozen videos through the five gateways, simulated on this machine at no cost."""
    with _sandbox_extra():
        from prefect_omnivideo.cli.demo import run_demo

    return run_demo()


@app.command
def sandbox(
    *,
    port: int = 8700,
    key: str = "sandbox-key",
    latency: float = 5.0,
    faults: Path | None = None,
) -> None:
    """Simulate the five gateways on 127.0.0.1, for dry runs and tests. Nothing is spent.

    Args:
        port: Port to listen on; 0 chooses a free one.
        key: The API key that is accepted.
        latency: Seconds from submission to the finished video.
        faults: JSON file with the faults to inject.
    """
    with _sandbox_extra():
        from prefect_omnivideo.sandbox import FaultError, Settings, serve

    try:
        serve(Settings(port=port, key=key, latency=latency, faults=faults))
    except FaultError as error:
        sys.exit(f"{faults}: {error}")


@app.command
def encode(
    *,
    gateway: GatewayName,
    native: Annotated[bool, Parameter(negative=())] = False,
    base_url: str | None = None,
    submit_path: str | None = None,
) -> int:
    """Print the HTTP call that a request on standard input would become. Nothing is sent.

    Args:
        gateway: The gateway: 12ai, omnirouters, sora, apimart, jimmyai, or an installed one.
        native: The request is the gateway's own body, not a portable VideoRequest.
        base_url: Address of the gateway. Default: the documented one.
        submit_path: Which of the gateway's documented routes to use, if there are several.
    """
    try:
        found = get_gateway(gateway)
        given = _read_request()
        body = check_native(found, given) if native else _translate(found, VideoRequest.model_validate(given))
        paths = [route.submit for route in found.routes]
        if submit_path not in (None, *paths):
            raise RequestError([Problem("submit-path", f"{submit_path!r} is not documented", ", ".join(paths))])
        route = found.routes[paths.index(submit_path) if submit_path else 0]
        call = preview(found, body, base_url or found.base_url or "{base_url}", route)
    except ValidationError as error:
        return _refuse("; ".join(f"{'.'.join(map(str, e['loc'])) or 'request'}: {e['msg']}" for e in error.errors()))
    except OmniVideoError as error:
        return _refuse(str(error))
    sys.stdout.write(json.dumps(call, ensure_ascii=False, indent=2) + "\n")
    return 0


@app.command
def jobs(
    *,
    store: str,
    state: VideoState | None = None,
    batch: str | None = None,
    json_: Annotated[bool, Parameter(name="--json", negative=())] = False,
    endpoint_url: str | None = None,
) -> int:
    """List the videos of a store with their states.

    Args:
        store: s3://bucket/prefix, or a folder.
        state: Only those in this state.
        batch: Only those of this batch.
        json_: Print JSON, one array of whole records.
        endpoint_url: Address of an S3-compatible server. Keys and region come from the default AWS chain.
    """
    try:
        records = Records(open_store(store, endpoint_url=endpoint_url))
        found = [r for r in (records.batch(batch) if batch else records.all()) if state in (None, r.state)]
    except OmniVideoError as error:
        return _refuse(str(error))
    if json_:
        sys.stdout.write(json.dumps([r.model_dump(mode="json") for r in found], ensure_ascii=False, indent=2) + "\n")
    else:
        show_jobs(found)
    return 0


@app.command
def resolve(
    key: str,
    *,
    store: str,
    task_id: str | None = None,
    resubmit: Annotated[bool, Parameter(negative=())] = False,
    abandon: Annotated[bool, Parameter(negative=())] = False,
    batch: str | None = None,
    endpoint_url: str | None = None,
) -> int:
    """Resolve a video whose submission has an unknown outcome. Check the gateway's own task list first.

    Args:
        key: The video's key, or its beginning.
        store: s3://bucket/prefix, or a folder.
        task_id: The gateway accepted it under this task id: the next run of the batch collects it.
        resubmit: The gateway did not accept it: the next run of the batch submits it, and pays.
        abandon: The video is no longer wanted: runs of the batch skip it.
        batch: The batch, if the key alone is ambiguous.
        endpoint_url: Address of an S3-compatible server. Keys and region come from the default AWS chain.
    """
    if [bool(task_id), resubmit, abandon].count(True) != 1:
        return _refuse("give exactly one of --task-id T, --resubmit and --abandon")
    try:
        records = Records(open_store(store, endpoint_url=endpoint_url))
        if task_id:
            record = settle.accept(records, key, batch, task_id)
        elif resubmit:
            record = settle.resubmit(records, key, batch)
        else:
            record = settle.abandon(records, key, batch)
    except OmniVideoError as error:
        return _refuse(str(error))
    after = "the next run of the batch submits it again" if resubmit else f"it is {record.state} now"
    sys.stdout.write(f"{record.stem}: {after}\n")
    return 0


@app.command
def doctor(*blocks: str) -> int:
    """Test saved blocks without spending anything: keys, stores and the limits that apply.

    Args:
        blocks: Saved blocks, such as apimart-credentials/prod or s3-video-store/prod.
    """
    from prefect_omnivideo.cli.doctor import examine

    return examine(blocks)


@contextmanager
def _sandbox_extra() -> Generator[None]:
    try:
        yield
    except ModuleNotFoundError as error:
        if str(error.name).startswith("prefect_omnivideo"):
            raise
        sys.exit(f"{error.name} is missing: pip install 'prefect-omnivideo[sandbox]'")


def _read_request() -> dict[str, Any]:
    try:
        return TypeAdapter(dict[str, Any]).validate_json(sys.stdin.buffer.read())
    except ValidationError as error:
        rule = error.errors()[0]["msg"]
        raise RequestError([Problem("standard input", rule, "one JSON object")]) from None


def _translate(gateway: Gateway, request: VideoRequest) -> BaseModel:
    """With placeholders for local files and s3:// objects, which a run would upload or presign first."""
    return translate(gateway, placeholder(gateway, request))


def _refuse(reason: str) -> int:
    sys.stderr.write(f"omnivideo: {reason}\n")
    return NOT_ACCEPTABLE


def main() -> None:
    """Entry point of the `omnivideo` command."""
    sys.stdout.reconfigure(encoding="utf-8", errors="backslashreplace")  # type: ignore[union-attr]  # a text stream
    sys.exit(app())


if __name__ == "__main__":
    main()
