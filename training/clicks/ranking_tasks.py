"""Clicks whose right answer is known, in photographs and worlds, from which the choice of a first mask is learned.

What does not depend on a network is worked out once and kept in a folder; an interrupted run goes on.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from core.errors import PanoError
from core.geometry.camera import Camera, pixel_solid_angles
from core.geometry.regions import farthest_point_inside, runs_inside, shortest_arc
from core.geometry.sphere import directions_to_lonlat, solid_angle
from core.geometry.warp import erp_to_camera
from core.io.atomic import atomic_file, make_folder
from core.progress import Progress, silent
from core.scene import Click
from core.segment.candidates import color_masks
from core.segment.looks import cameras_around_click
from core.segment.photo import PhotoLevels
from training.clicks.harvest import WorldRegions, photo_camera, photo_view
from training.clicks.photos import read_photo
from training.clicks.simulate import central_click, depths, random_click
from training.clicks.views import Level
from training.worlds.sample import read_sample

Bits = NDArray[np.bool_]

SMALLEST, LARGEST = 4e-4, 8.0
"""Steradians of an object that is clicked on."""
LARGE = 0.25
"""Steradians from which on one is called large: a cone of 32 degrees."""
_ONE_PIECE = 0.9
"""Share of a world's object that must be in one piece."""
_PER_VIEW = 2
_CENTRAL = 0.5
"""Share of the clicks that go to the middle of the object; the others go anywhere inside."""
_SIZE_POWER = 0.25
_TRIES = 4


@dataclass(frozen=True)
class TaskPlan:
    """How many clicks are made.

    Attributes:
        per_photo, per_world: In each photograph and each world, at most.
        large: Further ones in each world, on what is large, also skies.
        size: Pixels along each side of the views around a click.
        seed: Decides where.
    """

    per_photo: int = 16
    per_world: int = 5
    large: int = 3
    size: int = 128
    seed: int = 0


class Kind(IntEnum):
    """What is clicked on."""

    REGION = 0
    """Of a photograph."""
    THING = 1
    """Of a world."""
    STRUCTURE = 2
    """Of a world: a wall, a floor, a road."""


@dataclass(frozen=True, eq=False)
class RankingTask:
    """One click, and what is right in the k views around it.

    Attributes:
        click: Where.
        kind: Of what is right.
        truth: (k, s, s) bool.
        colored: (k, s, s) bool, what colours alone find; see `core.segment.candidates.color_masks`.
        whole: Steradians of the object, also beyond the views.
    """

    click: Click
    kind: Kind
    truth: Bits
    colored: Bits
    whole: float

    def ious(self, masks: Bits, views: NDArray[np.int64], areas: NDArray[np.float32]) -> NDArray[np.float64]:
        """IoU on the sphere of answers with the object; what an answer's view does not show, it lacks.

        Args:
            masks: (n, s, s) bool.
            views: (n,) number of the view that each belongs to.
            areas: (k, s, s) steradians of the views' pixels.
        """
        shared = (masks & self.truth[views]) * areas[views]
        own = masks * areas[views]
        inside = shared.sum(axis=(1, 2), dtype=np.float64)
        union = np.maximum(own.sum(axis=(1, 2), dtype=np.float64) + self.whole - inside, inside)
        return np.asarray(inside / np.maximum(union, 1e-12))


def write_photo_tasks(paths: Sequence[Path], out: Path, plan: TaskPlan, *, progress: Progress = silent) -> None:
    """Write a file of clicks for each photograph that has none yet.

    Regions of photographs are what `training.clicks.regions` makes out; those at the border of a view, whose rest is
    not known, are left out.

    Raises:
        PanoError: A photograph cannot be read.
    """
    make_folder(out)
    for done, path in enumerate(paths, start=1):
        target = task_file(out, path)
        if not target.exists():
            rng = _rng(plan, target)
            photo = PhotoLevels(task_photo(path, plan))
            tasks: list[RankingTask] = []
            for _ in range(_TRIES * plan.per_photo):
                if len(tasks) >= plan.per_photo:
                    break
                tasks += _photo_tasks(photo, path.name, plan, rng)
            _write(tasks[: plan.per_photo], target)
        progress(done, len(paths))


def write_world_tasks(paths: Sequence[Path], out: Path, plan: TaskPlan, *, progress: Progress = silent) -> None:
    """The same for generated worlds, whose objects are known exactly."""
    make_folder(out)
    for done, path in enumerate(paths, start=1):
        target = task_file(out, path)
        if not target.exists():
            rng = _rng(plan, target)
            world = read_sample(path)
            photo = PhotoLevels(np.ascontiguousarray(world.rgb))
            regions, structure = WorldRegions(world), world.instances == 0
            clicked = [*_world_clicks(regions, structure, plan.per_world, rng)]
            clicked += _large_clicks(regions, structure, plan.large, rng)
            tasks = [_task(photo, click, kind, mask, None, plan.size) for click, kind, mask in clicked]
            _write(tasks, target)
        progress(done, len(paths))


def task_file(folder: Path, source: Path) -> Path:
    """Where the clicks in a photograph or a world (*.npz) lie."""
    return folder / (f"world-{source.name}" if source.suffix == ".npz" else f"photo-{source.name}.npz")


def task_photo(path: Path, plan: TaskPlan) -> NDArray[np.uint8]:
    """The photograph or world of a file of tasks, developed as it was for them."""
    if path.suffix == ".npz":
        return np.ascontiguousarray(read_sample(path).rgb)
    return read_photo(path, np.random.default_rng((plan.seed, zlib.crc32(path.name.encode()))))


def read_tasks(path: Path) -> list[RankingTask]:
    """The clicks of one file.

    Raises:
        PanoError: It cannot be read.
    """
    try:
        with np.load(path, allow_pickle=False) as packed:
            size = int(packed["size"])
            clicks, wholes, kinds = packed["clicks"], packed["whole"], packed["kind"]
            truth, colored = (
                np.unpackbits(packed[name], axis=-1, count=size).view(np.bool_) for name in ("truth", "colored")
            )
    except (OSError, ValueError, KeyError, EOFError) as error:
        raise PanoError(f"Expected clicks with answers, got a broken file ({error}); remove it: {path}") from error
    return [
        RankingTask(Click(float(lon), float(lat)), Kind(int(kinds[n])), truth[n], colored[n], float(wholes[n]))
        for n, (lon, lat) in enumerate(clicks)
    ]


def _write(tasks: Sequence[RankingTask], path: Path) -> None:
    bits = {
        name: np.packbits(np.stack([getattr(task, name) for task in tasks]), axis=-1)
        if tasks
        else np.zeros((0, 0, 0, 0), np.uint8)
        for name in ("truth", "colored")
    }
    with atomic_file(path) as stream:
        np.savez_compressed(
            stream,
            allow_pickle=False,
            clicks=np.array([(task.click.lon, task.click.lat) for task in tasks]).reshape(-1, 2),
            kind=np.array([task.kind for task in tasks], np.int8),
            whole=np.array([task.whole for task in tasks]),
            size=np.array(tasks[0].truth.shape[-1] if tasks else 0),
            **bits,
        )


def _rng(plan: TaskPlan, target: Path) -> np.random.Generator:
    return np.random.default_rng((plan.seed, zlib.crc32(target.name.encode())))


def _photo_tasks(photo: PhotoLevels, name: str, plan: TaskPlan, rng: np.random.Generator) -> Iterator[RankingTask]:
    """Clicks into the regions of one random view."""
    camera = photo_camera(photo.rgb.shape[1], rng)
    view = photo_view(photo.rgb, camera, name)
    if view is None:
        return
    for _ in range(_PER_VIEW):
        region = int(rng.choice(len(view.spans), p=view.weights / view.weights.sum()))
        spot = _spot(view.mask(region), rng)
        if spot is None:
            continue
        leaf = view.leaves[spot]
        around = np.flatnonzero((view.spans[:, 0] <= leaf) & (leaf < view.spans[:, 1]))
        # What stands out most around the click is called the object.
        meant = int(around[np.argmax(view.weights[around])])
        whole = float(view.whole[meant])
        if not SMALLEST <= whole <= LARGEST:
            continue
        lon, lat = directions_to_lonlat(camera.directions(spot[1] + 0.5, spot[0] + 0.5))
        yield _task(photo, Click(float(lon), float(lat)), Kind.REGION, view.mask(meant), camera, plan.size)


def _spot(mask: Bits, rng: np.random.Generator) -> tuple[int, int] | None:
    return central_click(mask) if rng.random() < _CENTRAL else random_click(mask, rng)


def _world_clicks(
    regions: WorldRegions, structure: Bits, count: int, rng: np.random.Generator
) -> Iterator[tuple[Click, Kind, Bits]]:
    """Clicks on objects that are drawn by weight and size, with their kinds and masks."""
    objects = int((regions.levels == Level.OBJECT).sum())
    fitting = (regions.whole[:objects] >= SMALLEST) & (regions.whole[:objects] <= LARGEST)
    chance = np.where(fitting, regions.weights[:objects] * np.maximum(regions.whole[:objects], 0) ** _SIZE_POWER, 0)
    drawn = min(2 * count, int(np.count_nonzero(chance)))
    left = count
    for number in rng.choice(objects, drawn, replace=False, p=chance / chance.sum()) if drawn else ():
        mask = np.asarray(regions.leaves == number)
        if left == 0:
            break
        if _is_one_piece(mask):
            left -= 1
            yield _click_on(mask, rng), Kind.STRUCTURE if structure[mask][0] else Kind.THING, mask


def _large_clicks(
    regions: WorldRegions, structure: Bits, count: int, rng: np.random.Generator
) -> Iterator[tuple[Click, Kind, Bits]]:
    """Clicks on objects of which no view shows much, each as likely as the others."""
    sizes = regions.whole[regions.levels == Level.OBJECT]
    for number in rng.permutation(np.flatnonzero((sizes >= LARGE) & (sizes <= LARGEST)))[:count]:
        mask = np.asarray(regions.leaves == number)
        if _is_one_piece(mask):
            yield _click_on(mask, rng), Kind.STRUCTURE if structure[mask][0] else Kind.THING, mask


def _is_one_piece(mask: Bits) -> bool:
    areas = runs_inside(mask).solid_angles()
    return bool(areas.max() >= _ONE_PIECE * areas.sum())


def _click_on(mask: Bits, rng: np.random.Generator) -> Click:
    return Click(*farthest_point_inside(mask)) if rng.random() < _CENTRAL else _anywhere(mask, rng)


def _anywhere(mask: Bits, rng: np.random.Generator) -> Click:
    """A random direction inside a mask on the panorama's grid, rather inside than at the border."""
    height, width = mask.shape
    first, _ = shortest_arc(np.asarray(mask.any(axis=0)))
    chance = depths(np.roll(mask, -first, axis=1)).astype(np.float64) ** 1.5 * solid_angle(height, width)
    spot = int(rng.choice(chance.size, p=chance.ravel() / chance.sum()))
    row, col = spot // width, (spot + first) % width
    return Click(((col + 0.5) / width - 0.5) * 2 * math.pi, (0.5 - (row + 0.5) / height) * math.pi)


def _task(photo: PhotoLevels, click: Click, kind: Kind, mask: Bits, seen_by: Camera | None, size: int) -> RankingTask:
    """A click on a mask that lies on the panorama's grid or, with `seen_by`, in a camera's view."""
    cameras = cameras_around_click(click, size)
    colored = color_masks(cameras, np.stack([photo.view(camera) for camera in cameras]), click)
    if seen_by is None:
        truth = np.stack([erp_to_camera(mask, camera, nearest=True) for camera in cameras])
        whole = float((mask * solid_angle(*mask.shape)).sum())
    else:
        truth = np.stack([_turned(mask, seen_by, camera) for camera in cameras])
        whole = float((mask * pixel_solid_angles(seen_by.width, seen_by.fov_x)).sum())
    return RankingTask(click, kind, truth, colored, whole)


def _turned(mask: Bits, seen_by: Camera, camera: Camera) -> Bits:
    """A mask of one camera's view in another's; nothing is inside beyond the first."""
    u, v = seen_by.project(camera.rays())
    with np.errstate(invalid="ignore"):
        known = (u >= 0) & (u < seen_by.width) & (v >= 0) & (v < seen_by.height)
    turned = np.zeros(camera.size, np.bool_)
    turned[known] = mask[v[known].astype(np.int64), u[known].astype(np.int64)]
    return turned
