"""The commands of the documents work as they are printed."""

import io
import json
import re
import sys
import tomllib
from collections.abc import Callable

import pytest
from cyclopts import CycloptsError
from packaging.requirements import Requirement
from prefect.cli._app import _app as prefect

from prefect_omnivideo.cli.commands import app
from tests.docs.snippets import PAGES, PROGRAMS, ROOT, Command, commands

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
MAKEFILE = (ROOT / "Makefile").read_text()


def _omnivideo(*words: str) -> None:
    app.parse_args(words, exit_on_error=False, print_error=False)


def _prefect(*words: str) -> None:
    """The options before the command are those of the command line itself."""
    _, own, _ = prefect.meta.parse_args(words, exit_on_error=False, print_error=False)
    prefect.parse_args(own.args, exit_on_error=False, print_error=False)


def _make(target: str, *variables: str) -> None:
    assert re.search(rf"(?m)^{target}:", MAKEFILE)
    assert all(f"$({each.partition('=')[0]})" in MAKEFILE for each in variables)


def _python(*words: str) -> None:
    script = f"{words[1].replace('.', '/')}.py" if words[0] == "-m" else words[0]
    compile((ROOT / script).read_text(), script, "exec")


def _pip(verb: str, package: str) -> None:
    wanted = Requirement(package)
    assert (verb, wanted.name) == ("install", PROJECT["name"])
    assert wanted.extras <= PROJECT["optional-dependencies"].keys()


CHECKS: dict[str, Callable[..., None]] = {
    "omnivideo": _omnivideo,
    "prefect": _prefect,
    "make": _make,
    "python": _python,
    "pip": _pip,
}

NONSENSE = {
    "omnivideo": ["doctor", "--nonsense"],
    "prefect": ["worker", "start", "--nonsense"],
    "make": ["nonsense"],
    "python": ["nonsense.py"],
    "pip": ["install", "prefect-omnivideo[nonsense]"],
}


@pytest.mark.parametrize("command", commands(), ids=lambda command: " ".join(command.words))
def test_a_command_has_the_subcommands_and_options_that_are_there(command: Command) -> None:
    program, *rest = command.words
    CHECKS[program](*rest)
    files = [word for word in rest if word.startswith(("deployments/", "docs/"))]
    assert all((ROOT / name).is_file() for name in files)


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_command_that_is_none_is_noticed(program: str) -> None:
    with pytest.raises((AssertionError, OSError, CycloptsError), match="nonsense"):
        CHECKS[program](*NONSENSE[program])


def test_what_is_piped_into_a_command_is_understood(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (piped,) = [command for command in commands() if command.given]
    assert piped.given
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(piped.given.encode())))
    assert app(piped.words[1:], result_action="return_value") == 0
    assert json.loads(piped.given)["prompt"] in capsys.readouterr().out


def test_every_block_that_is_named_has_a_type_of_this_package() -> None:
    import prefect_omnivideo

    kinds = {getattr(prefect_omnivideo, name) for name in prefect_omnivideo.__all__}
    slugs = {kind.get_block_type_slug() for kind in kinds if hasattr(kind, "get_block_type_slug")}
    named = {
        slug for path in PAGES for slug in re.findall(r"([a-z0-9-]+-(?:credentials|store))/[a-z]", path.read_text())
    }
    assert named
    assert named <= slugs
