"""Everything that decides a training run, as one frozen value; the command line's flags are generated from it."""

from __future__ import annotations

import math
import types
import typing
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, ClassVar, Literal, Self, TypeVar

from core.errors import PanoError

Schedule = Literal["linear", "cosine", "constant"]
Precision = Literal["auto", "float32", "bfloat16"]
Strategy = Literal["auto", "one", "ddp", "fsdp"]
Limits = Mapping[str, tuple[float, float]]
"""By field the least and the largest value that it may have."""


def check_limits(settings: object, limits: Limits, *, of: str = "") -> None:
    """Refuse settings that mean nothing.

    Args:
        settings: Has the fields.
        limits: Of some of them.
        of: Whose they are, for the sentence; empty where a flag alone tells it.

    Raises:
        PanoError: A field is beyond its limits, or no number.
    """
    for name, (least, largest) in limits.items():
        value = getattr(settings, name)
        if not least <= value <= largest:
            wanted = f"of {least:g} or more" if math.isinf(largest) else f"from {least:g} to {largest:g}"
            raise PanoError(
                f"Expected --{name.replace('_', '-')}{of and f' of {of}'} {wanted}, got {value}; choose another."
            )


@dataclass(frozen=True)
class TrainConfig:
    """What every recipe asks for; each adds its own. Schedules are in steps; a run may be resumed with more steps."""

    out: Path = Path("run")
    """Folder of the run, one for each: checkpoints, log, resolved configuration."""
    batch: int = 8
    """Samples in one part of a step."""
    parts: int = 0
    """Parts of one step, whose gradients are averaged; 0 for one part for each process. Processes share them; one that
    has several computes them one after the other, which takes less memory than a larger batch. Decides the result; how
    many processes there are does not."""
    steps: int = 4000
    """Steps of the whole run, counted from the first."""
    learning_rate: float = 1e-3
    """After warm-up, until the schedule lowers it."""
    schedule: Schedule = "linear"
    """How the learning rate falls to zero over the last part of the run: in a line, as half a cosine, or not at all."""
    warmup: int = 200
    """Steps over which the learning rate rises from zero."""
    cooldown: float = 0.3
    """Last part of the run over which the learning rate falls; 1 for the whole run after warm-up."""
    weight_decay: float = 0.02
    """AdamW's, on weights of two and more dimensions."""
    ema: float = 0.998
    """Decay of the averaged weights, which are what is evaluated and shipped."""
    clip: float = 1.0
    """Largest norm of the gradient."""
    seed: int = 0
    """Decides initial weights, order and augmentation."""
    threads: int = 1
    """Torch threads."""
    save_minutes: float = 3.0
    """Time between checkpoints."""
    evaluate_minutes: float = 15.0
    """Time between evaluations on what is held out."""
    log_steps: int = 20
    """Steps between rows of the log."""
    evaluate_first: bool = False
    """Also evaluate the weights that the run begins with."""
    device: str = "auto"
    """'cpu', 'cuda', or 'auto' for a GPU where there is one."""
    precision: Precision = "auto"
    """What networks compute in: 'auto' is bfloat16 on GPUs that are faster with it, and float32 elsewhere."""
    strategy: Strategy = "auto"
    """How several processes (torchrun) share a network: each has the whole ('ddp') or a part of it ('fsdp')."""
    loaders: int = 0
    """Threads that load samples ahead; 0 for as many as suit the machine."""

    LIMITS: ClassVar[Limits] = {
        "batch": (1, math.inf),
        "parts": (0, math.inf),
        "steps": (1, math.inf),
        "learning_rate": (1e-12, 1e3),
        "warmup": (0, math.inf),
        "cooldown": (0, 1),
        "weight_decay": (0, 1e3),
        "ema": (0, 1),
        "clip": (1e-12, math.inf),
        "seed": (0, 2**63 - 1),
        "threads": (1, 1024),
        "save_minutes": (0, math.inf),
        "evaluate_minutes": (0, math.inf),
        "log_steps": (1, math.inf),
        "loaders": (0, 1024),
    }
    """Of its own fields; those of classes that it is made from hold, too."""

    def __post_init__(self) -> None:
        for kind in reversed(type(self).__mro__):
            check_limits(self, vars(kind).get("LIMITS", {}))

    def reduced(self) -> Self:
        """The same, so small that a step of everything takes seconds: for a rehearsal."""
        small: dict[str, Any] = {"batch": 2, "steps": 2, "warmup": 1, "height": 128, "held_out": 2}
        known = {f.name: getattr(self, f.name) for f in fields(self)}
        changes = {name: min(value, known[name]) for name, value in small.items() if name in known}
        if known.get("size") in ("B", "L"):
            # A transformer of the user's is of one size.
            changes |= {"size": "S", "backbone": None}
        return replace(self, **changes)


@dataclass(frozen=True)
class WorldTraining(TrainConfig):
    """For recipes that are trained on generated worlds."""

    worlds: Path = Path("worlds")
    """Folder of generated worlds; worlds that appear while training runs are used as they come."""
    held_out: int = 64
    """Worlds with the lowest seeds, which are only evaluated on, never trained on."""
    height: int = 256
    """Rows of the network's input; the width is twice that."""

    LIMITS: ClassVar[Limits] = {"held_out": (1, math.inf), "height": (1, math.inf)}


_Config = TypeVar("_Config", bound=TrainConfig)


def plain(config: TrainConfig) -> dict[str, Any]:
    """A configuration as text, numbers and lists, for JSON and checkpoints."""
    return {key: _plain(value) for key, value in asdict(config).items()}


def config_of(kind: type[_Config], facts: Mapping[str, Any]) -> _Config:
    """The configuration that `plain` described; what an older version did not say is as it is by default."""
    hints = typing.get_type_hints(kind)
    return kind(**{f.name: _revived(hints[f.name], facts[f.name]) for f in fields(kind) if f.name in facts})


def _plain(value: object) -> object:
    if isinstance(value, Path):
        return str(value)
    return [_plain(item) for item in value] if isinstance(value, (tuple, list)) else value


def _revived(hint: object, value: object) -> Any:  # noqa: ANN401 - of any field
    if isinstance(value, list):
        inner = typing.get_args(hint)[0]
        return tuple(_revived(inner, item) for item in value)
    choices = typing.get_args(hint) if isinstance(hint, types.UnionType) else (hint,)
    return Path(value) if Path in choices and isinstance(value, str) else value


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
    pieces_only: bool = False
    """Keep the ranking beside the weights; learn anew only when it is overruled by a piece of what pano-s saw."""
    seed: int = 0
    """Decides where is clicked, and the initial weights."""

    def __post_init__(self) -> None:
        counts = {"per_photo": (0, math.inf), "per_world": (0, math.inf), "seed": (0, 2**63 - 1)}
        check_limits(self, {**counts, "steps": (1, math.inf)})
