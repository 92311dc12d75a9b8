"""Outdoor worlds: which kinds there are and how often, and the choices that all of them share."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from training.worlds import built_places, countryside, parks, squares, streets
from training.worlds.builder import SceneBuilder
from training.worlds.lighting import Lighting
from training.worlds.outdoor_scene import OutdoorScene
from training.worlds.sky import random_sky
from training.worlds.vegetation import random_plants

KINDS: dict[str, tuple[Callable[[OutdoorScene], None], float]] = {
    "meadow": (countryside.meadow, 2.0),
    "forest": (countryside.forest, 1.5),
    "mountains": (countryside.mountains, 1.5),
    "desert": (countryside.desert, 1.2),
    "shore": (countryside.shore, 2.2),
    "park": (parks.park, 2.0),
    "lawn": (parks.lawn, 1.2),
    "suburb": (parks.suburb, 1.5),
    "street": (streets.street, 5.0),
    "square": (squares.square, 2.0),
    "courtyard": (squares.courtyard, 0.8),
    "car_park": (squares.car_park, 1.0),
    "bridge": (built_places.bridge, 1.2),
    "underpass": (built_places.underpass, 0.7),
    "parking_deck": (built_places.parking_deck, 0.5),
    "railway": (built_places.railway, 0.6),
    "quay": (built_places.quay, 1.3),
}
"""Kinds of world: their builder and how often each is drawn."""


def build_outdoor(
    rng: np.random.Generator, *, kind: str | None = None, sky_kind: str | None = None
) -> tuple[SceneBuilder, NDArray[np.float64], Lighting]:
    """An outdoor world.

    Args:
        rng: Source of chance; the same state gives the same world.
        kind: One of `KINDS`; any when None.
        sky_kind: One of `training.worlds.sky.SKY_KINDS`; any when None.

    Returns:
        The parts, the camera's position (3,) in the ground frame (y down, the ground below it is 0), and the light.
    """
    names = list(KINDS)
    weights = np.array([KINDS[name][1] for name in names])
    chosen = kind or str(rng.choice(names, p=weights / weights.sum()))
    builder = SceneBuilder(rng)
    snow = bool(rng.uniform() < 0.06)
    scene = OutdoorScene(
        rng=rng,
        builder=builder,
        sky=random_sky(rng, sky_kind),
        plants=random_plants(rng, season="bare" if snow else None, snow=snow),
        camera_height=_camera_height(rng),
        snow=snow,
    )
    KINDS[chosen][0](scene)
    return builder, scene.camera_position(), scene.lighting()


def _camera_height(rng: np.random.Generator) -> float:
    """Mostly a tripod; sometimes a low stand, a mast or a drone."""
    kind = rng.uniform()
    if kind < 0.75:
        return float(rng.normal(1.6, 0.15))
    if kind < 0.92:
        return float(rng.uniform(1.0, 3.0))
    return float(np.exp(rng.uniform(np.log(3), np.log(25))))
