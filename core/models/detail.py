"""A panorama's depth at the photograph's size, with the detail that perspective tiles see.

A network of whole panoramas knows how the scene hangs together, in few pixels; tiles of the photograph show a
perspective network what it missed. Each tile gets the factor, and shift where its kind needs one, with which it agrees
best with the low-resolution depth and with its neighbours, and where the tiles know nothing, what was there remains.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from core.errors import ModelUnavailable
from core.geometry.alignment import align_tiles, border_weights, even_directions
from core.geometry.camera import Camera
from core.geometry.merge import merge_surfaces
from core.geometry.tiling import ring_tiles
from core.geometry.warp import sample_erp
from core.models import ModelSpec, find_model, load_model
from core.models.base import Task
from core.models.perspective_folder import ENTRY
from core.models.tiled import DepthKind, Tiled, TileNetwork, TileReading, depth_terms, inverse_range, read_tiles
from core.prediction import Prediction
from core.progress import Progress, silent, stage

F32 = NDArray[np.float32]

LEAST_FOV = math.radians(35)
WIDEST_FOV = math.pi / 2
"""Of a tile: with less, a network sees too little to tell what it sees, and the tiles are as many as the square."""
MOST_OFF = 0.4
"""Typical relative difference from the low-resolution depth from which on a tile is not believed."""
ENOUGH = 0.15
"""Weight of the tiles from which on nothing else counts: what a covering set of them reaches everywhere."""
SAMPLES = 40_000
READ = 0.9


def refine_by_tiles(
    prediction: Prediction,
    coarse: F32,
    rgb: NDArray[np.uint8],
    network: TileNetwork,
    *,
    valid: NDArray[np.bool_] | None = None,
    level_from_world: ArrayLike | None = None,
    progress: Progress = silent,
) -> Prediction:
    """A prediction whose depth is that of perspective tiles, brought to the scale of a coarse one.

    Args:
        prediction: On the grid of `rgb`; its depth remains where tiles know nothing, its far where they do.
        coarse: (h, w) depth that the tiles are brought to: as the network said it, before it was made larger.
        rgb: (H, W, 3) sRGB uint8.
        network: Says something about depth.
        valid: (H, W) False where the photograph saw nothing.
        level_from_world: (3, 3) rotation that levels the photograph; tiles stand upright then.
        progress: Called after each tile; may raise `Cancelled`.

    Returns:
        The prediction with another depth, and the network's name behind the model's.

    Raises:
        ValueError: The network says nothing about depth, or there is no depth to refine.
        ModelUnavailable: A single tile does not fit into the device's memory.
    """
    kind = network.depth_kind
    if kind is None or prediction.depth is None:
        raise ValueError("detail needs depth, of the prediction and of the network")
    height, width = rgb.shape[:2]
    cameras = detail_tiles(network.size, height, level_from_world)
    readings = list(read_tiles(network, rgb, cameras, valid=valid, progress=stage(progress, 0.0, READ)))
    tiles, views = _brought_to(coarse, readings, kind)
    depth = prediction.depth
    if tiles:
        depth = _blended(depth, *merge_surfaces(tiles, views, height, width))
        if prediction.far is not None:
            depth[prediction.far] = np.nan
    progress(1000, 1000)
    return replace(prediction, depth=depth, model=f"{prediction.model} + {network.name}")


def load_detail(choice: str, *, device: str = "auto") -> TileNetwork:
    """The perspective network that a choice of a model means.

    Raises:
        ModelUnavailable: As for `load_model`, or it is no perspective network that says depth.
    """
    find_detail(choice)
    return cast(Tiled, load_model(choice, device=device)).network


def find_detail(choice: str) -> ModelSpec:
    """As `find_model`, for perspective networks that say depth.

    Raises:
        ModelUnavailable: It is none; nothing was read but what the model says about itself.
    """
    spec = find_model(choice)
    if spec.entry != ENTRY or Task.DEPTH not in spec.tasks:
        raise ModelUnavailable(
            f"Detail from tiles needs a perspective network for depth, got {spec.name}; name the folder or hub name of "
            "one with --detail-model."
        )
    return spec


def detail_tiles(size: int, height: int, level_from_world: ArrayLike | None = None) -> tuple[Camera, ...]:
    """Overlapping cameras whose pictures are as fine as a panorama of `height` rows, as far as `LEAST_FOV` allows."""
    fov = min(max(2 * math.atan(math.pi * size / (2 * height)), LEAST_FOV), WIDEST_FOV)
    upright = ring_tiles(size, fov)
    if level_from_world is None:
        return upright
    world_from_level = np.asarray(level_from_world, np.float64).T
    return tuple(
        Camera.from_rotation(world_from_level @ camera.world_from_camera, fov_x=fov, height=size, width=size)
        for camera in upright
    )


def _blended(depth: F32, inverse: F32, weights: F32) -> F32:
    """The tiles' depth where they see enough, passing into the one that was there where they end."""
    part = np.clip(weights / np.float32(ENOUGH), 0, 1)
    part = part * part * (3 - 2 * part)
    part[np.isnan(inverse)] = 0
    part[np.isnan(depth) & (part > 0)] = 1
    with np.errstate(divide="ignore", invalid="ignore"):
        before = np.where(part < 1, np.reciprocal(depth), np.float32(0))
        blended = part * np.nan_to_num(inverse) + (1 - part) * before
        refined: F32 = np.where(part > 0, np.reciprocal(blended), depth).astype(np.float32)
    return refined


def _brought_to(coarse: F32, readings: Sequence[TileReading], kind: DepthKind) -> tuple[list[F32], list[Camera]]:
    """Inverse ranges of the tiles that agree with the coarse depth, and their cameras."""
    directions = even_directions(SAMPLES)
    with np.errstate(divide="ignore"):
        reference = sample_erp(np.reciprocal(coarse), directions).astype(np.float64)
    measured = np.stack([depth_terms(reading, kind, directions) for reading in readings]) if readings else None
    if measured is None:
        return [], []
    given = np.zeros((1, *measured.shape[1:]))
    given[0, :, 0] = 1 / reference if kind is DepthKind.AFFINE else reference
    weights = np.stack([border_weights(reading.camera, directions) for reading in readings])
    # The coarse depth takes part as a tile that sees everything and has no shift.
    numbers, _ = align_tiles(np.concatenate([given, measured]), np.concatenate([np.ones((1, SAMPLES)), weights]))
    numbers = numbers[1:] / numbers[0, 0]
    tiles, views = [], []
    for reading, terms, factors in zip(readings, measured, numbers, strict=True):
        with np.errstate(invalid="ignore", divide="ignore"):
            ratio = (terms @ factors) / given[0, :, 0]
        ratio = ratio[np.isfinite(ratio)]
        if not len(ratio) or not np.median(np.abs(ratio - 1)) < MOST_OFF:
            continue
        inverse = inverse_range(reading, kind, factors)
        tiles.append(np.where(inverse > 0, inverse, np.float32(np.nan)))
        views.append(reading.camera)
    return tiles, views
