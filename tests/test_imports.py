"""The core and the command line wait neither for Prefect nor for S3, and Prefect still knows every block.

Each import happens in a process of its own; this one has Prefect already.
"""

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from pkgutil import walk_packages
from types import ModuleType

import pytest

import prefect_omnivideo
from prefect_omnivideo import blocks, core, flows
from prefect_omnivideo.core import client, gateways

pytestmark = pytest.mark.server

HEAVY = ("prefect", "boto3", "botocore", "av", "openpyxl", "jinja2")
SLUGS = {
    "apimart-credentials",
    "jimmyai-credentials",
    "local-video-store",
    "omnirouters-credentials",
    "s3-video-store",
    "sora-credentials",
    "twelveai-credentials",
    "video-budget",
    "video-route",
}


def fresh(code: str, *arguments: str, text: str = "", options: Sequence[str] = ()) -> subprocess.CompletedProcess[str]:
    """Python code in a process of its own."""
    command = [sys.executable, *options, "-c", code, *arguments]
    done = subprocess.run(command, input=text, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return done


def imported(code: str, *arguments: str, text: str = "") -> dict[str, int]:
    """What Python code imports -> microseconds, with everything imported on the way."""
    error = fresh(code, *arguments, text=text, options=("-X", "importtime")).stderr
    rows = [line.removeprefix("import time:").split("|") for line in error.splitlines() if "|" in line]
    return {name.strip(): int(total) for _, total, name in rows if total.strip().isdigit()}


def modules(package: ModuleType) -> list[str]:
    """A package and every module below it."""
    name = package.__name__
    return [name, *(module.name for module in walk_packages(package.__path__, f"{name}."))]


def test_the_core_alone_is_imported_in_half_a_second() -> None:
    found = imported("import prefect_omnivideo.core")
    assert found["prefect_omnivideo.core"] < 500_000
    assert not found.keys() & set(HEAVY)


@pytest.mark.parametrize(
    ("names", "absent"),
    [
        (["prefect_omnivideo"], HEAVY),
        (modules(gateways) + modules(client), HEAVY),
        (modules(core), ("prefect",)),
    ],
    ids=["the package", "gateways and client", "the whole core"],
)
def test_an_import_brings_nothing_heavy(names: list[str], absent: tuple[str, ...]) -> None:
    found = imported("\n".join(f"import {name}" for name in names))
    assert found.keys() >= set(names)
    assert not found.keys() & set(absent)


@pytest.mark.parametrize("command", [["encode", "--gateway", "apimart"], ["jobs", "--store", "."], ["--help"]])
def test_a_command_that_needs_neither_prefect_nor_s3_waits_for_neither(command: list[str], tmp_path: Path) -> None:
    arguments = [str(tmp_path) if word == "." else word for word in command]
    found = imported("from prefect_omnivideo.cli import main; main()", *arguments, text='{"prompt": "x"}')
    assert "prefect_omnivideo.cli.commands" in found
    assert not found.keys() & {"prefect", "boto3", "botocore", "av"}


def test_every_public_name_is_listed_and_no_other_is_there() -> None:
    assert set(dir(prefect_omnivideo)) >= set(prefect_omnivideo.__all__)
    assert prefect_omnivideo.APIMartCredentials is blocks.APIMartCredentials
    with pytest.raises(AttributeError, match="'prefect_omnivideo' has no attribute 'nothing'"):
        prefect_omnivideo.nothing  # type: ignore[attr-defined]  # noqa: B018


def test_prefect_knows_the_block_types_from_the_collection_alone() -> None:
    code = f"""
import json
from prefect.blocks.core import Block
from prefect.plugins import load_prefect_collections
from prefect.utilities.dispatch import lookup_type

load_prefect_collections()
print(json.dumps({{slug: lookup_type(Block, slug).__name__ for slug in {sorted(SLUGS)}}}))
"""
    found = json.loads(fresh(code).stdout)
    assert set(found.values()) == set(blocks.__all__)


def test_a_run_of_one_flow_waits_for_no_other() -> None:
    found = imported("import prefect_omnivideo.flows.batch")
    others = {"choosing", "collecting", "comparing", "resolving", "sequence", "sharded", "sheet"}
    assert not {f"prefect_omnivideo.flows.{name}" for name in others} & found.keys()


def test_every_flow_is_found_by_its_name() -> None:
    assert all(getattr(flows, name) for name in flows.__all__)
    with pytest.raises(AttributeError, match="no attribute 'make_coffee'"):
        getattr(flows, "make_" + "coffee")
