"""The parts of each step, loaded ahead in threads."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

from training.choices import Processes
from training.config import TrainConfig
from training.draw import Draw
from training.quarantine import DELAY, Quarantine
from training.recipes.base import Batch, Recipe

REFRESHED = 200
"""Steps after which folders are looked at again."""


@dataclass(frozen=True)
class Part:
    """A part of a step.

    Attributes:
        number: Of all parts of the step, from 0 on.
        batch: Its samples.
        sources: What they were read from.
    """

    number: int
    batch: Batch
    sources: tuple[str, ...]


def load_part(recipe: Recipe, config: TrainConfig, step: int, number: int, quarantine: Quarantine) -> Part:
    """One part of one step."""
    draw = Draw(config.seed, step, number, quarantine)
    tensors = recipe.load(draw)
    return Part(number, Batch(tensors, step), tuple(draw.sources))


def steps_of(
    recipe: Recipe,
    config: TrainConfig,
    processes: Processes,
    quarantine: Quarantine,
    *,
    first: int,
    refresh: Callable[[int], None],
) -> Iterator[list[Part]]:
    """This process's parts of the steps from `first` on.

    A step's samples and changes depend on the seed, the step and the files that are there, not on where a run was
    interrupted nor on how many processes there are.

    Args:
        recipe: That was opened.
        config: Without anything left open.
        processes: That share the parts.
        quarantine: What is left out.
        first: The step to begin with.
        refresh: Called with every so manyth step before it is loaded.
    """
    own = range(processes.rank, config.parts, processes.count)

    def load(step: int) -> list[Part]:
        return [load_part(recipe, config, step, number, quarantine) for number in own]

    ahead = min(config.loaders, DELAY - 1)
    with ThreadPoolExecutor(max_workers=config.loaders) as pool:
        pending: deque[Future[list[Part]]] = deque()
        for step in range(first, config.steps):
            if step % REFRESHED == 0:
                refresh(step)
            pending.append(pool.submit(load, step))
            if len(pending) > ahead:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
