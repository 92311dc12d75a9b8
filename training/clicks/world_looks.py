"""What is seen of a generated world's objects: by a view around a click, and by the views of the zigzag.

Whole floors, walls and skies are asked for here, which the views that are kept on disk hold rarely: an object may fill
a view, reach beyond it on all sides, or be around the corner.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from core.geometry.camera import Camera, pixel_solid_angles
from core.geometry.sphere import angle_between, lonlat_to_directions
from core.geometry.tiling import zigzag_tiles
from core.geometry.warp import erp_to_camera
from training.clicks.harvest import WorldRegions
from training.clicks.samples import READINGS, ClickSample, Frame
from training.clicks.simulate import random_click
from training.clicks.views import Level
from training.sequences import AWAY, LEAST_PX, ViewSequence, maps_between, within
from training.worlds.sample import WorldSample

LEAST_SR, LARGEST_SR = 4e-4, 8.0
_FOLLOWED_SR = 0.02
"""Steradians from which on an object is followed through the zigzag."""
_NARROWEST, _WIDEST = math.radians(10), math.radians(105)
_BLUR = 2.8
"""A view may have at most this many pixels for one of the world's, along each side."""
_FOVS_DEG, _FOV_CHANCES = (90.0, 95.0, 100.0), (0.7, 0.15, 0.15)
_START = math.radians(25), math.radians(110)
"""Fields of view of what a first mask is known in."""
_REACH = math.radians(60)
"""A step goes at most so far, from axis to axis."""
_SAMPLED = 4
"""Every so many rows and columns of an object are asked which views see them."""


class OpenWorld(NamedTuple):
    """What is needed of a world, which is much less than all of it: (h, w, 3) sRGB, and its objects."""

    rgb: NDArray[np.uint8]
    regions: WorldRegions


@dataclass(frozen=True, eq=False)
class _Target:
    """An object and a click into it: indices of regions per reading, the direction of the click, and steradians."""

    index: int
    levels: list[int]
    click: NDArray[np.float64]
    whole: float


def open_world(world: WorldSample) -> OpenWorld:
    """Make a world ready."""
    return OpenWorld(world.rgb, WorldRegions(world))


def mirrored(world: OpenWorld) -> OpenWorld:
    """The same world with west and east changed."""
    regions = copy(world.regions)
    regions.leaves = np.ascontiguousarray(world.regions.leaves[:, ::-1])
    return OpenWorld(np.ascontiguousarray(world.rgb[:, ::-1]), regions)


def world_look(world: OpenWorld, size: int, rng: np.random.Generator) -> ClickSample | None:
    """A view around a click into an object, large objects preferred; None when it shows too little of it.

    Args:
        world: Where.
        size: Pixels along each side of the view, even.
        rng: Random numbers.
    """
    target = _target(world.regions, LEAST_SR, rng)
    if target is None:
        return None
    across = 2 * math.sqrt(target.whole / math.pi)
    finest = size / _BLUR * 2 * math.pi / world.rgb.shape[1]
    narrowest = min(max(_NARROWEST, finest, 0.4 * min(across, 1.0)), _WIDEST)
    camera = _around(target.click, math.exp(rng.uniform(math.log(narrowest), math.log(_WIDEST))), size)
    frame = _frame(world, target.levels, camera)
    if frame.meant.sum() < LEAST_PX:
        return None
    return ClickSample(frame, int(Level.OBJECT), np.full(2, size / 2, np.float32), centred=True)


def world_sequence(
    world: OpenWorld, size: int, count: int, rng: np.random.Generator, *, started: bool
) -> ViewSequence | None:
    """Frames of a zigzag in which an object is followed; large objects are preferred.

    Each next frame sees, as in the sweep, some of what is known already and mostly more of the object; now and then it
    is a neighbour that holds none of it.

    Args:
        world: Where.
        size: Pixels along each side of a frame, even.
        count: Frames.
        rng: Random numbers.
        started: Whether a first mask is known from a view around the click.

    Returns:
        The frames, or None when the world has no object for it.
    """
    target = _target(world.regions, _FOLLOWED_SR, rng)
    if target is None:
        return None
    tiles = _tiles_around(target.click, size, math.radians(rng.choice(_FOVS_DEG, p=_FOV_CHANCES)), rng)
    start = None
    if started:
        across = 2 * math.sqrt(target.whole / math.pi)
        start = _around(target.click, float(np.clip(across * math.exp(rng.uniform(-0.5, 0.6)), *_START)), size)
    chosen = _visit(world.regions, target, tiles, start, count, rng)
    cameras = [tiles[number] for number in chosen]
    frames = [_frame(world, target.levels, camera) for camera in cameras]
    points = np.array([_seen_at(camera, target.click) for camera in cameras], np.float32)
    if frames[0].meant.sum() < LEAST_PX or (start is None and np.isnan(points[0]).any()):
        return None
    seen = [*cameras, start] if start is not None else cameras
    axes = np.array([camera.world_from_camera[:, 2] for camera in cameras])
    half = len(tiles) // 2
    order = np.array(chosen, np.float32)
    return ViewSequence(
        frames,
        int(Level.OBJECT),
        points,
        None if start is None else _frame(world, target.levels, start).meant,
        maps_between([[homography(here, there) for there in seen] for here in cameras], count),
        ((order[:, None] - order[None] + half) % len(tiles) - half).astype(np.float32),
        angle_between(axes[:, None], axes[None]).astype(np.float32),
    )


def _target(regions: WorldRegions, least: float, rng: np.random.Generator) -> _Target | None:
    """An object of at least so many steradians, by the root of its size, and a click into it."""
    objects = np.flatnonzero(regions.levels == Level.OBJECT)
    areas = regions.whole[objects]
    chance = np.sqrt(areas) * ((areas >= least) & (areas <= LARGEST_SR))
    if chance.sum() <= 0:
        return None
    index = int(rng.choice(objects, p=chance / chance.sum()))
    spot = random_click(regions.leaves == regions.spans[index, 0], rng)
    if spot is None:
        return None
    levels = [-1] * READINGS
    levels[Level.OBJECT] = index
    holding = np.flatnonzero(
        (regions.levels == Level.GROUP)
        & (regions.spans[:, 0] <= regions.spans[index, 0])
        & (regions.spans[:, 1] >= regions.spans[index, 1])
    )
    if len(holding):
        levels[Level.GROUP] = int(holding[0])
    height, width = regions.leaves.shape
    lon, lat = ((spot[1] + 0.5) / width - 0.5) * 2 * math.pi, (0.5 - (spot[0] + 0.5) / height) * math.pi
    return _Target(index, levels, lonlat_to_directions(lon, lat), float(regions.whole[index]))


def _around(direction: NDArray[np.float64], fov_x: float, size: int) -> Camera:
    """The upright view with a direction in its middle."""
    x, y, z = (float(part) for part in direction)
    return Camera(math.atan2(x, z), math.atan2(-y, math.hypot(x, z)), 0.0, fov_x, size, size)


def _tiles_around(click: NDArray[np.float64], size: int, fov_x: float, rng: np.random.Generator) -> tuple[Camera, ...]:
    """The views of a zigzag, turned at random, in the order of a path whose first column sees the click best."""
    tiles = zigzag_tiles(size, fov_x=fov_x)
    turn = rng.uniform(0, 2 * math.pi)
    axes = np.array([_turned(camera, turn).world_from_camera[:, 2] for camera in tiles])
    turn += tiles[int(np.argmax(axes @ click))].yaw
    return tuple(_turned(camera, turn) for camera in tiles)


def _turned(camera: Camera, yaw: float) -> Camera:
    return replace(camera, yaw=math.remainder(camera.yaw + yaw, 2 * math.pi))


def _visit(
    regions: WorldRegions,
    target: _Target,
    tiles: Sequence[Camera],
    start: Camera | None,
    count: int,
    rng: np.random.Generator,
) -> list[int]:
    """Numbers of the views that are looked at, in their order."""
    directions, areas = _spread(regions, target.index)
    holds = np.stack([_sees(camera, directions) for camera in tiles])  # (views, directions)
    axes = np.array([camera.world_from_camera[:, 2] for camera in tiles])
    nearest = np.argsort(-axes @ target.click)
    chosen: list[int] = []
    known = np.zeros(len(directions), bool)
    if start is None:
        chosen.append(int(nearest[0] if rng.random() < 0.8 else nearest[1]))
        known |= holds[chosen[0]]
    else:
        known |= _sees(start, directions)
    while len(chosen) < count:
        free = np.ones(len(tiles), bool)
        free[chosen] = False
        at = np.array([target.click, *(axes[number] for number in chosen)])
        near = (axes @ at.T).max(axis=1) > math.cos(_REACH)
        more, shared = (holds & ~known) @ areas, (holds & known) @ areas
        empty = free & near & (more + shared <= 0)
        if chosen and empty.any() and rng.random() < AWAY:
            number = int(rng.choice(np.flatnonzero(empty)))
        else:
            # What is known already counts a little: objects that are seen whole are met again, too.
            chance = free * (shared > 0) * (more + 0.1 * shared)
            if chance.sum() <= 0:
                chance = (free & near).astype(np.float64)
            number = int(rng.choice(len(tiles), p=chance / chance.sum()))
        chosen.append(number)
        known |= holds[number]
    return chosen


def _spread(regions: WorldRegions, index: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Directions all over an object, (n, 3), and the area that each stands for."""
    coarse = regions.leaves[::_SAMPLED, ::_SAMPLED] == regions.spans[index, 0]
    if not coarse.any():
        coarse = regions.leaves == regions.spans[index, 0]
    rows, cols = np.nonzero(coarse)
    lat = (0.5 - (rows + 0.5) / coarse.shape[0]) * math.pi
    lon = ((cols + 0.5) / coarse.shape[1] - 0.5) * 2 * math.pi
    return lonlat_to_directions(lon, lat), np.cos(lat)


def _sees(camera: Camera, directions: NDArray[np.float64]) -> NDArray[np.bool_]:
    u, v = camera.project(directions)
    # A direction behind the camera is NaN, which lies nowhere.
    seen: NDArray[np.bool_] = (u >= 0) & (u <= camera.width) & (v >= 0) & (v <= camera.height)
    return seen


def _frame(world: OpenWorld, levels: Sequence[int], camera: Camera) -> Frame:
    regions, half = world.regions, camera.width // 2
    leaves = erp_to_camera(regions.leaves, replace(camera, height=half, width=half), nearest=True)
    masks = np.zeros((READINGS, half, half), bool)
    whole = np.full(READINGS, np.nan, np.float32)
    for reading, index in enumerate(levels):
        if index >= 0:
            masks[reading] = (leaves >= regions.spans[index, 0]) & (leaves < regions.spans[index, 1])
            whole[reading] = regions.whole[index]
    return Frame(
        rgb=erp_to_camera(world.rgb, camera).astype(np.float32) / np.float32(255),
        masks=masks,
        known=np.array([index >= 0 for index in levels]),
        meant=masks[Level.OBJECT],
        judged=np.ones((half, half), bool),
        areas=pixel_solid_angles(half, camera.fov_x),
        whole=whole,
        meant_whole=float(whole[Level.OBJECT]),
        fov=camera.fov_x,
    )


def _seen_at(camera: Camera, direction: NDArray[np.float64]) -> NDArray[np.float64]:
    u, v = camera.project(direction)
    return within(np.array([u, v]), camera.width)


def homography(here: Camera, there: Camera) -> NDArray[np.float64]:
    """(3, 3) from continuous pixels of one camera to those of another with the same size."""
    matrices = []
    for camera in (here, there):
        middle = camera.width / 2
        matrices.append(np.array([[camera.focal_px, 0, middle], [0, camera.focal_px, middle], [0, 0, 1]]))
    turn = there.world_from_camera.T @ here.world_from_camera
    mapping: NDArray[np.float64] = matrices[1] @ turn @ np.linalg.inv(matrices[0])
    return mapping
