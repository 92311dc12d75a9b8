"""What commands print to, and the line that shows how far they are."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from core.progress import Progress as Callback

console = Console(soft_wrap=True)


@contextmanager
def progress_bar(title: str) -> Iterator[Callback]:
    """A line with a bar, counts and the time left; gives the callback that moves it."""
    columns = (TextColumn(title), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console) as bar:
        task = bar.add_task("", total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
