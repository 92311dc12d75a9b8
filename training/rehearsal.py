"""A rehearsal of a run: one step of everything in small, and what the whole run would take."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from core.errors import PanoError
from training.checkpoint import load_checkpoint
from training.choices import Processes, choose
from training.config import TrainConfig
from training.feed import load_part
from training.memory import memory_lines, need
from training.quarantine import FILE_NAME as QUARANTINE_NAME
from training.quarantine import Quarantine
from training.recipes import find_recipe


def rehearse(name: str, config: TrainConfig, *, say: Callable[[str], None]) -> None:
    """Load, compute, learn, average, evaluate, save, go on, and export, in small; then count the memory of all.

    Nothing stays behind.

    Args:
        name: Of the recipe.
        config: Of the run that is rehearsed; its data are used.
        say: Gets a line for each thing that worked.

    Raises:
        PanoError: As for training and exporting.
    """
    from training.export_model import export_run
    from training.trainer import train

    processes = Processes.of_environment()
    if processes.count > 1:
        raise PanoError("A rehearsal is for one process, got several; start it without torchrun.")
    spec = find_recipe(name)
    _, choices = choose(config, processes)
    for choice in choices:
        say(f"{choice.setting}: {choice.value} ({choice.reason})")
    with tempfile.TemporaryDirectory() as folder:
        reduced = replace(
            config.reduced(), out=Path(folder) / "run", log_steps=1, evaluate_minutes=1e6, save_minutes=1e6
        )
        small = spec.make(reduced)
        timed = _Timed(say)
        small.open()
        quarantine = Quarantine(Path(folder) / QUARANTINE_NAME)
        part = load_part(small, reduced, 0, 0, quarantine)
        timed(f"found the data and loaded {reduced.batch} samples, {len(quarantine)} of what was tried was unreadable")
        rows: list[dict[str, Any]] = []
        train(name, replace(reduced, steps=1), resume=False, report=rows.append)
        scores = ", ".join(f"{key} {value:.4g}" for key, value in rows[-1].items() if key not in ("step", "hours"))
        timed(f"a step (forward, loss, backward, AdamW, averaging), evaluation and checkpoint; held out: {scores}")
        train(name, replace(reduced, steps=2), resume=True, report=rows.append)
        if load_checkpoint(reduced.out, name)["step"] != 2:
            raise RuntimeError("the resumed run did not make its step")
        timed("went on from the checkpoint for another step")
        written = export_run(reduced.out, Path(folder) / "model")
        timed(f"exported {', '.join(path.name for path in written)}")
        heights = (int(getattr(config, "height", 1)), int(getattr(reduced, "height", 1)))
        frames = (int(getattr(config, "frames", 1)), int(getattr(reduced, "frames", 1)))
        found = need(spec.make(config), small, part.batch, samples=reduced.batch, heights=heights, frames=frames)
        timed("built the network of full size without numbers")
        for line in memory_lines(name, found, config.batch, f"{heights[0]} rows"):
            say(line)


class _Timed:
    def __init__(self, say: Callable[[str], None]) -> None:
        self._say, self._last = say, time.monotonic()

    def __call__(self, what: str) -> None:
        now = time.monotonic()
        self._say(f"{now - self._last:5.1f} s  {what}")
        self._last = now
