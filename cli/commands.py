"""The command line: `omnivideo`."""

from __future__ import annotations

import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from prefect_omnivideo.cli import choosing, prices, records, requests, spend, trying
from prefect_omnivideo.cli.app import any_store, app, report_error
from prefect_omnivideo.core.errors import OmniVideoError

__all__ = ["app", "choosing", "main", "prices", "records", "requests", "spend", "trying"]


@app.command
def demo(*, ui: Annotated[bool, Parameter(negative=())] = False) -> int:
    """Make a dozen videos through the five gateways, simulated on this machine at no cost.

    Args:
        ui: Leave the Prefect UI running at the end, with a deployment for videos of your own, until Ctrl-C.
    """
    with _sandbox_extra():
        from prefect_omnivideo.cli.demo import run_demo

    return run_demo(ui=ui)


@app.command
def sandbox(
    *,
    port: int = 8700,
    key: str = "sandbox-key",
    latency: float = 5.0,
    faults: Path | None = None,
    cassette: Path | None = None,
) -> None:
    """Simulate the five gateways on 127.0.0.1, for dry runs and tests. Nothing is spent.

    Args:
        port: Port to listen on; 0 chooses a free one.
        key: The API key that is accepted.
        latency: Seconds from submission to the finished video.
        faults: JSON file with the faults to inject.
        cassette: Recording of `omnivideo try`, played beside the five gateways.
    """
    with _sandbox_extra():
        from prefect_omnivideo.sandbox import CassetteError, FaultError, Settings, serve

    try:
        serve(Settings(port=port, key=key, latency=latency, faults=faults, cassette=cassette))
    except FaultError as error:
        sys.exit(f"{faults}: {error}")
    except CassetteError as error:
        sys.exit(str(error))


@app.command
def serve(*, store: str, endpoint_url: str | None = None, port: int = 8600, host: str = "127.0.0.1") -> int:
    """Show the start page, the galleries and the videos of a store in a browser. Nothing is written.

    Args:
        store: s3://bucket/prefix, a folder, or a saved block such as s3-video-store/prod.
        endpoint_url: Address of an S3-compatible server. Keys and region come from the default AWS chain.
        port: Port to listen on.
        host: Address to listen on. On any but 127.0.0.1, whoever reaches it sees all videos: there is no log-in.
    """
    import uvicorn

    from prefect_omnivideo.cli.serving import viewer

    try:
        shown = any_store(store, endpoint_url)
    except OmniVideoError as error:
        return report_error(str(error))
    is_local = host in ("127.0.0.1", "localhost", "::1")
    sys.stdout.write(
        f"http://{f'[{host}]' if ':' in host else host}:{port}/ shows {shown.uri('')}; stop it with Ctrl-C\n"
    )
    sys.stdout.flush()
    # No access log: it would hold the names of videos. Presigned URLs appear in none.
    hosts = ["127.0.0.1", "localhost", "[::1]"] if is_local else ["*"]
    uvicorn.run(viewer(shown, hosts), host=host, port=port, log_level="warning", access_log=False, server_header=False)
    return 0


@app.command
def doctor(*blocks: str) -> int:
    """Test saved blocks without spending anything: keys, stores and the limits that apply.

    Args:
        blocks: Saved blocks, such as apimart-credentials/prod or s3-video-store/prod. None: all of this package.
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


def main() -> None:
    """Entry point of the `omnivideo` command."""
    sys.stdout.reconfigure(encoding="utf-8", errors="backslashreplace")  # type: ignore[union-attr]  # a text stream
    sys.exit(app(sys.argv[1:]))


if __name__ == "__main__":
    main()
