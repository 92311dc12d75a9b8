"""What is told while a run goes on: rows of figures, and on a terminal a line that moves, with the time left."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

_RECENT = 50
"""Rows from which the pace is taken: it changes when other programs run."""


class Pace:
    """How long the rest of a run takes, by the steps of late."""

    def __init__(self, steps: int) -> None:
        self._steps = steps
        self._recent: deque[tuple[int, float]] = deque(maxlen=_RECENT)

    def left(self, step: int, now: float) -> float | None:
        """Seconds left after a step; None before anything is known.

        Args:
            step: That was done.
            now: Seconds of a clock that never goes back.
        """
        self._recent.append((step, now))
        first, began = self._recent[0]
        return None if step == first else (self._steps - step) * (now - began) / (step - first)


class ProgressLine:
    """Reports rows: the moving line shows training, what is held out stays above it.

    Where nobody looks at a terminal, every row is a line of its own.

    Args:
        console: Where to.
        steps: Of the whole run.
    """

    def __init__(self, console: Console, steps: int) -> None:
        self._console, self._pace = console, Pace(steps)
        columns = (TextColumn("Training"), BarColumn(20), MofNCompleteColumn(), TextColumn("{task.description}"))
        self._bar = Progress(*columns, console=console)
        self._task = self._bar.add_task("", total=steps)

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._console.is_terminal:
            self._bar.stop()

    def __call__(self, row: Mapping[str, Any]) -> None:
        """Tell of a row of figures, its step among them."""
        left = self._pace.left(int(row["step"]), time.monotonic())
        rest = "" if left is None else f"{duration(left)} left"
        if self._console.is_terminal and "loss" in row:
            self._bar.update(self._task, completed=row["step"], description=f"loss {row['loss']:.4g}  {rest}")
            return
        text = "  ".join(f"{key} {value:.4g}" for key, value in row.items())
        self._console.print(f"{text}  ({rest})" if rest else text, highlight=False)


def duration(seconds: float) -> str:
    """As one says it: seconds, minutes, or hours and minutes."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60} h {minutes % 60:02d} min"
