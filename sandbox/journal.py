"""An append-only file of accepted jobs, one JSON object a line."""

import json
import os
from pathlib import Path
from typing import Any


class Journal:
    """The file at `path`, created if needed. A killed process loses no line: the operating system has it by then."""

    def __init__(self, path: str | Path) -> None:
        self._file = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)

    def load(self) -> list[dict[str, Any]]:
        """Every whole line. An incomplete last line of a killed process is removed: its request was never answered."""
        with open(self._file, "rb", closefd=False) as file:
            content = file.read()
        whole = content[: content.rfind(b"\n") + 1]
        os.ftruncate(self._file, len(whole))
        return [json.loads(line) for line in whole.splitlines()]

    def append(self, entry: dict[str, Any]) -> None:
        """Write one line in one call."""
        os.write(self._file, json.dumps(entry, separators=(",", ":")).encode() + b"\n")

    def clear(self) -> None:
        """Empty the file."""
        os.ftruncate(self._file, 0)

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)
