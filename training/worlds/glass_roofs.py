"""Roofs of glass, flat, gabled or barrels, with their bars: a pane has its own range, the sky shows through."""

from __future__ import annotations

import numpy as np

from training.worlds.hall_scene import HallScene, Span
from training.worlds.materials import Material
from training.worlds.shapes import polyline_tubes, tubes

SHAPES = ("flat", "gable", "barrel")


def profile(shape: str) -> np.ndarray:
    """(n, 2): share across the span and share of the rise."""
    t = np.linspace(0.0, 1.0, {"flat": 2, "gable": 3}.get(shape, 13))
    rise = {"flat": 0 * t, "gable": 1 - np.abs(2 * t - 1)}.get(shape, np.sqrt(np.maximum(1 - (2 * t - 1) ** 2, 0)))
    return np.stack([t, rise], 1)


def gable(scene: HallScene, half: float, eaves: float, *, shape: str, rise: float) -> None:
    """The end wall under a roof: along local x about the origin, from a little below the eaves up to the panes."""
    across = profile(shape)
    top = np.zeros((len(across), 3))
    top[:, 0] = half * (2 * across[:, 0] - 1)
    top[:, 1] = -(eaves + rise * across[:, 1]) - 0.06
    # As wide as the roof, which reaches into the walls.
    top[(0, -1), 0] += (-0.06, 0.06)
    low = top.copy()
    low[:, 1] = -eaves + 0.05
    scene.builder.quads(np.stack([top[:-1], top[1:], low[1:], low[:-1]], 1), scene.palette.wall, label="wall")


def glass_roof(scene: HallScene, x: Span, z: Span, eaves: float, *, shape: str, rise: float) -> None:
    """Panes over a rectangle with the ridge along z, mullions both ways, and the daylight below.

    Args:
        scene: Takes the parts and the light.
        x: Ends across.
        z: Ends along.
        eaves: Height of the lower edge.
        shape: One of `SHAPES`.
        rise: Metres from the eaves to the ridge.
    """
    rng, builder = scene.rng, scene.builder
    across = profile(shape)
    line = np.stack([x[0] + across[:, 0] * (x[1] - x[0]), -(eaves + rise * across[:, 1])], 1)
    milky = rng.random() < 0.35
    level = float(np.mean(scene.sky.zenith)) * float(rng.uniform(0.7, 1.5)) if scene.day else 0.004
    pane = (
        Material((0.95, 0.95, 0.95), "mottle/0", 3.0, 0.15, emission=(level, level, level * 1.02))
        if milky
        else Material((0.9, 0.95, 0.95), gloss=0.05, roughness=0.0, glass=True)
    )
    tag = builder.tag("windowpane")
    # The panes reach into the walls a little, so that no ray slips through at their edge.
    z0, z1 = z[0] - 0.04, z[1] + 0.04
    corners = np.empty((len(line) - 1, 4, 3))
    for corner, (points, end) in enumerate(((line[:-1], z0), (line[1:], z0), (line[1:], z1), (line[:-1], z1))):
        corners[:, corner, :2], corners[:, corner, 2] = points, end
    corners[0, (0, 3), 0] -= 0.04
    corners[-1, (1, 2), 0] += 0.04
    builder.quads(corners, pane, **tag)
    frame = (scene.palette.white, scene.palette.black, scene.palette.metal, scene.palette.trim)[int(rng.integers(4))]
    thick = float(rng.uniform(0.02, 0.06))
    inside = line + np.array([0.0, thick * 0.8])
    step = float(rng.uniform(0.7, 2.2))
    for at in np.linspace(z[0], z[1], max(2, int((z[1] - z[0]) / step) + 1)):
        rib = np.insert(inside, 2, at, axis=1)
        builder.mesh(*polyline_tubes(rib, thick, sides=4), frame, **tag)
    share = np.linspace(0, 1, max(3, int((x[1] - x[0]) / step) + 1))
    places = np.stack([np.interp(share, across[:, 0], inside[:, k]) for k in range(2)], 1)
    first, last = np.insert(places, 2, z[0], axis=1), np.insert(places, 2, z[1], axis=1)
    builder.mesh(*tubes(first, last, thick * 0.8, thick * 0.8, sides=4), frame, **tag)
    _girders(scene, inside, z, frame)
    if scene.day:
        scene.sky_lamp(x, z, eaves - 0.1, share=0.75)


def _girders(scene: HallScene, line: np.ndarray, z: Span, frame: Material) -> None:
    """Now and then heavy arches or beams under the glass; they count as ceiling."""
    rng = scene.rng
    if rng.random() < 0.4:
        return
    thick, count = float(rng.uniform(0.08, 0.25)), max(2, round((z[1] - z[0]) / float(rng.uniform(3.5, 7.0))))
    for at in z[0] + (z[1] - z[0]) * (np.arange(count) + 0.5) / count:
        girder = np.insert(line + np.array([0.0, thick]), 2, at, axis=1)
        scene.builder.mesh(*polyline_tubes(girder, thick, sides=4), frame, label="ceiling")


def closed_roof(scene: HallScene, x: Span, z: Span, eaves: float, *, shape: str, rise: float) -> None:
    """The same shapes as a ceiling, with beams or not."""
    across = profile(shape)
    line = np.stack([x[0] + across[:, 0] * (x[1] - x[0]), -(eaves + rise * across[:, 1])], 1)
    corners = np.empty((len(line) - 1, 4, 3))
    for corner, (points, end) in enumerate(
        ((line[:-1], z[0] - 0.04), (line[1:], z[0] - 0.04), (line[1:], z[1] + 0.04), (line[:-1], z[1] + 0.04))
    ):
        corners[:, corner, :2], corners[:, corner, 2] = points, end
    corners[0, (0, 3), 0] -= 0.04
    corners[-1, (1, 2), 0] += 0.04
    scene.builder.quads(corners, scene.palette.ceiling, label="ceiling")
    if scene.rng.random() < 0.6:
        _girders(scene, line, z, scene.palette.wood if scene.rng.random() < 0.6 else scene.palette.trim)
