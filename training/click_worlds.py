"""Objects of generated worlds for judging clicks: wide ones, ones on the seam and at the poles, and plain ones.

Photographs with hand-drawn objects hold none that is wider than one view, so what a sweep around the sphere is good for
shows on worlds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from core.geometry.dilation import dilate
from core.geometry.regions import farthest_point_inside, runs_inside
from core.panorama import Panorama
from core.progress import Progress, silent
from core.scene import Click
from training.click_evaluate import ClickRow, DrawnObject, Method, judge_object, told_apart
from training.clicks.harvest import WorldRegions
from training.clicks.views import Level
from training.worlds.sample import WorldSample, read_sample

KINDS = ("wide", "seam", "pole", "plain")
"""More than 120 degrees across; across the seam; holding a pole; none of these."""
WIDE = np.radians(120)
"""Between the two directions of an object that lie farthest apart."""
SMALLEST, LARGEST = 1e-3, 8.0
"""Steradians of an object that is asked for: two degrees across, two thirds of the sphere."""
ONE_PIECE = 0.9
"""Share of an object that must be in one piece, or one click could not mean it."""


@dataclass(frozen=True, eq=False)
class WorldObject:
    """An object of a world, with how it lies on the sphere."""

    kind: str
    drawn: DrawnObject


def world_objects(world: WorldSample, *, per_kind: int, seed: int = 0) -> list[WorldObject]:
    """Objects of each kind, drawn at random; the click lies at the point farthest from the border."""
    regions = WorldRegions(world)
    by_kind: dict[str, list[WorldObject]] = {kind: [] for kind in KINDS}
    for number in np.random.default_rng(seed).permutation(int((regions.levels == Level.OBJECT).sum())):
        if not SMALLEST <= regions.whole[number] <= LARGEST:
            continue
        mask = np.asarray(regions.leaves == number)
        kind = _kind_of(mask)
        if len(by_kind[kind]) == per_kind:
            continue
        areas = runs_inside(mask).solid_angles()
        if areas.max() >= ONE_PIECE * areas.sum():
            drawn = DrawnObject(f"{kind} {number}", Click(*farthest_point_inside(mask)), mask)
            by_kind[kind].append(WorldObject(kind, drawn))
    return [item for kind in KINDS for item in by_kind[kind]]


def _kind_of(mask: np.ndarray) -> str:
    if mask[0].any() or mask[-1].any():
        return "pole"
    # Longitudes crowd at the poles, so the extent is an angle: whatever is so far from a pixel lies near its antipode.
    antipodes = np.roll(mask[::-1], mask.shape[1] // 2, axis=1)
    if (dilate(antipodes, np.pi - WIDE) & mask).any():
        return "wide"
    return "seam" if mask[:, 0].any() and mask[:, -1].any() else "plain"


def evaluate_worlds(
    files: Sequence[Path],
    methods: Mapping[str, Method],
    *,
    clicks: int,
    per_kind: int = 1,
    progress: Progress = silent,
) -> list[ClickRow]:
    """Judge methods on worlds; a row's picture is the kind of object.

    Args:
        files: Worlds.
        methods: By name; each gets every object.
        clicks: How many every object gets.
        per_kind: Objects of each kind and world.
        progress: Called after each world.
    """
    rows = []
    stems = told_apart([path.stem for path in files])
    for done, (path, stem) in enumerate(zip(files, stems, strict=True), start=1):
        world = read_sample(path)
        objects = world_objects(world, per_kind=per_kind)
        panorama = Panorama(np.ascontiguousarray(world.rgb))
        for name, method in methods.items():
            answer = method(panorama)
            rows += [
                ClickRow(item.kind, f"{stem} {item.drawn.name}", name, judge_object(answer, item.drawn, clicks))
                for item in objects
            ]
        progress(done, len(files))
    return rows
