"""Labelled panoramas turned, mirrored, resized and recoloured, with labels that stay true."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from core.geometry.camera import Camera, rotation_from_angles
from core.geometry.normals import turn_normals
from core.geometry.sphere import directions_to_erp, erp_rays
from core.geometry.warp import resize_erp, turn_erp
from training.labelled import Labelled, Patches

GRAZING = 0.05
"""Cosine between ray and surface below which a range is not carried along the surface."""
REACH = 1.25
"""Factor by which a range may change when it is carried."""
_LEFT_FOR_RIGHT = np.array([-1, 1, 1], np.float32)
_MIRROR = np.diag(_LEFT_FOR_RIGHT.astype(np.float64))
_MAPS = (
    *("depth", "normals", "classes", "far", "valid"),
    *("depth_confidence", "normals_confidence", "classes_confidence"),
)

F32 = NDArray[np.float32]
Float = NDArray[np.float64]


@dataclass(frozen=True)
class Augmentation:
    """How the panoramas of a training are changed; see `augmented`. All of it is our choice unless said otherwise."""

    turn: Literal["none", "yaw", "any"] = "yaw"
    """About the vertical as in the published training of DAP, by any rotation, or not at all."""
    mirror: float = 0.5
    """Share of panoramas that are mirrored, as in the published training of DAP."""
    colour: float = 0.5
    """Share of panoramas whose colours change, as in the published training of DAP."""
    tilted: float = 0.0
    """Share of panoramas whose camera leans, as one that was held by hand."""
    tilt_deg: float = 4.0
    """By how much these lean, typically; three times that at most."""


def augmented(labelled: Labelled, height: int, how: Augmentation, rng: np.random.Generator) -> Labelled:
    """A panorama changed at random and brought to `height` rows.

    Args:
        labelled: A level panorama.
        height: Rows of the result; its columns are twice that.
        how: What may happen to it.
        rng: Draws what does.
    """
    rotation = np.eye(3)
    if how.turn == "any":
        rotation = random_rotation(rng)
    elif how.turn == "yaw":
        # By whole columns of the result, for which turning blurs nothing.
        rotation = rotation_from_angles(2 * math.pi * int(rng.integers(2 * height)) / (2 * height), 0.0, 0.0)
    if rng.random() < how.tilted:
        limit = 3 * math.radians(how.tilt_deg)
        pitch, roll = np.clip(rng.normal(0.0, math.radians(how.tilt_deg), 2), -limit, limit)
        rotation = rotation_from_angles(0.0, float(pitch), float(roll)) @ rotation
    changed = resampled(labelled, height, rotation, rng=rng)
    if rng.random() < how.mirror:
        changed = mirrored(changed)
    if rng.random() < how.colour:
        changed = replace(changed, rgb=jittered_colours(changed.rgb, rng))
    return changed


def random_rotation(rng: np.random.Generator) -> Float:
    """(3, 3) rotation, all of them equally likely.

    Source: K. Shoemake, Uniform Random Rotations, Graphics Gems III, 1992: four normal numbers are such a quaternion.
    """
    w, x, y, z = (quaternion := rng.standard_normal(4)) / np.linalg.norm(quaternion)
    rotation: Float = np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
            [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
            [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
        ]
    )
    return rotation


def resampled(
    labelled: Labelled,
    height: int,
    turned_from_world: ArrayLike | None = None,
    *,
    rng: np.random.Generator | None = None,
) -> Labelled:
    """A panorama turned by a rotation and brought to another size.

    What lay in direction d lies in direction ``turned_from_world @ d``. Labels are those of the nearest pixel, all of
    them of the same one, so that none arises between two surfaces; its range is carried along its surface to the new
    pixel's ray, where normals are known. On a plane that is exact. Turning about the vertical by whole columns of one
    size, and not turning at all, is exact everywhere.

    Args:
        labelled: The panorama.
        height: Rows of the result, which has twice as many columns.
        turned_from_world: (3, 3); none when left out.
        rng: Where the result is smaller, draws which pixels stand for their neighbours, so that no edge is moved on
            average; those at the centres when left out.
    """
    rotation = np.eye(3) if turned_from_world is None else np.asarray(turned_from_world, np.float64)
    rows, columns = labelled.size
    if (rows, columns) == (height, 2 * height) and np.array_equal(rotation, np.eye(3)):
        return labelled
    wanted = erp_rays(height, 2 * height).astype(np.float64) @ rotation
    u, v = directions_to_erp(wanted, rows, columns)
    if rng is not None and rows > height:
        u, v = u + rng.uniform(-0.5, 0.5), v + rng.uniform(-0.5, 0.5)
    # Centres that fall on a border belong to the second pixel, whatever the last bits are.
    source = (
        np.clip(np.floor(v + 1e-6), 0, rows - 1).astype(np.int64),
        np.floor(u + 1e-6).astype(np.int64) % columns,
    )
    maps: dict[str, Any] = {name: value[source] for name, value in maps_of(labelled).items()}
    if "depth" in maps and "normals" in maps:
        taken = erp_rays(rows, columns)[source]
        maps["depth"] = carried(maps["depth"], maps["normals"], taken, wanted)
    if "normals" in maps:
        maps["normals"] = turn_normals(maps["normals"], rotation)
    rgb = labelled.rgb if np.array_equal(rotation, np.eye(3)) else turn_erp(labelled.rgb, rotation)
    maps["rgb"] = np.ascontiguousarray(resize_erp(rgb, height, 2 * height))
    return replace(labelled, **maps, patches=_turned_patches(labelled.patches, rotation))


def mirrored(labelled: Labelled) -> Labelled:
    """What the panorama of the mirrored scene is, left for right: normals and single views are mirrored, too."""
    maps: dict[str, Any] = {
        name: np.ascontiguousarray(value[:, ::-1]) for name, value in {"rgb": labelled.rgb, **maps_of(labelled)}.items()
    }
    if "normals" in maps:
        maps["normals"] = maps["normals"] * _LEFT_FOR_RIGHT
    return replace(labelled, **maps, patches=_mirrored_patches(labelled.patches))


def carried(depth: F32, normals: F32, taken: NDArray[Any], wanted: NDArray[Any]) -> F32:
    """Ranges along other rays of the planes that touch the surfaces.

    Args:
        depth: (h, w) along `taken`, NaN where unknown.
        normals: (h, w, 3) of the same surfaces, NaN where unknown.
        taken: (h, w, 3) unit rays.
        wanted: (h, w, 3) unit rays close by.

    Returns:
        (h, w) along `wanted`; as it was where a surface is not known or seen at a grazing angle.
    """
    before = -np.einsum("hwi,hwi->hw", taken, normals)
    after = -np.einsum("hwi,hwi->hw", wanted, normals)
    # Comparisons with NaN are false: the unknown keeps its range.
    steep = (before > GRAZING) & (after > GRAZING)
    factor = np.divide(before, after, out=np.ones_like(before), where=steep)
    factor = np.where((factor < REACH) & (factor > 1 / REACH), factor, 1.0)
    return (depth * factor).astype(np.float32)


def jittered_colours(rgb: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Brightness, contrast and saturation by 0.8 to 1.2, hue by a tenth of the circle [published code of DAP].

    Args:
        rgb: (h, w, 3) uint8.
        rng: Draws the four numbers.
    """
    brightness, contrast, saturation = rng.uniform(0.8, 1.2, 3)
    values = np.clip(rgb.astype(np.float32) / 255 * np.float32(brightness), 0, 1)
    mean = np.float32(cv2.cvtColor(values, cv2.COLOR_RGB2GRAY).mean())
    values = np.clip((values - mean) * np.float32(contrast) + mean, 0, 1)
    hsv = cv2.cvtColor(values, cv2.COLOR_RGB2HSV)
    hsv[..., 0] = np.mod(hsv[..., 0] + 360 * rng.uniform(-0.1, 0.1), 360)
    hsv[..., 1] = np.clip(hsv[..., 1] * saturation, 0, 1)
    changed: NDArray[np.uint8] = np.rint(cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB) * 255).astype(np.uint8)
    return changed


def maps_of(labelled: Labelled) -> Mapping[str, NDArray[Any]]:
    """The maps beside the picture that a panorama has, by the names of its fields."""
    maps = {name: getattr(labelled, name) for name in _MAPS}
    return {name: value for name, value in maps.items() if value is not None}


def _turned_patches(patches: Patches | None, rotation: Float) -> Patches | None:
    if patches is None:
        return None
    cameras = tuple(
        Camera.from_rotation(rotation @ one.world_from_camera, fov_x=one.fov_x, height=one.height, width=one.width)
        for one in patches.cameras
    )
    normals = None if patches.normals is None else turn_normals(patches.normals, rotation)
    return replace(patches, cameras=cameras, normals=normals)


def _mirrored_patches(patches: Patches | None) -> Patches | None:
    if patches is None:
        return None
    cameras = tuple(
        Camera.from_rotation(
            _MIRROR @ one.world_from_camera @ _MIRROR, fov_x=one.fov_x, height=one.height, width=one.width
        )
        for one in patches.cameras
    )
    return replace(
        patches,
        cameras=cameras,
        depth=None if patches.depth is None else patches.depth[:, :, ::-1],
        normals=None if patches.normals is None else patches.normals[:, :, ::-1] * _LEFT_FOR_RIGHT,
        classes=None if patches.classes is None else patches.classes[:, :, ::-1],
    )
