"""Views with regions out of photographs and generated worlds, as shards in a folder; an interrupted run goes on."""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from core.geometry.camera import Camera
from core.geometry.regions import components
from core.geometry.sphere import solid_angle
from core.geometry.warp import erp_to_camera
from core.io.atomic import make_folder
from core.progress import Progress, silent
from training.clicks.photos import read_photo
from training.clicks.regions import RegionFilter, notable_regions, region_tree
from training.clicks.views import Level, RegionView, write_views
from training.config import check_limits
from training.worlds.classes import CLASS_NAMES, UNLABELLED
from training.worlds.sample import WorldSample, read_sample

SIZE = 256
WIDEST = math.radians(105)
NARROWEST = math.radians(14)
_BLUR = 1.6
_WORLD_BLUR = 2.8
"""A view may have at most this many pixels for one of the photograph's or the world's, along each side."""
_LEAST_REGIONS = 3
_STRUCTURE_WEIGHT = 0.25
"""A wall or a road is clicked less often than a thing."""
_NOT_POINTED_AT = ("sky",)


@dataclass(frozen=True)
class HarvestPlan:
    """How many views are taken.

    Attributes:
        per_large, per_small: Views of a photograph wider, or not wider, than 2048 pixels.
        per_world: Views of a generated world.
        seed: Decides where they look.
    """

    per_large: int = 300
    per_small: int = 70
    per_world: int = 10
    seed: int = 0

    def __post_init__(self) -> None:
        counts = dict.fromkeys(("per_large", "per_small", "per_world"), (0, math.inf))
        check_limits(self, {**counts, "seed": (0, 2**63 - 1)})


def harvest_photos(paths: Sequence[Path], out: Path, plan: HarvestPlan, *, progress: Progress = silent) -> int:
    """Write a shard for each photograph that has none yet; returns how many views were written.

    A shard depends on the photograph, its name and the plan alone.

    Raises:
        PanoError: A photograph cannot be read.
    """

    def views_of(path: Path, rng: np.random.Generator) -> Iterator[RegionView]:
        rgb = read_photo(path, rng)
        count = plan.per_large if rgb.shape[1] > 2048 else plan.per_small
        for _ in range(count):
            view = _photo_view(rgb, path.name, rng)
            if view is not None:
                yield view

    return _harvest([(path, f"photo-{path.name}") for path in paths], out, plan, views_of, progress)


def harvest_worlds(paths: Sequence[Path], out: Path, plan: HarvestPlan, *, progress: Progress = silent) -> int:
    """The same for generated worlds, whose objects are known exactly."""

    def views_of(path: Path, rng: np.random.Generator) -> Iterator[RegionView]:
        world = read_sample(path)
        regions = WorldRegions(world)
        for _ in range(plan.per_world):
            view = _world_view(world, regions, path.name, rng)
            if view is not None:
                yield view

    return _harvest([(path, f"world-{path.stem}") for path in paths], out, plan, views_of, progress)


def _harvest(
    tasks: Sequence[tuple[Path, str]],
    out: Path,
    plan: HarvestPlan,
    views_of: Callable[[Path, np.random.Generator], Iterator[RegionView]],
    progress: Progress,
) -> int:
    make_folder(out)
    written = 0
    for done, (path, name) in enumerate(tasks, start=1):
        target = out / f"{name}.npz"
        if not target.exists():
            views = list(views_of(path, np.random.default_rng((plan.seed, zlib.crc32(name.encode())))))
            write_views(views, target)
            written += len(views)
        progress(done, len(tasks))
    return written


def _photo_view(rgb: NDArray[np.uint8], source: str, rng: np.random.Generator) -> RegionView | None:
    return photo_view(rgb, photo_camera(rgb.shape[1], rng), source)


def photo_camera(width: int, rng: np.random.Generator) -> Camera:
    """A random camera into a photograph `width` pixels wide, such as views are taken by."""
    return _random_camera(math.exp(rng.uniform(math.log(_narrowest(width, _BLUR)), math.log(WIDEST))), rng)


def photo_view(rgb: NDArray[np.uint8], camera: Camera, source: str) -> RegionView | None:
    """The regions that stand out in a view of a photograph; None when they are too few.

    Args:
        rgb: (h, w, 3) panorama.
        camera: That takes the view.
        source: Name of the photograph.
    """
    picture = erp_to_camera(rgb, camera)
    tree = region_tree(picture)
    chosen, scores = notable_regions(tree, RegionFilter())
    if len(chosen) < _LEAST_REGIONS:
        return None
    view = RegionView(
        rgb=picture,
        leaves=tree.leaves,
        spans=tree.spans[chosen],
        levels=np.full(len(chosen), Level.UNKNOWN, np.int8),
        weights=scores,
        whole=np.full(len(chosen), np.nan, np.float32),
        fov=camera.fov_x,
        source=source,
    )
    areas = view.solid_angles()
    whole = [areas[view.mask(k)].sum() if tree.at_border[chosen[k]] == 0 else np.nan for k in range(len(chosen))]
    view.whole[:] = whole
    return view


def _narrowest(width: int, blur: float) -> float:
    """Radians across the narrowest view that a panorama `width` pixels wide is fine enough for."""
    return min(max(NARROWEST, SIZE / blur * 2 * math.pi / width), WIDEST)


def _random_camera(fov: float, rng: np.random.Generator) -> Camera:
    everywhere = rng.random() < 0.3
    pitch = math.asin(rng.uniform(-1, 1)) if everywhere else math.radians(rng.normal(-8, 20))
    return Camera(
        yaw=rng.uniform(-math.pi, math.pi),
        pitch=float(np.clip(pitch, -math.pi / 2, math.pi / 2)),
        roll=math.radians(rng.normal(0, 5)),
        fov_x=fov,
        height=SIZE,
        width=SIZE,
    )


class WorldRegions:
    """Objects and groups of a generated world as ranges of leaf numbers on its grid.

    An object is an instance, or a connected piece of structure of one class; a group holds the objects of one class
    that touch. Numbers run through groups, so that each object and each group is a range.

    Args:
        world: With instances and classes.

    Attributes:
        leaves: (h, w) uint16, one number per object.
        spans: (n, 2) int32; objects first, in the order of their numbers, then groups of several.
        levels: (n,) int8.
        weights: (n,) float32; 0 for what nobody points at.
        whole: (n,) float32 steradians.
    """

    def __init__(self, world: WorldSample) -> None:
        objects, classes = _objects_of(world)
        groups = _touching_groups(objects, classes)
        order = np.argsort(groups, kind="stable")
        number = np.empty(len(order), np.int64)
        number[order] = np.arange(len(order))
        self.leaves: NDArray[np.uint16] = number[objects].astype(np.uint16)
        height, width = objects.shape
        areas = np.broadcast_to(solid_angle(height, width), objects.shape)
        sizes = np.bincount(self.leaves.ravel(), areas.ravel(), len(order))
        structure = np.bincount(objects.ravel(), (world.instances == 0).ravel(), len(order))[order] > 0
        weights = np.where(structure, _STRUCTURE_WEIGHT, 1.0)
        hidden = np.isin(classes[order], [CLASS_NAMES.index(name) for name in _NOT_POINTED_AT])
        weights[hidden] = 0.0
        starts = np.flatnonzero(np.diff(groups[order], prepend=-1))
        ends = np.append(starts[1:], len(order))
        several = (ends - starts > 1) & ~structure[starts]
        objects_spans = np.stack([np.arange(len(order)), np.arange(len(order)) + 1], axis=1)
        group_spans = np.stack([starts[several], ends[several]], axis=1)
        totals = np.concatenate([[0.0], np.cumsum(sizes)])
        self.spans: NDArray[np.int32] = np.concatenate([objects_spans, group_spans]).astype(np.int32)
        self.levels: NDArray[np.int8] = np.repeat(
            np.array([Level.OBJECT, Level.GROUP], np.int8), [len(order), len(group_spans)]
        )
        self.weights: NDArray[np.float32] = np.concatenate([weights, np.full(len(group_spans), 0.3)]).astype(np.float32)
        self.whole: NDArray[np.float32] = (totals[self.spans[:, 1]] - totals[self.spans[:, 0]]).astype(np.float32)


def _objects_of(world: WorldSample) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(h, w) object numbers from 0 without gaps, and the class of each."""
    structure = np.where(world.instances == 0, world.classes.astype(np.int64) + 1, 0)
    pieces = np.zeros(structure.shape, np.int64)
    count = 0
    for kind in np.unique(structure[structure > 0]):
        labels, found = components(structure == kind)
        pieces += np.where(labels > 0, labels + count, 0)
        count += found
    raw = np.where(world.instances > 0, world.instances.astype(np.int64) + count, pieces)
    _, first, numbers = np.unique(raw, return_index=True, return_inverse=True)
    return numbers.reshape(raw.shape), world.classes.ravel()[first].astype(np.int64)


def _touching_groups(objects: NDArray[np.int64], classes: NDArray[np.int64]) -> NDArray[np.int64]:
    """A number per object that those of one class share which touch, directly or over others of the class."""
    parent = np.arange(len(classes))

    def root(of: int) -> int:
        while parent[of] != of:
            parent[of] = parent[parent[of]]
            of = int(parent[of])
        return of

    beside = np.stack([objects, np.roll(objects, -1, axis=1)], axis=-1).reshape(-1, 2)
    below = np.stack([objects[:-1], objects[1:]], axis=-1).reshape(-1, 2)
    pairs = np.concatenate([beside, below])
    pairs = pairs[pairs[:, 0] != pairs[:, 1]]
    pairs = pairs[(classes[pairs[:, 0]] == classes[pairs[:, 1]]) & (classes[pairs[:, 0]] != UNLABELLED)]
    for a, b in np.unique(np.sort(pairs, axis=1), axis=0):
        parent[root(int(a))] = root(int(b))
    return np.array([root(k) for k in range(len(classes))])


def _world_view(world: WorldSample, regions: WorldRegions, source: str, rng: np.random.Generator) -> RegionView | None:
    """A view that holds an object drawn by weight and the root of its size, not always whole."""
    height, width = world.instances.shape
    count = int((regions.levels == Level.OBJECT).sum())
    chance = regions.weights[:count] * np.sqrt(np.maximum(regions.whole[:count], 0))
    chance[regions.whole[:count] < 4e-4] = 0
    if chance.sum() <= 0:
        return None
    target = rng.choice(count, p=chance / chance.sum())
    rows, cols = np.nonzero(regions.leaves == target)
    spot = rng.integers(len(rows))
    lon = ((cols[spot] + 0.5) / width - 0.5) * 2 * math.pi
    lat = (0.5 - (rows[spot] + 0.5) / height) * math.pi
    across = 2 * math.sqrt(float(regions.whole[target]) / math.pi)
    fov = float(
        np.clip(across * math.exp(rng.uniform(math.log(1.2), math.log(6))), _narrowest(width, _WORLD_BLUR), WIDEST)
    )
    away = fov * 0.2
    camera = Camera(
        yaw=lon + rng.uniform(-away, away),
        pitch=float(np.clip(lat + rng.uniform(-away, away), -math.pi / 2, math.pi / 2)),
        roll=math.radians(rng.normal(0, 5)),
        fov_x=fov,
        height=SIZE,
        width=SIZE,
    )
    leaves = erp_to_camera(regions.leaves, camera, nearest=True)
    # Only regions of which enough can be seen are kept, at least two hundredths of a percent of the view.
    seen = np.bincount(leaves.ravel(), minlength=count)
    totals = np.concatenate([[0], np.cumsum(seen)])
    visible = totals[regions.spans[:, 1]] - totals[regions.spans[:, 0]]
    kept = np.flatnonzero((visible >= 130) & (visible <= 0.8 * SIZE * SIZE) & (regions.weights > 0))
    if len(kept) == 0:
        return None
    return RegionView(
        rgb=erp_to_camera(world.rgb, camera),
        leaves=leaves,
        spans=regions.spans[kept],
        levels=regions.levels[kept],
        weights=regions.weights[kept],
        whole=regions.whole[kept],
        fov=fov,
        source=source,
    )
