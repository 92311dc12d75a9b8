"""Teachers: networks of perspective pictures whose answers become labels. One of them knows the answer.

A teacher is a `core.models.tiled.TileNetwork`; `core.models.tiled.read_tiles` asks it about any cameras, random ones
for labels or a covering set for a whole panorama, and answers in this project's units and frame.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.geometry.camera import Camera
from core.geometry.sampling import window
from core.geometry.warp import sample_erp
from core.models.tiled import DepthKind
from training.truths import Truth

BEND = 0.05
"""Second difference of the inverse range, relative to it, from which on a surface ends there: on a plane it is the
square of the angle between pixels, at an edge between two surfaces the jump."""
STRAIGHT = 0.995
"""Least length of the mean of normals that belong to one surface."""


class WorldTeacher:
    """Reads what is known about a panorama through the same cameras: what a perfect network would say.

    Args:
        truth: Of a generated world, or of a photograph with labels.
        depth_kind: As what the depth is told. Other kinds than metres get a factor and a shift for each tile, as the
            kind allows, that nobody can know.
        size: Pixels along each side of its tiles.
        error: Greatest relative error of its depth: waves over each tile, of its own, three or so across.
        seed: Of these factors, shifts and waves.
    """

    name = "truth"
    device = "cpu"
    batch = 1
    notes = ()

    def __init__(
        self,
        truth: Truth,
        *,
        depth_kind: DepthKind = DepthKind.METRIC,
        size: int = 256,
        error: float = 0.0,
        seed: int = 0,
    ) -> None:
        self.size = size
        self.depth_kind = depth_kind if truth.depth is not None else None
        self.class_names = truth.class_names if truth.classes is not None else ()
        self._truth = truth
        self._error = error
        self._random = np.random.default_rng(seed)
        self._inverse = None if truth.depth is None else _inverse_and_smooth(truth.depth)

    def __call__(
        self,
        tiles: NDArray[np.uint8],  # noqa: ARG002
        cameras: Sequence[Camera],
    ) -> dict[str, NDArray[Any]]:
        """See `core.models.tiled.TileNetwork`; the pictures are not looked at."""
        said = [self._one(camera) for camera in cameras]
        return {name: np.stack([one[name] for one in said]) for name in said[0]}

    def _one(self, camera: Camera) -> dict[str, NDArray[Any]]:
        rays, truth = camera.rays(), self._truth
        said: dict[str, NDArray[Any]] = {}
        if self._inverse is not None:
            ranges = _ranges(self._inverse, rays)
            waves = 1 + self._error * np.sin(rays @ self._random.normal(0, 8, 3) + self._random.uniform(0, 2 * np.pi))
            said["depth"] = self._told(ranges * waves * (rays @ camera.world_from_camera[:, 2]))
        if truth.normals is not None:
            said["normals"] = (_normals(truth.normals, rays) @ camera.world_from_camera).astype(np.float32)
        if truth.classes is not None:
            classes = sample_erp(truth.classes, rays, nearest=True)
            logits = np.where(classes[..., None] == np.arange(len(self.class_names)), np.float32(8), np.float32(0))
            logits[~logits.any(axis=-1)] = np.nan  # unlabelled
            said["logits"] = logits
        if truth.far is not None:
            said["far"] = sample_erp(truth.far, rays, nearest=True)
        return said

    def _told(self, z_depth: NDArray[np.float64]) -> NDArray[np.float32]:
        factor, shift = np.exp(self._random.uniform(-1, 1)), self._random.uniform(-0.2, 0.5)
        middle = float(np.nanmedian(z_depth)) if np.isfinite(z_depth).any() else 1.0
        told = {
            DepthKind.METRIC: z_depth,
            DepthKind.RELATIVE: factor * z_depth,
            DepthKind.AFFINE: factor * (z_depth + shift * middle),
            DepthKind.INVERSE: factor * (1 / z_depth + shift / middle),
        }[self.depth_kind or DepthKind.METRIC]
        return np.asarray(told, np.float32)


def _inverse_and_smooth(depth: NDArray[np.float32]) -> NDArray[np.float64]:
    """(H, W, 2) the inverse of the range, and 1 where a surface goes on, else 0."""
    with np.errstate(divide="ignore", invalid="ignore"):
        inverse = np.where(depth > 0, 1 / depth.astype(np.float64), np.nan)
    height, width = inverse.shape
    around = window(inverse[..., None], -1, -1, height + 2, width + 2)[..., 0]
    middle = around[1:-1, 1:-1]
    along_row = np.abs(around[1:-1, :-2] + around[1:-1, 2:] - 2 * middle)
    along_column = np.abs(around[:-2, 1:-1] + around[2:, 1:-1] - 2 * middle)
    with np.errstate(invalid="ignore"):
        is_smooth = np.maximum(along_row, along_column) <= BEND * middle
    return np.stack([inverse, is_smooth], axis=-1)


def _ranges(inverse: NDArray[np.float64], rays: NDArray[np.float64]) -> NDArray[np.float64]:
    """Ranges along (..., 3) rays: interpolated along a surface, and of the nearest pixel beside a jump.

    For a teacher sees one surface or the other, and nothing between them.
    """
    linear = sample_erp(inverse[..., 0], rays)
    nearest, is_smooth = np.moveaxis(sample_erp(inverse, rays, nearest=True), -1, 0)
    return 1 / np.where(is_smooth > 0, linear, nearest)


def _normals(normals: NDArray[np.float32], rays: NDArray[np.float64]) -> NDArray[np.float32]:
    """The same for unit normals, (..., 3)."""
    linear, nearest = sample_erp(normals, rays), sample_erp(normals, rays, nearest=True)
    length = np.linalg.norm(linear, axis=-1, keepdims=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        chosen: NDArray[np.float32] = np.where(length >= STRAIGHT, linear / length, nearest).astype(np.float32)
    return chosen
