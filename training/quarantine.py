"""Samples that spoil a run: they are listed in a file of the run with the reason, and left out."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from core.io.atomic import atomic_file

FILE_NAME = "quarantine.tsv"
DELAY = 64
"""Steps from one whose loss was not finite until its samples are left out. More than are ever loaded ahead, so that a
run that was killed in between leaves them out from the same step on."""
_UNREADABLE, _NOT_FINITE = "unreadable", "loss not finite"


@dataclass(frozen=True)
class _Entry:
    step: int
    kind: str
    source: str
    reason: str

    def line(self) -> str:
        reason = " ".join(self.reason.split())
        return f"{self.step}\t{self.kind}\t{self.source}\t{reason}\n"


class Quarantine:
    """What is left out, and why.

    A file that cannot be read is left out at once: to read it again would come to the same. A sample whose loss was not
    finite is left out some steps later.

    Args:
        file: Where the entries are listed, one line each: step, kind, source, reason; nowhere when left out. Those of
            an earlier process are read.
        step: Where the run goes on: entries about losses of later steps come again and are dropped.
        writes: Whether this process, of several, lists what all of them know of.
    """

    def __init__(self, file: Path | None = None, *, step: int = 0, writes: bool = True) -> None:
        self._file, self._writes = file, writes
        self._lock = threading.Lock()
        self._entries: dict[str, _Entry] = {}
        if file is not None and file.is_file():
            lines = file.read_bytes().decode(errors="surrogateescape").split("\n")
            entries = [
                _Entry(int(line[0]), *line[1:]) for line in (text.split("\t") for text in lines) if _is_whole(line)
            ]
            kept = [entry for entry in entries if entry.kind == _UNREADABLE or entry.step <= step]
            self._entries = {entry.source: entry for entry in kept}
            if writes:
                with atomic_file(file) as stream:
                    stream.write("".join(entry.line() for entry in kept).encode(errors="surrogateescape"))

    def __len__(self) -> int:
        return len(self._entries)

    def reason(self, source: str, step: int) -> str | None:
        """Why a step leaves a source out; None where it does not."""
        entry = self._entries.get(source)
        if entry is None or (entry.kind == _NOT_FINITE and step < entry.step + DELAY):
            return None
        return entry.reason

    def add_unreadable(self, source: str, reason: str, step: int) -> None:
        """A file could not be read; any process may say so, for itself."""
        self._add(_Entry(step, _UNREADABLE, source, reason), writes=True)

    def add_not_finite(self, sources: Sequence[str], step: int) -> None:
        """Samples whose loss was not finite; every process is told of the same."""
        for source in sources:
            self._add(_Entry(step, _NOT_FINITE, source, f"its loss was not finite in step {step}"), writes=self._writes)

    def _add(self, entry: _Entry, *, writes: bool) -> None:
        with self._lock:
            if entry.source in self._entries:
                return
            self._entries[entry.source] = entry
            if writes and self._file is not None:
                with self._file.open("ab") as stream:
                    stream.write(entry.line().encode(errors="surrogateescape"))


def _is_whole(parts: list[str]) -> bool:
    return len(parts) == 4 and parts[0].isdecimal()
