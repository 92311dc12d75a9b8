"""A world by its seed: the entry of the generator."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from training.worlds.builder import SceneBuilder
from training.worlds.indoor import build_indoor
from training.worlds.lighting import Lighting
from training.worlds.render import render
from training.worlds.sample import WorldSample

INDOOR_SHARE = 0.65


def render_world(seed: int, height: int, width: int, *, indoor: bool | None = None) -> WorldSample:
    """The panorama of one random world; the same seed and size give the same bits.

    Args:
        seed: Not negative.
        height: Rows, a multiple of 4.
        width: Columns, a multiple of 4; twice the rows for a panorama.
        indoor: True or False choose the kind; None leaves it to the seed.

    Returns:
        The sample.
    """
    rng = np.random.default_rng(seed)
    inside = bool(rng.random() < INDOOR_SHARE)
    inside = inside if indoor is None else indoor
    build = build_indoor if inside else _build_outdoor
    builder, camera, lighting = build(rng)
    return render(builder, camera, lighting, height=height, width=width, rng=rng, indoor=inside, seed=seed)


def _build_outdoor(rng: np.random.Generator) -> tuple[SceneBuilder, ArrayLike, Lighting]:
    # Imported when it is needed: an interior does not need the outdoors.
    from training.worlds.outdoor import build_outdoor

    return build_outdoor(rng)
