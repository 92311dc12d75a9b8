"""Everything that decides a training run, as one frozen value; the command line's flags are generated from it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class TrainConfig:
    """How a network is trained. Schedules are in steps; a run may be resumed with more steps or a finer grid."""

    worlds: Path = Path("worlds")
    """Folder of generated worlds; worlds that appear while training runs are used as they come."""
    out: Path = Path("run")
    """Folder of the run, one for each: checkpoints, log, resolved configuration."""
    photos: Path | None = None
    """Folder of unlabelled photographs whose manifest.tsv says indoor or outdoor: weak labels of the scene's kind.
    Those with labels beside them are left out."""
    views: Path = Path("views")
    """Folder of views with regions that 'clicks' writes; only click-s is trained on them."""
    height: int = 256
    """Rows of the network's input; the width is twice that. For click-s the side of its views, a multiple of 32."""
    batch: int = 8
    """Worlds in one step."""
    photo_batch: int = 1
    """Photographs beside them in one step, when there are any."""
    steps: int = 4000
    """Steps of the whole run, counted from the first."""
    learning_rate: float = 1e-3
    """After warm-up, until the last part of the run."""
    warmup: int = 200
    """Steps over which the learning rate rises from zero."""
    cooldown: float = 0.3
    """Last part of the run over which the learning rate falls to zero."""
    weight_decay: float = 0.02
    """AdamW's, on weights of two and more dimensions."""
    ema: float = 0.998
    """Decay of the averaged weights, which are what is evaluated and shipped."""
    clip: float = 1.0
    """Largest norm of the gradient."""
    seed: int = 0
    """Decides initial weights, order and augmentation."""
    held_out: int = 64
    """Worlds with the lowest seeds, which are only evaluated on, never trained on."""
    threads: int = 1
    """Torch threads."""
    save_minutes: float = 3.0
    """Time between checkpoints."""
    evaluate_minutes: float = 15.0
    """Time between evaluations on held-out worlds."""
    device: str = "cpu"
    """'cpu', or 'cuda' where there is one."""


@dataclass(frozen=True)
class RankConfig:
    """How the choice among the first masks of click-s is learned."""

    tasks: Path = Path("ranking")
    """Folder of clicks with right answers; those that are there already are kept, for they depend on no weights."""
    per_photo: int = 16
    """Clicks in each photograph, at most; each takes a fifth of a second on one core, whenever weights have changed."""
    per_world: int = 5
    """Clicks in each generated world, at most."""
    steps: int = 500
    """Of the fit."""
    seed: int = 0
    """Decides where is clicked, and the initial weights."""
