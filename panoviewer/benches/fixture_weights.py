"""Numbers for a published network that nobody has trained: by a rule, so that they are the same everywhere.

They are spread like those of a network that begins to learn, so that every part of it matters; what it says means
nothing, but how its answers depend on the picture's border shows as well as with the real ones.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from torch import Tensor

    from core.models.layouts import Layout

SEED = "public"
SHIFTS = {"heads.semseg.head.4.bias": (2, 4.5), "sam_mask_decoder.pred_obj_score_head.layers.2.bias": (0, 1.5)}
"""Numbers that are raised: so that MTPano sees sky somewhere, and SAM 2 an object."""


def fixture_state(layout: Layout, fixed: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The state of a network of ours.

    Args:
        layout: Of the published file.
        fixed: Entries of it that the architecture defines.
    """
    import torch

    entries = {
        name: fixed[name] if name in fixed else torch.from_numpy(np.asarray(drawn(SEED, name, shape)))
        for name, shape in layout.shapes.items()
    }
    return layout.convert(entries)


def drawn(seed: str, name: str, shape: tuple[int, ...]) -> NDArray[Any]:
    """One entry of a checkpoint by its published name; float32, or int64 for counters."""
    digest = hashlib.sha256(f"{seed}:{name}".encode()).digest()
    generator = np.random.Generator(np.random.PCG64(int.from_bytes(digest[:8], "little")))
    last = name.rsplit(".", 1)[-1]
    if last == "num_batches_tracked":
        return np.zeros(shape, np.int64)
    if last == "running_var":
        return np.float32(0.75) + np.float32(0.25) * generator.random(shape, dtype=np.float32)
    normal = generator.standard_normal(shape, dtype=np.float32)
    if last == "positional_encoding_gaussian_matrix":
        return normal
    if len(shape) >= 2:
        values = normal / np.float32(math.sqrt(math.prod(shape[1:])))
    elif last in ("gamma", "lambda1"):
        values = np.float32(0.2) + np.float32(0.02) * normal
    elif last == "weight":
        values = np.float32(1) + np.float32(0.1) * normal
    else:
        values = np.float32(0.05) * normal
    if name in SHIFTS:
        index, amount = SHIFTS[name]
        values[index] += np.float32(amount)
    return values
