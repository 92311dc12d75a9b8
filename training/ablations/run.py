"""Runs a comparison, one training after the other; what was interrupted, also by a kill, goes on where it was."""

from __future__ import annotations

import math
import os
import platform
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import torch

from core.errors import PanoError
from core.models.devices import pick_device
from training.ablations.ladder import Ladder, Made, Row, Stage, stage_digest
from training.ablations.results import Results, plain_text, read_results, results_table, write_results
from training.checkpoint import FILE_NAME as CHECKPOINT
from training.checkpoint import load_checkpoint
from training.config import TrainConfig, check_limits
from training.draw import Draw
from training.recipes import find_recipe
from training.recipes.base import Batch
from training.trainer import train

_TRIED_STEPS = 10
"""After a first one, by which it is told how long a step takes."""
_LEAST_STEPS = 10
_SAVE_MINUTES = 0.5


@dataclass(frozen=True)
class Ablation:
    """How a comparison is made.

    Attributes:
        out: Folder of its runs and results.
        worlds: Folder of generated worlds; the first `held_out` seeds are judged by.
        held_out: How many.
        minutes_per_run: How long a stage of the full method may be trained. All rows take the same steps.
        seeds: How many, from 0 on.
        steps: Of every run instead of minutes; 0 for as many as the minutes allow.
        device: 'cpu' or 'cuda'.
        threads: Torch threads.
    """

    out: Path
    worlds: Path
    held_out: int = 16
    minutes_per_run: float = 4.0
    seeds: int = 3
    steps: int = 0
    device: str = "cpu"
    threads: int = 1

    def __post_init__(self) -> None:
        some = dict.fromkeys(("held_out", "seeds", "threads"), (1, math.inf))
        check_limits(self, {**some, "minutes_per_run": (1e-12, math.inf), "steps": (0, math.inf)})


def run_ladder(
    ladder: Ladder, plan: Ablation, *, rows: Sequence[str] = (), report: Callable[[str], None] = lambda _: None
) -> Results:
    """Train and judge what is missing of some rows, or of all; headline rows come first, with all their seeds.

    Args:
        ladder: The comparison.
        plan: How it is made.
        rows: Keys; all when left out.
        report: Gets lines of text.

    Raises:
        PanoError: The folder holds another comparison, or one with other settings, or there is nothing to train on; or
            the device cannot be used.
        KeyboardInterrupt: With a sentence; the same command goes on.
    """
    pick_device(plan.device)
    chosen = ladder.chosen(rows)
    results = read_results(plan.out)
    if results is None:
        results = Results(ladder.name, _settings(ladder, plan, report))
        write_results(plan.out, ladder, results)
    _check(results, ladder, plan)
    turns = [(row, seed) for seed in range(plan.seeds) for row in chosen if row.headline]
    turns += [(row, seed) for row in chosen if not row.headline for seed in range(plan.seeds)]
    missing = [(row, seed) for row, seed in turns if not results.has(row.key, seed)]
    for number, (row, seed) in enumerate(missing, start=1):
        report(f"{number} of {len(missing)}: {row.title}, seed {seed}")
        facts = _run(ladder, plan, results.settings["steps"], row, seed)
        results.put(row.key, seed, facts, _hardware(plan))
        write_results(plan.out, ladder, results)
        report(
            "   ".join(f"{score.title} {facts['scores'].get(score.name, float('nan')):.3f}" for score in ladder.scores)
        )
    report(results_table(ladder, results))
    return results


def _run(ladder: Ladder, plan: Ablation, steps: Sequence[int], row: Row, seed: int) -> dict[str, Any]:
    """The stages of a row, then its scores."""
    seconds = 0.0
    before: Path | None = None
    for count in range(1, len(row.stages) + 1):
        stages = row.stages[:count]
        folder = plan.out / "runs" / f"{stage_digest(stages, steps[:count])}-{seed}"
        config = _config(stages[-1], plan, folder, seed, steps[count - 1], before)
        state = load_checkpoint(folder, stages[-1].recipe) if (folder / CHECKPOINT).exists() else None
        if state is None or state["step"] < config.steps or not state["history"]:
            train(stages[-1].recipe, config, resume=state is not None, report=lambda _: None)
            state = load_checkpoint(folder, stages[-1].recipe)
        seconds += float(state["seconds"])
        before = folder
    if before is None:
        raise ValueError(f"row {row.key} has no stage")
    scores = ladder.judge(before, row.judging)
    return {"scores": dict(scores), "seconds": seconds, "steps": list(steps[: len(row.stages)])}


def _config(stage: Stage, plan: Ablation, folder: Path, seed: int, steps: int, before: Path | None) -> TrainConfig:
    kind = find_recipe(stage.recipe).config_class()
    shared: dict[str, Any] = {
        "out": folder, "seed": seed, "steps": steps, "device": plan.device, "threads": plan.threads,
        "worlds": plan.worlds, "held_out": plan.held_out, "save_minutes": _SAVE_MINUTES, "evaluate_minutes": 1e6,
    }  # fmt: skip
    names = {f.name for f in fields(kind)}
    config = replace(kind(), **{name: value for name, value in shared.items() if name in names})
    changes = {name: _made(value, plan) for name, value in stage.changes.items()}
    config = replace(config, **changes)
    link: dict[str, Any] = {stage.follows: before} if stage.follows else {}
    return replace(config, **link)


def _made(value: object, plan: Ablation) -> Any:  # noqa: ANN401 - of any field
    if isinstance(value, tuple):
        return tuple(_made(item, plan) for item in value)
    if isinstance(value, Made):
        folder = plan.out / "made" / value.name
        value.make(folder, plan.worlds, plan.held_out)
        return folder
    return value


def _settings(ladder: Ladder, plan: Ablation, report: Callable[[str], None]) -> dict[str, Any]:
    """What all runs share; the first of the rows with the most stages tells how many steps the minutes allow."""
    steps = []
    for stage in max(ladder.rows, key=lambda row: len(row.stages)).stages:
        count = plan.steps
        if not count:
            seconds = _seconds_per_step(stage, plan)
            count = max(_LEAST_STEPS, int(60 * plan.minutes_per_run / seconds))
            report(f"{stage.recipe}: {seconds:.3g} s for a step, so {count} steps a run")
        steps.append(count)
    return {"steps": steps, "held_out_worlds": plan.held_out}


def _seconds_per_step(stage: Stage, plan: Ablation) -> float:
    """How long a step takes here, with fresh weights."""
    torch.set_num_threads(plan.threads)
    # What follows another run does not need its numbers for this.
    alone = replace(stage, changes={**stage.changes, **stage.alone}, follows="")
    config = _config(alone, plan, plan.out, 0, 1, None)
    recipe = find_recipe(stage.recipe).make(config)
    recipe.open()
    network = recipe.build().to(plan.device)
    optimizer = torch.optim.AdamW([weight for weight in network.parameters() if weight.requires_grad])
    begun = time.perf_counter()
    for step in range(1 + _TRIED_STEPS):
        for part in range(max(1, config.parts)):
            tensors = {name: value.to(plan.device) for name, value in recipe.load(Draw(0, step, part)).items()}
            loss, _ = recipe.loss(network, Batch(tensors, step))
            loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        if step == 0:
            begun = time.perf_counter()
    return (time.perf_counter() - begun) / _TRIED_STEPS


def _check(results: Results, ladder: Ladder, plan: Ablation) -> None:
    if results.ladder != ladder.name:
        raise PanoError(
            f"Expected a folder of the comparison {ladder.name}, got one of {results.ladder}; choose another --out: "
            f"{plan.out}"
        )
    known: dict[str, Any] = results.settings
    given: dict[str, Any] = {"held_out_worlds": plan.held_out}
    if plan.steps:
        given["steps"] = [plan.steps] * len(known["steps"])
    for name, value in given.items():
        if known[name] != value:
            raise PanoError(
                f"Expected to go on with {name.replace('_', ' ')} {plain_text(known[name])}, got {plain_text(value)}; "
                f"give the same, or choose another --out: {plan.out}"
            )


def _hardware(plan: Ablation) -> str:
    if plan.device.startswith("cuda"):
        return f"{torch.cuda.get_device_name()}, torch {torch.__version__}"
    return f"{platform.machine()}, {os.cpu_count()} cores, {plan.threads} thread(s) used, torch {torch.__version__}"
