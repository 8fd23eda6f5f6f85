"""The command line: `omnivideo`."""

from __future__ import annotations

import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from prefect_omnivideo.cli import prices, records, requests, trying
from prefect_omnivideo.cli.app import app

__all__ = ["app", "main", "prices", "records", "requests", "trying"]


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


def main() -> None:
    """Entry point of the `omnivideo` command."""
    sys.stdout.reconfigure(encoding="utf-8", errors="backslashreplace")  # type: ignore[union-attr]  # a text stream
    sys.exit(app(sys.argv[1:]))


if __name__ == "__main__":
    main()
