"""The figures of a run as text that grows line by line: `step=20  loss=0.51 ...`, with tabs between."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from core.io.atomic import atomic_file

FILE_NAME = "log.tsv"


class RunLog:
    """The log of a run.

    Args:
        path: The file; made with the first row.
        step: Where the run goes on: what was logged after it, by a process that did not live to save it, is dropped,
            for those steps come again.
    """

    def __init__(self, path: Path, *, step: int) -> None:
        self._path = path
        if path.exists():
            lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
            with atomic_file(path) as stream:
                stream.write("".join(line for line in lines if 0 <= _step_of(line) <= step).encode())

    def write(self, row: Mapping[str, Any]) -> None:
        """Add a row; its first figure is the step."""
        text = "\t".join(
            f"{key}={value if isinstance(value, int) else format(value, '.6g')}" for key, value in row.items()
        )
        with self._path.open("a", encoding="utf-8") as stream:
            stream.write(f"{text}\n")


def _step_of(line: str) -> int:
    """The step of a line; -1 for one that was not written to its end."""
    name, _, value = line.partition("\t")[0].strip().partition("=")
    return int(value) if line.endswith("\n") and name == "step" and value.isdecimal() else -1
