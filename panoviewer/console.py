"""What the command line says while it works: a progress bar, plain lines, or JSON lines."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self, TextIO

from core.progress import Progress

if TYPE_CHECKING:
    from rich.progress import Progress as Bar
    from rich.progress import TaskID

PROGRESS_SECONDS = 0.5


class Console:
    """Events of a run over pictures. Sentences for people go to standard error, JSON lines to standard output.

    The files are what matters: the work goes on when nobody reads any more what is said about it.

    Args:
        json_log: Write one JSON object per event; no bar and no plain lines, except for errors.
    """

    def __init__(self, *, json_log: bool = False) -> None:
        self._total = 1
        self._json_log = json_log
        self._finished = 0
        self._bar: Bar | None = None
        self._task: TaskID | None = None
        self._reported = 0.0

    def __enter__(self) -> Self:
        if not self._json_log and sys.stderr.isatty():
            self._bar = _bar()
            self._task = self._bar.add_task("", total=self._total)
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def expect(self, total: int) -> None:
        """Say how many pictures there are."""
        self._total = total
        if self._bar is not None and self._task is not None:
            self._bar.update(self._task, total=total)

    def event(self, name: str, **facts: object) -> None:
        """Write a JSON line where they are wanted."""
        if self._json_log:
            moment = datetime.now(UTC).isoformat(timespec="milliseconds")
            write_line(sys.stdout, json.dumps({"time": moment, "event": name, **facts}))

    def progress(self, path: Path) -> Progress:
        """The progress callback of the work on one picture."""
        if self._bar is not None and self._task is not None:
            self._bar.update(self._task, description=path.name)

        def report(done: int, total: int) -> None:
            share = done / total if total else 0.0
            if self._bar is not None and self._task is not None:
                self._bar.update(self._task, completed=self._finished + share)
            if time.monotonic() - self._reported >= PROGRESS_SECONDS:
                self._reported = time.monotonic()
                self.event("progress", file=str(path), done=done, total=total)

        return report

    def finished(self, sentence: str) -> None:
        """One picture more is dealt with."""
        self._finished += 1
        if self._bar is not None and self._task is not None:
            self._bar.update(self._task, completed=self._finished)
        self.say(f"[{self._finished}/{self._total}] {sentence}")

    def say(self, sentence: str) -> None:
        """A line for people; nothing where JSON lines are wanted."""
        if not self._json_log:
            self._line(sentence)

    def notes(self, path: Path, sentences: Iterable[str]) -> None:
        """What is assumed of a picture: a line each for people in any case, and a JSON line each where those go."""
        for sentence in sentences:
            self._line(f"Note: {sentence.rstrip('.')}: {path}")
            self.event("note", file=str(path), note=sentence)

    def complain(self, sentence: str) -> None:
        """An error, on standard error in any case."""
        self._line(f"panoviewer: {sentence}")

    def _line(self, text: str) -> None:
        if self._bar is not None:
            self._bar.console.print(text, markup=False, highlight=False, soft_wrap=True)
        else:
            write_line(sys.stderr, text)


def write_line(stream: TextIO, text: str) -> None:
    """Write a line at once; when whoever read it has gone, it and all later ones go nowhere."""
    try:
        stream.write(f"{text}\n")
        stream.flush()
    except BrokenPipeError:
        discard(stream)


def discard(stream: TextIO) -> None:
    """Let a stream that nobody reads any more lead nowhere, or Python complains at exit of what is still in it."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


def _bar() -> Bar:
    from rich.console import Console as RichConsole
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    return Bar(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=RichConsole(stderr=True),
        transient=True,
    )
