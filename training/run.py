"""What changes while training, step by step, and what a checkpoint holds."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from core.errors import OutOfSpace, PanoError
from training.checkpoint import FILE_NAME, save_checkpoint
from training.choices import Choice, Processes, hardware_of
from training.config import TrainConfig, plain
from training.feed import Part
from training.machine import Machine
from training.quarantine import Quarantine
from training.recipes.base import Batch, Recipe

_log = logging.getLogger(__name__)
_ENOUGH = 50
"""Steps without a finite gradient, one after the other, after which training has no sense."""


class Run:
    """A training run.

    Args:
        recipe: That was opened.
        config: Without anything left open.
        processes: That train together.
        choices: Why the configuration is as it is.
    """

    def __init__(self, recipe: Recipe, config: TrainConfig, processes: Processes, choices: Sequence[Choice]) -> None:
        self.machine = Machine(recipe, config, processes)
        self._recipe, self._config, self._processes = recipe, config, processes
        self._choices = [vars(choice) for choice in choices]
        self._left_out = 0
        self.step = 0
        self.samples = 0
        self.seconds = 0.0
        self.history: list[dict[str, Any]] = []

    def advance(self, parts: Sequence[Part], quarantine: Quarantine) -> dict[str, Any] | None:
        """One step; returns its figures where the log wants them.

        Raises:
            PanoError: No step had a finite gradient for long.
        """
        started = time.monotonic()
        config = self._config
        rate = learning_rate(self.step, config)
        seeds = [_seed(config.seed, self.step, part.number) for part in parts]
        told = self.machine.gradient([part.batch for part in parts], seeds)
        norm = self.machine.clipped_norm()
        if math.isfinite(norm):
            self.machine.learn(rate)
            self._left_out = 0
        else:
            self.machine.take_back()
            self._leave_out([float(figures["loss"]) for figures in told], parts, seeds, quarantine)
        self.step += 1
        self.samples += config.batch * config.parts
        # Early on the average follows closely, so that it does not remember the random start.
        self.machine.average(min(config.ema, (1 + self.step) / (10 + self.step)))
        row = None
        if self.step % config.log_steps == 0:
            figures = [{name: float(value) for name, value in each.items()} for each in told]
            together = [each for own in self.machine.from_all(figures) for each in own]
            names = dict.fromkeys(name for each in together for name in each)
            means = {name: float(np.mean([each[name] for each in together if name in each])) for name in names}
            row = {"step": self.step, "loss": means.pop("loss"), "norm": norm, "rate": rate, **means}
        self.seconds += time.monotonic() - started
        return row

    def _leave_out(
        self, losses: Sequence[float], parts: Sequence[Part], seeds: Sequence[int], quarantine: Quarantine
    ) -> None:
        """A step whose gradient is not finite changes nothing; the samples that are to blame are not drawn again."""
        blamed = [
            source
            for loss, part, seed in zip(losses, parts, seeds, strict=True)
            if not math.isfinite(loss)
            for source in self._spoilers(part, seed)
        ]
        everyone = [source for own in self.machine.from_all(blamed) for source in own]
        quarantine.add_not_finite(everyone, self.step)
        self._left_out += 1
        _log.warning(
            "Step %d was left out: its gradient is not finite (%s).",
            self.step,
            f"blamed, see quarantine.tsv: {', '.join(everyone)}" if everyone else "no single sample is to blame",
        )
        if self._left_out == _ENOUGH:
            raise PanoError(
                f"Expected steps with finite gradients, got {_ENOUGH} in a row without; go on from the last checkpoint "
                f"with --resume and a lower --learning-rate: {self._config.out}"
            )

    def _spoilers(self, part: Part, seed: int) -> list[str]:
        """The samples of a part whose loss alone is not finite; none where it is not so for others, too."""
        rows = len(part.sources)
        if self._config.strategy == "fsdp" or not rows:
            return []
        spoilt = []
        for row in range(rows):
            alone = {
                name: tensor[row : row + 1] if tensor.ndim and len(tensor) == rows else tensor
                for name, tensor in part.batch.tensors.items()
            }
            if not math.isfinite(self.machine.judge_alone(Batch(alone, part.batch.step), seed)):
                spoilt.append(part.sources[row])
        return spoilt if len(spoilt) < rows or rows == 1 else []

    def evaluate(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """Judge the averaged weights; a row of the history, and pictures. Of several processes the first does it."""
        scores: dict[str, float] = {}
        pictures: dict[str, Any] = {}
        with self.machine.averaged() as network:
            if network is not None:
                scores = self._recipe.evaluate(network)
                pictures = self._recipe.panels(network)
        scores = self.machine.from_first(scores)
        self.history.append({"step": self.step, "hours": self.seconds / 3600, **scores})
        return self.history[-1], pictures

    def save(self, *, must: bool) -> None:
        """Write the checkpoint of this moment; all processes must ask, the first writes.

        Args:
            must: A full disk is an error; otherwise it is told, the last checkpoint stays, and training goes on.
        """
        state = {
            "recipe": self._recipe.name,
            **self.machine.state(),
            "step": self.step,
            "samples": self.samples,
            "seconds": self.seconds,
            "history": self.history,
            "hardware": hardware_of(self._config, self._processes),
            "config": plain(self._config),
            "choices": self._choices,
            "pools": {name: pool.state() for name, pool in self._recipe.pools.items()},
        }
        if self._processes.rank == 0:
            try:
                save_checkpoint(self._config.out, state)
            except OutOfSpace as error:
                if must:
                    raise
                _log.warning("Step %d was not saved, training goes on: %s", self.step, error)
        self.machine.wait()

    def load(self, state: dict[str, Any]) -> None:
        """Go on from a checkpoint.

        Raises:
            PanoError: It is not one of the network that this version builds.
        """
        try:
            self.machine.restore(state)
            self.step, self.samples = state["step"], state["samples"]
            self.seconds, self.history = state["seconds"], state["history"]
            for name, pool in self._recipe.pools.items():
                pool.restore(state["pools"][name])
        except (RuntimeError, ValueError, KeyError, AttributeError) as error:
            raise PanoError(
                f"Expected a checkpoint of this version's {self._recipe.name}, got another "
                f"({str(error).splitlines()[-1].strip()}); start a new run in another folder: {self._config.out}"
            ) from error

    def refresh(self, step: int) -> None:
        """Look at the folders again; the first process decides what there is."""
        for name, pool in self._recipe.pools.items():
            if self._processes.rank == 0:
                pool.refresh(step)
            if self._processes.count > 1:
                self._recipe.pools[name].restore(self.machine.from_first(pool.state()))


def _seed(seed: int, step: int, part: int) -> int:
    return int(np.random.SeedSequence((seed, step, part, 1)).generate_state(1)[0])


def learning_rate(step: int, config: TrainConfig) -> float:
    """Linear warm-up, constant, and the schedule's fall to zero over the last part of the run."""
    rise = min(1.0, (step + 1) / config.warmup) if config.warmup else 1.0
    left = min(1.0, max(0.0, (config.steps - step) / max(1.0, config.cooldown * config.steps)))
    fall = {"linear": left, "cosine": (1 - math.cos(math.pi * left)) / 2, "constant": 1.0}[config.schedule]
    return config.learning_rate * rise * fall


def is_run(folder: Path) -> bool:
    """Whether a folder holds a run with a checkpoint."""
    return (folder / FILE_NAME).exists()
