"""What README, docs, deployments and docstrings show to be copied: fenced blocks and commands."""

import re
import shlex
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted(ROOT.glob("docs/*.md"))]
LAYERS = ("blocks", "cli", "core", "flows", "tasks")
SOURCES = [path for layer in LAYERS for path in sorted(ROOT.glob(f"{layer}/**/*.py"))]
DEPLOYMENTS = [path for path in sorted(ROOT.glob("deployments/**/*")) if path.is_file()]
PROGRAMS = ("omnivideo", "prefect", "make", "python", "pip")

_FENCE = re.compile(r"(?ms)^( *)```(\w*)\n(.*?)^\1```$")
_NAMES = "|".join(PROGRAMS)
_INLINE = re.compile(rf"`((?:{_NAMES}) [^`]+)`")
_COMMENT = re.compile(rf"(?m)^(?:#\s+)?((?:{_NAMES}) .*)$")


class Snippet(NamedTuple):
    """A fenced block, and where it stands."""

    place: str
    kind: str
    text: str


class Command(NamedTuple):
    """A command, with what it reads from an `echo` before it."""

    words: tuple[str, ...]
    given: str | None = None


def snippets(*kinds: str) -> list[Snippet]:
    """The fenced blocks of these kinds; of all of them without any."""
    return [found for path in (*PAGES, *SOURCES) for found in _fenced(path) if not kinds or found.kind in kinds]


def _fenced(path: Path) -> Iterator[Snippet]:
    text, name = path.read_text(), path.relative_to(ROOT)
    for fence in _FENCE.finditer(text):
        line = text.count("\n", 0, fence.start()) + 1
        yield Snippet(f"{name}:{line}", fence[2], textwrap.dedent(fence[3]))


def commands() -> list[Command]:
    """Every command, once: those of shell snippets, those in running text, and those in comments of deployments."""
    return sorted({command for line in _lines() for command in _parts(line)}, key=str)


def _lines() -> Iterator[str]:
    for snippet in snippets("sh", "console"):
        lines = snippet.text.splitlines()
        yield from lines if snippet.kind == "sh" else [line[2:] for line in lines if line.startswith("$ ")]
    for path in PAGES:
        for found in _INLINE.findall(_FENCE.sub("", path.read_text())):
            words = found.split()
            # A command that is only mentioned has no arguments.
            yield " ".join([*words, "--help"] if len(words) == 2 and words[0] in ("omnivideo", "prefect") else words)
    for path in DEPLOYMENTS:
        yield from _COMMENT.findall(path.read_text())


def _parts(line: str) -> Iterator[Command]:
    """The commands of a pipe; files that are read or written are left out."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    given: str | None = None
    words: list[str] = []
    for token in [*lexer, "|"]:
        if token != "|":
            words.append(token)
            continue
        program, *rest = words
        if program == "echo":
            given = " ".join(rest)
        else:
            yield Command(tuple(words[: words.index("<")] if "<" in words else words), given)
        words = []
