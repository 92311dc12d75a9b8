"""Many worlds into a folder, by several processes: one file a world, or shards of many."""

from __future__ import annotations

import contextlib
import multiprocessing
import signal
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from core.errors import PanoError
from core.io.atomic import make_folder
from core.progress import Progress, silent
from training.worlds.sample import read_fields, write_sample
from training.worlds.shards import in_shard, shard_keys, write_shard
from training.worlds.world import render_world

LEAST_HEIGHT, LARGEST_HEIGHT = 16, 2048
"""Rows; light is computed on a quarter of them."""
PARTS = ".parts"
"""Where worlds wait until their shard is complete."""


def check_world_height(height: int) -> None:
    """Refuse rows that no world can have.

    Raises:
        PanoError: They are no multiple of 4, or too few or many.
    """
    if height % 4 or not LEAST_HEIGHT <= height <= LARGEST_HEIGHT:
        raise PanoError(
            f"Expected --height as a multiple of 4 from {LEAST_HEIGHT} to {LARGEST_HEIGHT}, got {height}; choose "
            "another."
        )


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
    make_folder(out)
    seeds = list(seeds)
    _refuse_other_heights((world_file(out, seed) for seed in seeds), height, out)
    missing = [seed for seed in seeds if not world_file(out, seed).exists()]
    for done, _ in enumerate(_rendered(missing, height, out, workers), start=1):
        progress(done, len(missing))
    return len(missing)


def generate_shards(
    out: Path,
    seeds: range,
    *,
    height: int,
    shard_size: int = 64,
    workers: int = 1,
    progress: Progress = silent,
) -> int:
    """The same into WebDataset shards, whose bytes depend on seeds and size alone.

    Worlds wait in a hidden folder beside the shards until a shard is complete, so that a killed run loses no more than
    the worlds that were being rendered.

    Args:
        out: Folder; shard k, `worlds-00000k.tar`, holds the seeds from k times the shard's size on.
        seeds: Which worlds, whole shards of them.
        height: Rows; the width is twice that.
        shard_size: Worlds in a shard.
        workers: Processes.
        progress: Called after each world.

    Returns:
        How many were rendered.

    Raises:
        PanoError: The seeds are no whole shards, or there are shards of another size already.
        ExportError: A shard cannot be written.
    """
    if seeds.start % shard_size or len(seeds) % shard_size:
        raise PanoError(
            f"Expected whole shards of {shard_size} worlds, got {len(seeds)} from {seeds.start} on; choose --count and "
            "--first-seed as multiples of --shard-size."
        )
    parts = out / PARTS
    make_folder(parts)
    shards = [range(first, first + shard_size) for first in range(seeds.start, seeds.stop, shard_size)]
    for shard in shards:
        _refuse_other_shard(shard_file(out, shard), shard)
    members = [shard_file(out, shard) / world_file(out, shard[0]).name for shard in shards]
    _refuse_other_heights([path for path in members if path.parent.exists()], height, out)
    _refuse_other_heights((world_file(parts, seed) for seed in seeds), height, out)
    waiting = [shard for shard in shards if not _packed(out, shard)]
    missing = [seed for shard in waiting for seed in shard if not world_file(parts, seed).exists()]
    for done, seed in enumerate(_rendered(missing, height, parts, workers), start=1):
        _packed(out, shards[(seed - seeds.start) // shard_size])
        progress(done, len(missing))
    with contextlib.suppress(OSError):
        # Not empty when another run fills other shards of the folder.
        parts.rmdir()
    return len(missing)


def shard_file(out: Path, seeds: range) -> Path:
    """Where the shard of some seeds lies."""
    return out / f"worlds-{seeds.start // len(seeds):06d}.tar"


def _packed(out: Path, seeds: range) -> bool:
    """Make the shard of some seeds if all of its worlds are there; whether it is there now."""
    target = shard_file(out, seeds)
    files = [world_file(out / PARTS, seed) for seed in seeds]
    if not target.exists():
        if not all(path.exists() for path in files):
            return False
        write_shard(((path.stem, read_fields(path)) for path in files), target)
    for path in files:
        path.unlink(missing_ok=True)
    return True


def _refuse_other_heights(files: Iterable[Path], height: int, out: Path) -> None:
    there = next((file for file in files if file.exists() or in_shard(file)), None)
    if there is not None and (rows := len(read_fields(there)["rgb"])) != height:
        raise PanoError(f"Expected worlds of {height} rows there, got some of {rows}; choose another folder: {out}")


def _refuse_other_shard(path: Path, seeds: range) -> None:
    if path.exists() and shard_keys(path) != [f"{seed:08d}" for seed in seeds]:
        raise PanoError(
            f"Expected the worlds {seeds[0]} to {seeds[-1]} in a shard, got others; choose another folder "
            f"or the same --shard-size: {path}"
        )


def _rendered(seeds: Sequence[int], height: int, out: Path, workers: int) -> Iterator[int]:
    """Render worlds into a folder; gives each seed when its file is there."""
    tasks = [(seed, height, out) for seed in seeds]
    if workers == 1 or len(tasks) < 2:
        yield from map(_render, tasks)
        return
    context = multiprocessing.get_context("spawn")
    with context.Pool(workers, initializer=signal.signal, initargs=(signal.SIGINT, signal.SIG_IGN)) as pool:
        yield from pool.imap_unordered(_render, tasks)


def world_file(folder: Path, seed: int) -> Path:
    """Where a world lies."""
    return folder / f"{seed:08d}.npz"


def _render(task: tuple[int, int, Path]) -> int:
    seed, height, out = task
    write_sample(render_world(seed, height, 2 * height), world_file(out, seed))
    return seed
