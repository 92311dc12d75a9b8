"""Many worlds into a folder, by several processes, one file a world."""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Iterable
from pathlib import Path

from core.errors import PanoError
from core.progress import Progress, silent
from training.worlds.sample import read_sample, write_sample
from training.worlds.world import render_world


def generate_worlds(
    out: Path, seeds: Iterable[int], *, height: int, workers: int = 1, progress: Progress = silent
) -> int:
    """Render the worlds of some seeds that are not in the folder yet.

    A world depends on its seed and size alone, so an interrupted run goes on where it was, with any number of workers.

    Args:
        out: Folder; a world is `00000042.npz`.
        seeds: Which worlds.
        height: Rows; the width is twice that.
        workers: Processes.
        progress: Called after each world.

    Returns:
        How many were rendered.

    Raises:
        PanoError: There are worlds of these seeds already, of another size.
    """
    out.mkdir(parents=True, exist_ok=True)
    seeds = list(seeds)
    there = next((file for seed in seeds if (file := world_file(out, seed)).exists()), None)
    if there is not None and (rows := len(read_sample(there).rgb)) != height:
        raise PanoError(f"Expected worlds of {height} rows there, got some of {rows}; choose another folder: {out}")
    tasks = [(seed, height, out) for seed in seeds if not world_file(out, seed).exists()]
    if workers == 1:
        for done, task in enumerate(tasks, start=1):
            _render(task)
            progress(done, len(tasks))
        return len(tasks)
    context = multiprocessing.get_context("spawn")
    with context.Pool(workers, initializer=signal.signal, initargs=(signal.SIGINT, signal.SIG_IGN)) as pool:
        for done, _ in enumerate(pool.imap_unordered(_render, tasks), start=1):
            progress(done, len(tasks))
    return len(tasks)


def world_file(folder: Path, seed: int) -> Path:
    """Where a world lies."""
    return folder / f"{seed:08d}.npz"


def _render(task: tuple[int, int, Path]) -> None:
    seed, height, out = task
    write_sample(render_world(seed, height, 2 * height), world_file(out, seed))
