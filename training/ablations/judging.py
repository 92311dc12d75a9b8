"""Judging by what a recipe itself says of a run."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from training.ablations.ladder import Scores
from training.checkpoint import load_checkpoint, recipe_of


def judge_last(run: Path, judging: Mapping[str, object]) -> Scores:  # noqa: ARG001 - nothing is asked of it
    """The scores of a run's averaged weights on its held-out worlds, as they were told at its end."""
    told = load_checkpoint(run, recipe_of(run))["history"][-1]
    return {name: float(value) for name, value in told.items() if name not in ("step", "hours")}
