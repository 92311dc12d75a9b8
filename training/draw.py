"""How a step's samples are drawn: by chance, but by nothing else than the seed, the step and the part of the step."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

import numpy as np

from core.errors import PanoError
from training.quarantine import Quarantine

_TRIES = 50

Item = TypeVar("Item")
Sample = TypeVar("Sample")


class Draw:
    """The draw of one part of one step.

    Args:
        seed: Of the run.
        step: From 0 on.
        part: Of the step, from 0 on.
        quarantine: What is left out, and where files go that cannot be read; an empty one when left out.

    Attributes:
        rng: Decides everything else.
        step: The step.
        sources: What was read so far, one entry for each sample.
    """

    def __init__(self, seed: int, step: int, part: int = 0, quarantine: Quarantine | None = None) -> None:
        self.rng = np.random.default_rng((seed, step, part))
        self.step = step
        self.sources: list[str] = []
        self._quarantine = Quarantine() if quarantine is None else quarantine

    def one(self, pool: Sequence[Item], read: Callable[[Item], Sample]) -> Sample:
        """One sample by chance; what is in quarantine or cannot be read is left out.

        Args:
            pool: Files, or other things that `str` gives a name.
            read: Reads one; `PanoError` and `OSError` mean that it cannot be read. May use `rng`.

        Raises:
            PanoError: One after the other could not be read.
        """
        return self.many(pool, 1, read)[0]

    def many(self, pool: Sequence[Item], count: int, read: Callable[[Item], Sample]) -> list[Sample]:
        """Several samples, none twice where there are enough; see `one`."""
        if not pool:
            raise ValueError("there is nothing to draw from")
        samples: list[Sample] = []
        taken: set[int] = set()
        failures = 0
        while len(samples) < count:
            index = int(self.rng.integers(len(pool)))
            if index in taken and len(taken) < len(pool):
                continue
            taken.add(index)
            name = str(pool[index])
            failure = self._quarantine.reason(name, self.step)
            # What is read may use the generator. What is left out must not move it, or a step would depend on whether
            # a file was found bad in this step or in an earlier one.
            state = self.rng.bit_generator.state
            if failure is None:
                try:
                    samples.append(read(pool[index]))
                    self.sources.append(name)
                    continue
                except (PanoError, OSError) as error:
                    failure = str(error)
                    self._quarantine.add_unreadable(name, failure, self.step)
            self.rng.bit_generator.state = state
            failures += 1
            if failures == _TRIES:
                raise PanoError(f"Expected samples that can be read, got {_TRIES} in a row that cannot; {failure}")
        return samples
