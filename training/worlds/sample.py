"""One rendered panorama with its exact labels, and how it lies on disk."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.errors import PanoError
from core.io.atomic import atomic_file
from training.archives import BROKEN, why_broken
from training.worlds.shards import in_shard, read_member


@dataclass(frozen=True, eq=False)
class WorldSample:
    """A panorama of a generated world. Level; the world frame is that of `core.geometry.sphere`.

    Attributes:
        rgb: (h, w, 3) uint8, sRGB.
        depth: (h, w) float32 metres along the ray; NaN where far.
        normals: (h, w, 3) float32 unit, world frame, facing the camera; NaN where far.
        classes: (h, w) uint8 index into `CLASS_NAMES`, 255 unlabelled.
        instances: (h, w) uint16, one number per object, 0 for structure and background.
        far: (h, w) bool, sky.
        camera_height: Metres from the ground below the camera to the camera.
        ceiling_height: Metres from the camera up to the ceiling above it; NaN outdoors.
        indoor: True inside a building.
        seed: What it was made from.
        edges: (h, w) bool, either side of where one surface ends in front of another; None in older files.
    """

    rgb: NDArray[np.uint8]
    depth: NDArray[np.float32]
    normals: NDArray[np.float32]
    classes: NDArray[np.uint8]
    instances: NDArray[np.uint16]
    far: NDArray[np.bool_]
    camera_height: float
    ceiling_height: float
    indoor: bool
    seed: int
    edges: NDArray[np.bool_] | None = None


def write_sample(sample: WorldSample, path: Path) -> None:
    """Store a sample as an uncompressed NPZ, whole or not at all: depth as float16, normals as int8 / 127."""
    with atomic_file(path) as stream:
        np.savez(stream, allow_pickle=False, **pack_sample(sample))


def pack_sample(sample: WorldSample) -> dict[str, NDArray[Any]]:
    """The fields of a sample as they are stored; without edges where it has none."""
    values = {field.name: getattr(sample, field.name) for field in fields(sample)}
    packed = {name: np.asarray(value) for name, value in values.items() if value is not None}
    packed["depth"] = sample.depth.astype(np.float16)
    packed["normals"] = np.rint(np.nan_to_num(sample.normals) * 127).astype(np.int8)
    return packed


def read_fields(path: Path) -> dict[str, NDArray[Any]]:
    """The fields of a sample as they are stored, from a file or a shard.

    Raises:
        PanoError: It is missing or broken.
    """
    if in_shard(path):
        return read_member(path)
    try:
        with np.load(path, allow_pickle=False) as packed:
            return {name: packed[name] for name in packed.files}
    except BROKEN as error:
        raise _broken(path, error) from error


def read_instances(path: Path) -> NDArray[np.uint16] | None:
    """The numbers of objects alone, or None where there are none."""
    return read_fields(path).get("instances")


def read_sample(path: Path) -> WorldSample:
    """Read what `write_sample` wrote, or a world in a shard; normals are unit again, NaN where far.

    Raises:
        PanoError: It is missing or broken.
    """
    data = read_fields(path)
    try:
        normals = data["normals"].astype(np.float32)
        with np.errstate(invalid="ignore"):
            normals /= np.linalg.norm(normals, axis=-1, keepdims=True)
        return WorldSample(
            rgb=data["rgb"],
            depth=data["depth"].astype(np.float32),
            normals=normals,
            classes=data["classes"],
            instances=data["instances"],
            far=data["far"],
            camera_height=float(data["camera_height"]),
            ceiling_height=float(data["ceiling_height"]),
            indoor=bool(data["indoor"]),
            seed=int(data["seed"]),
            edges=data.get("edges"),
        )
    except BROKEN as error:
        raise _broken(path, error) from error


def _broken(path: Path, error: Exception) -> PanoError:
    why = why_broken(error)
    return PanoError(f"Expected a world, got something broken ({why}); remove it and render it again: {path}")
