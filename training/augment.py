"""Changes that leave the labels true: turn, mirror, and what cameras do to colours."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from core.geometry.camera import rotation_from_angles
from core.geometry.normals import turn_normals
from core.geometry.sphere import erp_local_frames
from core.geometry.warp import turn_erp
from training.dataset import TrainingArrays

TILTED = 1 / 3
"""Share of pictures whose camera leans."""
PARTIAL = 0.15
"""Share of pictures of which a part is all that the camera saw."""

_Value = TypeVar("_Value", bound=np.generic)


def tilt(arrays: TrainingArrays, rng: np.random.Generator) -> TrainingArrays:
    """Lean the camera, as one held by hand does: a third of the time, by 4 degrees typically and 12 at most.

    Args:
        arrays: Of a level camera; maps are turned with the colours, and normals with the rays.
        rng: Decides whether and how far.
    """
    if rng.random() > TILTED:
        return arrays
    pitch, roll = np.clip(rng.normal(0.0, math.radians(4), 2), -math.radians(12), math.radians(12))
    rotation = rotation_from_angles(0.0, float(pitch), float(roll))
    if not arrays.known.any():
        return replace(arrays, rgb=turn_erp(arrays.rgb, rotation))
    frames = erp_local_frames(*arrays.known.shape)
    # Labels are taken from the nearest pixel, all maps from the same one, so that no value floats between two surfaces.
    world = np.einsum("hwij,hwi->hwj", frames, arrays.local_normals)
    known = turn_erp(arrays.known, rotation, nearest=True)
    normals = turn_normals(turn_erp(world, rotation, nearest=True), rotation)
    local = np.einsum("hwij,hwj->hwi", frames, np.where(known[..., None], normals, 0.0))
    return replace(
        arrays,
        rgb=turn_erp(arrays.rgb, rotation),
        log_ratio=turn_erp(arrays.log_ratio, rotation, nearest=True),
        local_normals=local.astype(np.float32),
        known=known,
        classes=turn_erp(arrays.classes, rotation, nearest=True),
    )


def turn_and_mirror(arrays: TrainingArrays, rng: np.random.Generator) -> TrainingArrays:
    """Turn about the vertical by a whole number of label pixels, and mirror left and right half of the time.

    Local normals turn with their ray, so only the mirror changes them: east becomes west.
    """
    columns = arrays.log_ratio.shape[1]
    shift = int(rng.integers(columns))
    flip = bool(rng.integers(2))

    def move(array: NDArray[_Value], by: int) -> NDArray[_Value]:
        array = np.roll(array, by, axis=1)
        return array[:, ::-1] if flip else array

    normals = move(arrays.local_normals, shift)
    if flip:
        normals = (normals * np.array([-1, 1, 1], np.float32)).astype(np.float32)
    return replace(
        arrays,
        rgb=move(arrays.rgb, 2 * shift),
        log_ratio=move(arrays.log_ratio, shift),
        local_normals=normals,
        known=move(arrays.known, shift),
        classes=move(arrays.classes, shift),
    )


def change_colours(rgb: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    """Exposure, white balance, contrast, saturation, hue, blur and noise of another camera; (H, W, 3) in [0, 1]."""
    if rng.random() < 0.08:
        rgb = np.repeat(rgb.mean(axis=2, keepdims=True), 3, axis=2)
    gain = np.exp(rng.normal(0, 0.25)) * np.exp(rng.normal(0, 0.08, 3))
    gamma = np.exp(rng.normal(0, 0.25))
    rgb = (np.clip(rgb * gain.astype(np.float32), 0, 1) ** gamma).astype(np.float32)
    grey = rgb.mean(axis=2, keepdims=True)
    rgb = grey + (rgb - grey) * np.float32(np.exp(rng.normal(0, 0.3)))
    contrast = np.float32(np.exp(rng.normal(0, 0.15)))
    rgb = (rgb - 0.45) * contrast + 0.45
    if rng.random() < 0.2:
        rgb = rgb[..., rng.permutation(3)]
    if rng.random() < 0.3:
        blurred = cv2.GaussianBlur(np.ascontiguousarray(rgb), (0, 0), float(rng.uniform(0.3, 1.0)))
        rgb = blurred.astype(np.float32)
    if rng.random() < 0.5:
        noise = rng.standard_normal(rgb.shape, np.float32)
        rgb = rgb + noise * np.float32(rng.uniform(0.0, 0.04))
    return np.clip(rgb, 0, 1).astype(np.float32)


def black_out(rgb: NDArray[np.float32], rng: np.random.Generator) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Sometimes leave a part of a panorama alone, as a sweep by hand does, and black around it.

    Half of the parts go all the way round; the others are 90 to 300 degrees wide.

    Args:
        rgb: (2H, 2W, 3), with its final colours: what a camera did not see is black, whatever the exposure.
        rng: Decides whether, and which part.

    Returns:
        The picture, and (H, W) what of the labels can be seen.
    """
    rows, columns = rgb.shape[0] // 2, rgb.shape[1] // 2
    seen = np.ones((rows, columns), np.bool_)
    if rng.random() >= PARTIAL:
        return rgb, seen
    top, bottom = (rows * rng.uniform(20, 75, 2) / 180).astype(int)
    seen[: rows // 2 - top] = seen[rows // 2 + bottom :] = False
    if rng.random() < 0.5:
        width = int(columns * rng.uniform(90, 300) / 360)
        unseen = np.roll(np.arange(columns) >= width, int(rng.integers(columns)))
        seen[:, unseen] = False
    return rgb * seen.repeat(2, axis=0).repeat(2, axis=1)[..., None], seen
