"""What earlier frames say about the directions of a frame, for batches; see `core.segment.merge.project_logits`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from core.segment.merge import LIMIT, RULE

_FAINTEST = 1e-6


class Voice(NamedTuple):
    """What is known of the objects of a batch in one frame each.

    Attributes:
        logits: (b, 1, h, w), > 0 inside.
        trust: (b,) weight in a mean, 0 for a frame that has no say.
        rules: Whether others are not asked where it sees well.
    """

    logits: Tensor
    trust: Tensor
    rules: bool


def told(voices: Sequence[Voice | None], maps: Tensor) -> Tensor:
    """The mean of what earlier frames say, as it lies in a frame.

    Args:
        voices: Those of earlier frames in their order, and last that of the start, None where there is none.
        maps: (b, f + 1, 3, 3) of `training.sequences.ViewSequence`, of this frame.

    Returns:
        (b, 1, h, w) logits, NaN where nothing is said.
    """
    some = next((voice for voice in voices if voice is not None), None)
    if some is None:
        raise ValueError("nobody says anything")
    batch, _, height, width = some.logits.shape
    # An answer's pixel is two of the view's.
    columns, rows = (2 * torch.arange(n, device=maps.device) + 1.0 for n in (width, height))
    v, u = torch.meshgrid(rows, columns, indexing="ij")
    pixels = torch.stack([u, v, torch.ones_like(u)], dim=-1).flatten(0, 1)
    total, weights = (torch.zeros(batch, height, width, device=maps.device) for _ in range(2))
    ruled = torch.full((batch, height, width), torch.nan, device=maps.device)
    numbers = [*range(len(voices) - 1), -1]
    for number, voice in zip(numbers, voices, strict=True):
        if voice is None:
            continue
        x, y, depth = (pixels @ maps[:, number].transpose(1, 2)).unflatten(1, (height, width)).unbind(dim=-1)
        x, y = x / depth / width - 1, y / depth / height - 1
        seen = (depth > 1e-6) & (x.abs() <= 1) & (y.abs() <= 1)
        place = torch.nan_to_num(torch.stack([x, y], dim=-1), nan=0.0, posinf=0.0, neginf=0.0)
        moved = F.grid_sample(
            voice.logits.clamp(-LIMIT, LIMIT), place, mode="bilinear", padding_mode="border", align_corners=False
        )[:, 0]
        inward = [(1 - along.abs()).clamp(0, 1) for along in place.unbind(dim=-1)]
        weight = torch.stack([to * to * (3 - 2 * to) for to in inward]).prod(dim=0).clamp_min(_FAINTEST)
        weight = weight * seen * voice.trust[:, None, None]
        total, weights = total + weight * moved, weights + weight
        if voice.rules:
            well = seen & (place.abs() < RULE).all(dim=-1) & (voice.trust > 0)[:, None, None]
            ruled = torch.where(well, moved, ruled)
    mean = torch.where(weights > 0, total / weights, torch.nan)
    return torch.where(torch.isnan(ruled), mean, ruled)[:, None]
