"""A temporary PostgreSQL server; an installed cluster is left alone."""

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Generator
from pathlib import Path

from bench.chaos_scene import free_ports

DEBIAN = "/usr/lib/postgresql/*/bin"
"""Debian keeps the server's programs out of the PATH."""
START = 60.0
"""Seconds to become ready: 2 on an idle machine."""


class NoPostgresError(Exception):
    """PostgreSQL is not installed."""


@contextlib.contextmanager
def running_postgres() -> Generator[str]:
    """Start a server with its own database, and stop it at the end. Yields its URL for Prefect.

    Whoever is logged in on this machine may use it: it holds nothing, and not for long.

    Raises:
        NoPostgresError: it is not installed.
        RuntimeError: it does not start.
    """
    programs = _programs()
    user = "postgres" if os.geteuid() == 0 else None  # it refuses to run as root
    groups: list[str] | None = [] if user else None
    with tempfile.TemporaryDirectory(prefix="postgres-") as folder:
        if user:
            shutil.chown(folder, user, user)
        port, data, log = free_ports(1)[0], f"{folder}/data", Path(folder, "log")
        initdb = [
            f"{programs}/initdb",
            "-D",
            data,
            "--username=prefect",
            "--encoding=UTF8",
            "--locale=C",
            "--auth=trust",
        ]
        made = subprocess.run(
            initdb, cwd=folder, capture_output=True, text=True, check=False, user=user, group=user, extra_groups=groups
        )
        if made.returncode:
            raise RuntimeError(f"initdb failed: {made.stderr}")
        with log.open("wb") as output:
            server = subprocess.Popen(
                [f"{programs}/postgres", "-D", data, "-h", "127.0.0.1", "-p", str(port), "-k", folder],
                cwd=folder,
                stdout=output,
                stderr=subprocess.STDOUT,
                user=user,
                group=user,
                extra_groups=groups,
            )
        try:
            _wait_for([f"{programs}/pg_isready", "-q", "-h", "127.0.0.1", "-p", str(port)], server, log)
            yield f"postgresql+asyncpg://prefect@127.0.0.1:{port}/postgres"
        finally:
            server.send_signal(signal.SIGINT)  # SIGTERM would wait for its clients to leave
            try:
                server.wait(10)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait()


def _programs() -> Path:
    versions = sorted(Path("/").glob(f"{DEBIAN[1:]}/postgres"), key=lambda path: float(path.parts[-3]))
    found = str(versions[-1]) if versions else shutil.which("postgres")
    if found is None:
        raise NoPostgresError("PostgreSQL is not installed; on Debian: apt install postgresql")
    return Path(found).resolve().parent


def _wait_for(is_ready: list[str], server: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + START
    while subprocess.run(is_ready, check=False).returncode:
        if server.poll() is not None or time.monotonic() > end:
            raise RuntimeError(f"PostgreSQL does not start:\n{log.read_text()[-2000:]}")
        time.sleep(0.1)
