"""The training loop: order, optimiser, averaged weights, checkpoints, evaluation, log."""

from __future__ import annotations

import json
import logging
import math
import platform
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from core.errors import PanoError
from core.io.atomic import atomic_file
from core.models.devices import pick_device
from training.checkpoint import FILE_NAME, load_checkpoint, save_checkpoint
from training.config import TrainConfig, plain
from training.draw import Draw
from training.quarantine import FILE_NAME as QUARANTINE_NAME
from training.quarantine import Quarantine
from training.recipes import find_recipe
from training.recipes.base import Batch, Recipe
from training.run_log import FILE_NAME as LOG_NAME
from training.run_log import RunLog

_log = logging.getLogger(__name__)
_PREFETCH = 3


def train(name: str, config: TrainConfig, *, resume: bool, report: Callable[[dict[str, Any]], None]) -> Path:
    """Train a model and return the folder of the run.

    Args:
        name: Of the recipe.
        config: Everything else.
        resume: Go on from the run's last checkpoint; the steps done so far count.
        report: Gets a row of figures every few steps and after each evaluation; the run's log gets them, too.

    Raises:
        KeyboardInterrupt: With a sentence; the step in hand was finished and a checkpoint saved. The second Ctrl+C
            waits for neither.
        PanoError: There is nothing to train on, nothing to resume, a run is in the way, or the device cannot be used.
    """
    pick_device(config.device)
    torch.set_num_threads(config.threads)
    recipe = find_recipe(name).make(config)
    recipe.open()
    run = _Run(recipe, config)
    if resume:
        run.load(load_checkpoint(config.out, recipe.name))
    elif (config.out / FILE_NAME).exists():
        raise PanoError(
            f"Expected an empty folder for a new run, got one with a checkpoint. Add --resume: {config.out}"
        )
    config.out.mkdir(parents=True, exist_ok=True)
    with atomic_file(config.out / "config.json") as stream:
        stream.write(json.dumps({"recipe": name, **plain(config)}, indent=1).encode() + b"\n")
    log = RunLog(config.out / LOG_NAME, step=run.step)
    quarantine = Quarantine(config.out / QUARANTINE_NAME, step=run.step)

    def tell(row: dict[str, Any]) -> None:
        log.write(row)
        report(row)

    saved = evaluated = time.monotonic()
    with _interrupt_noted() as interrupted:
        for parts in _batches(recipe, config, quarantine, first=run.step):
            row = run.advance(parts)
            now = time.monotonic()
            if run.step % 20 == 0:
                tell(row)
            done = run.step >= config.steps
            if done or now - evaluated > 60 * config.evaluate_minutes:
                scores = recipe.evaluate(run.averaged)
                run.history.append({"step": run.step, "hours": run.seconds / 3600, **scores})
                tell(run.history[-1])
                evaluated = time.monotonic()
            if done or interrupted.is_set() or now - saved > 60 * config.save_minutes:
                run.save()
                saved = time.monotonic()
            if interrupted.is_set() and not done:
                raise KeyboardInterrupt(f"Interrupted after step {run.step}; go on with --resume: {config.out}")
    return config.out


@contextmanager
def _interrupt_noted() -> Iterator[threading.Event]:
    """Within, the first Ctrl+C is noted in the event and nothing else: in the middle of a step nothing can be saved."""
    noted = threading.Event()

    def note(number: int, frame: FrameType | None) -> None:
        if noted.is_set():
            signal.default_int_handler(number, frame)
        noted.set()

    # Whoever handles or ignores it in a way of their own goes on doing so; other threads hear of none.
    is_ours = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if not is_ours or threading.current_thread() is not threading.main_thread():
        yield noted
        return
    signal.signal(signal.SIGINT, note)
    try:
        yield noted
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)


class _Run:
    """What changes while training, and what a checkpoint holds."""

    def __init__(self, recipe: Recipe, config: TrainConfig) -> None:
        torch.manual_seed(config.seed)
        self._recipe, self._config = recipe, config
        device = torch.device(config.device)
        self.network = recipe.build().to(device)
        self.averaged = recipe.build().to(device)
        self.averaged.load_state_dict(self.network.state_dict())
        self.averaged.requires_grad_(False)
        groups: dict[tuple[float, float], list[nn.Parameter]] = {}
        for name, parameter in self.network.named_parameters():
            if parameter.requires_grad:
                decay = config.weight_decay if parameter.ndim > 1 else 0.0
                groups.setdefault((recipe.rate(name), decay), []).append(parameter)
        self._optimizer = torch.optim.AdamW(
            [{"params": held, "factor": rate, "weight_decay": decay} for (rate, decay), held in groups.items()],
            lr=config.learning_rate,
            betas=(0.9, 0.98),
        )
        self.step = 0
        self.samples = 0
        self.seconds = 0.0
        self.history: list[dict[str, Any]] = []

    def advance(self, parts: list[Batch]) -> dict[str, Any]:
        """One step; returns its figures."""
        started = time.monotonic()
        device = torch.device(self._config.device)
        rate = learning_rate(self.step, self._config)
        for group in self._optimizer.param_groups:
            group["lr"] = rate * group["factor"]
        self._optimizer.zero_grad(set_to_none=True)
        told: list[Mapping[str, Tensor]] = []
        for batch in parts:
            moved = Batch({name: tensor.to(device) for name, tensor in batch.tensors.items()}, batch.step)
            loss, figures = self._recipe.loss(self.network, moved)
            (loss / len(parts)).backward()
            told.append({name: torch.as_tensor(value).detach() for name, value in {"loss": loss, **figures}.items()})
        norm = nn.utils.clip_grad_norm_(self.network.parameters(), self._config.clip)
        if torch.isfinite(norm):
            self._optimizer.step()
        else:
            _log.warning("step %d left out: its gradient is not finite", self.step)
        self.step += 1
        self.samples += self._config.batch * len(parts)
        self._average()
        self.seconds += time.monotonic() - started
        row = {name: float(np.mean([float(part[name]) for part in told if name in part])) for name in told[0]}
        return {"step": self.step, "loss": row.pop("loss"), "norm": float(norm), "rate": rate, **row}

    @torch.no_grad()
    def _average(self) -> None:
        # Early on the average follows closely, so that it does not remember the random start.
        decay = min(self._config.ema, (1 + self.step) / (10 + self.step))
        for mean, value in zip(self.averaged.state_dict().values(), self.network.state_dict().values(), strict=True):
            if mean.dtype.is_floating_point:
                mean.lerp_(value, 1 - decay)
            else:
                mean.copy_(value)

    def save(self) -> None:
        """Write the checkpoint of this moment."""
        state = {
            "recipe": self._recipe.name,
            "model": self.network.state_dict(),
            "ema": self.averaged.state_dict(),
            "optimizer": self._optimizer.state_dict(),
            "step": self.step,
            "samples": self.samples,
            "seconds": self.seconds,
            "history": self.history,
            "hardware": f"{platform.machine()}, {self._config.threads} thread(s), {self._config.device}",
            "config": plain(self._config),
            "pools": {name: pool.state() for name, pool in self._recipe.pools.items()},
        }
        save_checkpoint(self._config.out, state)

    def load(self, state: dict[str, Any]) -> None:
        """Go on from a checkpoint.

        Raises:
            PanoError: It is not one of the network that this version builds.
        """
        try:
            self.network.load_state_dict(state["model"])
            self.averaged.load_state_dict(state["ema"])
            self._optimizer.load_state_dict(state["optimizer"])
            self.step, self.samples = state["step"], state["samples"]
            self.seconds, self.history = state["seconds"], state["history"]
            for name, pool in self._recipe.pools.items():
                pool.restore(state["pools"][name])
        except (RuntimeError, ValueError, KeyError) as error:
            raise PanoError(
                f"Expected a checkpoint of this version's {self._recipe.name}, got another "
                f"({str(error).splitlines()[-1].strip()}); start a new run in another folder: {self._config.out}"
            ) from error


def learning_rate(step: int, config: TrainConfig) -> float:
    """Linear warm-up, constant, and the schedule's fall to zero over the last part of the run."""
    rise = min(1.0, (step + 1) / config.warmup) if config.warmup else 1.0
    left = min(1.0, max(0.0, (config.steps - step) / max(1.0, config.cooldown * config.steps)))
    fall = {"linear": left, "cosine": (1 - math.cos(math.pi * left)) / 2, "constant": 1.0}[config.schedule]
    return config.learning_rate * rise * fall


def _batches(recipe: Recipe, config: TrainConfig, quarantine: Quarantine, *, first: int) -> Iterator[list[Batch]]:
    """The parts of the steps from `first` on, loaded ahead in threads.

    A step's samples and changes depend on the seed, the step and the files that are there, not on where a run was
    interrupted.
    """

    def load(step: int) -> list[Batch]:
        draws = [Draw(config.seed, step, part, quarantine) for part in range(config.parts)]
        return [Batch(recipe.load(draw), step) for draw in draws]

    with ThreadPoolExecutor(max_workers=_PREFETCH) as pool:
        pending: list[Future[list[Batch]]] = []
        for step in range(first, config.steps + _PREFETCH):
            if step % 200 == 0:
                for each in recipe.pools.values():
                    each.refresh(step)
            if step < config.steps:
                pending.append(pool.submit(load, step))
            if len(pending) > _PREFETCH or step >= config.steps:
                if not pending:
                    return
                yield pending.pop(0).result()
