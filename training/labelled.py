"""A panorama with what is known or believed about it: the one value that recipes train on, and how it lies on disk.

Generated worlds and panoramas that teachers have labelled are read by the same function, `read_labelled`, so that a
recipe does not care which it is given.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.errors import PanoError
from core.geometry.camera import Camera
from core.geometry.merge import merge_surfaces
from core.io.atomic import atomic_file
from training.archives import BROKEN, why_broken
from training.worlds.classes import CLASS_NAMES, UNLABELLED
from training.worlds.sample import WorldSample, read_sample
from training.worlds.shards import in_shard, world_files

SCHEMA = 1
NO_CLASS = -1
F32 = NDArray[np.float32]
_MARK = "labelled"
"""Name of the member of the archive by which a labelled panorama is told from a world."""
_MOST_DEPTH = 65_504.0
"""The greatest number of 16 bits; what is farther is stored as that."""


@dataclass(frozen=True, eq=False)
class Patches:
    """What was said of single views, for a loss that never mixes two of them.

    Attributes:
        cameras: n square views, of p x p pixels each.
        depth: (n, p, p) float32 along the ray, NaN where unknown or far, on the scale of the merged depth; or None.
        normals: (n, p, p, 3) float32 unit, world frame, NaN where unknown; or None.
        classes: (n, p, p) int16, -1 where unknown; or None.
        scales: (n,) float32: depth times this is what the teacher itself said of a view, before the views were brought
            to one scale; 1 for a teacher that knows no metres.
    """

    cameras: tuple[Camera, ...]
    depth: F32 | None = None
    normals: F32 | None = None
    classes: NDArray[np.int16] | None = None
    scales: F32 | None = None

    def depth_on_sphere(self, view: int, height: int, width: int) -> F32:
        """What one view says of the depth, on the panorama's grid.

        Args:
            view: Which one.
            height: Rows of the grid.
            width: Its columns.

        Returns:
            (height, width) float32, NaN outside the view and where it knows nothing. No value arises between two
            surfaces.

        Raises:
            ValueError: The views know no depth.
        """
        if self.depth is None:
            raise ValueError("these patches know no depth")
        inverse, _ = merge_surfaces([np.reciprocal(self.depth[view])], [self.cameras[view]], height, width)
        depth: F32 = np.reciprocal(inverse)
        return depth


@dataclass(frozen=True, eq=False)
class Labelled:
    """A level panorama and its labels on one grid; the world frame is that of `core.geometry.sphere`.

    Attributes:
        rgb: (h, w, 3) uint8, sRGB.
        depth: (h, w) float32 along the ray, NaN where unknown or far; None when depth is no task here.
        normals: (h, w, 3) float32 unit, world frame, facing the camera, NaN where unknown; or None.
        classes: (h, w) int16 index into `class_names`, -1 where unknown; or None.
        class_names: Of the classes; names of ADE20K where teachers and worlds say so.
        far: (h, w) bool, True where the ray meets nothing at a measurable distance; or None.
        valid: (h, w) bool, False where the photograph saw nothing; None when it saw everything.
        depth_confidence, normals_confidence, classes_confidence: (h, w) float32 from 0 to 1, how far to believe the
            map; None for what is exact, and for what was said by a model of whole panoramas, with nobody to agree with.
        patches: What was said of single views; None when that was not kept, and for worlds.
        is_metric: Whether depth is in metres; otherwise it is right up to one factor, with a median of 1.
        camera_height: Metres from the ground below the camera to the camera; NaN where unknown.
        ceiling_height: Metres from the camera up to the ceiling; NaN outdoors or where unknown.
        indoor: True inside a building; None where unknown.
        origin: Where it comes from: the picture's name and SHA-256, teachers, seed; for the record.
    """

    rgb: NDArray[np.uint8]
    depth: F32 | None = None
    normals: F32 | None = None
    classes: NDArray[np.int16] | None = None
    class_names: tuple[str, ...] = ()
    far: NDArray[np.bool_] | None = None
    valid: NDArray[np.bool_] | None = None
    depth_confidence: F32 | None = None
    normals_confidence: F32 | None = None
    classes_confidence: F32 | None = None
    patches: Patches | None = None
    is_metric: bool = False
    camera_height: float = float("nan")
    ceiling_height: float = float("nan")
    indoor: bool | None = None
    origin: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        size = self.rgb.shape[:2]
        wrong = {name: value.shape for name, value in self._maps().items() if value.shape[:2] != size}
        if wrong:
            raise ValueError(f"the labels of a panorama must share its grid {size}, got {wrong}")
        for value in (self.rgb, *self._maps().values()):
            value.flags.writeable = False

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) of the picture and of all maps."""
        return int(self.rgb.shape[0]), int(self.rgb.shape[1])

    @property
    def tasks(self) -> tuple[str, ...]:
        """Which of depth, normals and classes there are labels for."""
        return tuple(name for name in ("depth", "normals", "classes") if getattr(self, name) is not None)

    def classes_among(self, names: Sequence[str]) -> NDArray[np.int16]:
        """(h, w) the classes as indices into another list of names; -1 where that has no such class.

        Raises:
            ValueError: There are no classes here.
        """
        if self.classes is None:
            raise ValueError("this panorama has no classes")
        place = {name: number for number, name in enumerate(names)}
        # One more at the end: the index -1 finds it.
        among = np.array([place.get(name, NO_CLASS) for name in self.class_names] + [NO_CLASS], np.int16)
        return among[self.classes]

    def _maps(self) -> dict[str, NDArray[Any]]:
        maps = {name: getattr(self, name) for name in ("depth", "normals", "classes", "far", "valid", *_CONFIDENCES)}
        return {name: value for name, value in maps.items() if value is not None}


_CONFIDENCES = ("depth_confidence", "normals_confidence", "classes_confidence")


def labelled_files(folder: Path) -> list[Path]:
    """The labelled panoramas or worlds of a folder, by name.

    Raises:
        PanoError: There is none.
    """
    files = world_files(folder)
    if not files:
        raise PanoError(
            f"Expected labelled panoramas or worlds (*.npz), got none; make some with 'panoviewer-train label' or "
            f"'panoviewer-train generate': {folder}"
        )
    return files


def write_labelled(labelled: Labelled, path: Path) -> None:
    """Store a labelled panorama as a compressed NPZ, whole or not at all.

    Depth is stored in 16 bits (right to 0.05 %), normals in 8 bits per axis (right to 0.4 degrees), confidence in 256
    steps.

    Raises:
        ExportError: The file cannot be written.
    """
    packed: dict[str, NDArray[Any]] = {"rgb": labelled.rgb}
    packed |= {name: _packed(name, values) for name, values in labelled._maps().items()}
    patches = labelled.patches
    if patches is not None:
        maps = {"depth": patches.depth, "normals": patches.normals, "classes": patches.classes}
        packed |= {f"patch_{name}": _packed(name, values) for name, values in maps.items() if values is not None}
        packed["patch_cameras"] = np.array([(one.yaw, one.pitch, one.roll, one.fov_x) for one in patches.cameras])
        packed["patch_size"] = np.array(patches.cameras[0].size if patches.cameras else (0, 0))
        if patches.scales is not None:
            packed["patch_scales"] = patches.scales
    facts = {
        "schema": SCHEMA,
        "class_names": list(labelled.class_names),
        "is_metric": labelled.is_metric,
        "camera_height": _or_none(labelled.camera_height),
        "ceiling_height": _or_none(labelled.ceiling_height),
        "indoor": labelled.indoor,
        "origin": dict(labelled.origin),
    }
    packed[_MARK] = np.frombuffer(json.dumps(facts, allow_nan=False).encode(), np.uint8)
    with atomic_file(path) as stream:
        np.savez_compressed(stream, allow_pickle=False, **packed)


def read_labelled(path: Path, *, patches: bool = True) -> Labelled:
    """Read a labelled panorama, or a generated world as one.

    Args:
        path: What `write_labelled` or `training.worlds.sample.write_sample` wrote. No code in it is run.
        patches: Whether the single views are wanted, which take longer to read than all the rest.

    Raises:
        PanoError: It is neither, or broken.
    """
    if in_shard(path):
        return from_world(read_sample(path), path.stem)
    try:
        with np.load(path, allow_pickle=False) as packed:
            names = set(packed.files) if isinstance(packed, np.lib.npyio.NpzFile) else set()
            if _MARK in names:
                left_out = () if patches else ("patch_",)
                data = {name: packed[name] for name in names if not name.startswith(left_out)}
                return _unpacked(data)
        if "seed" in names:
            return from_world(read_sample(path), path.stem)
    except BROKEN as error:
        raise _refused(path, f"something broken ({why_broken(error)})") from error
    raise _refused(path, "another file")


def from_world(sample: WorldSample, name: str) -> Labelled:
    """A generated world as a labelled panorama; all of it is exact."""
    return Labelled(
        rgb=sample.rgb,
        depth=np.where(sample.far, np.float32(np.nan), sample.depth),
        normals=np.where(sample.far[..., None], np.float32(np.nan), sample.normals),
        classes=np.where(sample.classes == UNLABELLED, NO_CLASS, sample.classes.astype(np.int16)).astype(np.int16),
        class_names=CLASS_NAMES,
        far=sample.far,
        is_metric=True,
        camera_height=sample.camera_height,
        ceiling_height=sample.ceiling_height,
        indoor=sample.indoor,
        origin={"name": name, "seed": sample.seed},
    )


def _refused(path: Path, got: str) -> PanoError:
    return PanoError(f"Expected a labelled panorama or a world, got {got}; remove it and make it again: {path}")


def _packed(name: str, values: NDArray[Any]) -> NDArray[Any]:
    packed: NDArray[Any] = values
    if name == "depth":
        packed = np.minimum(values, np.float32(_MOST_DEPTH)).astype(np.float16)
    elif name == "normals":
        packed = np.rint(np.nan_to_num(values) * 127).astype(np.int8)
    elif name in _CONFIDENCES:
        packed = np.rint(np.clip(values, 0, 1) * 255).astype(np.uint8)
    return packed


def _unpacked(data: Mapping[str, NDArray[Any]]) -> Labelled:
    facts = json.loads(data[_MARK].tobytes())
    if facts["schema"] != SCHEMA:
        raise ValueError(f"version {facts['schema']} of the format, known is {SCHEMA}")
    maps = {name: _read_map(name, data[name]) for name in ("depth", "normals", "classes") if name in data}
    maps |= {name: data[name].astype(np.bool_) for name in ("far", "valid") if name in data}
    maps |= {name: data[name].astype(np.float32) / np.float32(255) for name in _CONFIDENCES if name in data}
    return Labelled(
        rgb=data["rgb"],
        class_names=tuple(facts["class_names"]),
        patches=_read_patches(data),
        is_metric=bool(facts["is_metric"]),
        camera_height=_or_nan(facts["camera_height"]),
        ceiling_height=_or_nan(facts["ceiling_height"]),
        indoor=facts["indoor"],
        origin=facts["origin"],
        **maps,
    )


def _read_patches(data: Mapping[str, NDArray[Any]]) -> Patches | None:
    if "patch_cameras" not in data:
        return None
    height, width = (int(side) for side in data["patch_size"])
    cameras = tuple(
        Camera(yaw, pitch, roll, fov_x, height, width) for yaw, pitch, roll, fov_x in data["patch_cameras"].tolist()
    )
    names = ("depth", "normals", "classes")
    maps = {name: _read_map(name, data[f"patch_{name}"]) for name in names if f"patch_{name}" in data}
    return Patches(cameras, scales=data.get("patch_scales"), **maps)


def _read_map(name: str, stored: NDArray[Any]) -> NDArray[Any]:
    if name == "classes":
        return stored.astype(np.int16)
    values = stored.astype(np.float32)
    if name == "normals":
        # A length of zero stands for the unknown, and comes back as NaN.
        with np.errstate(invalid="ignore"):
            values /= np.linalg.norm(values, axis=-1, keepdims=True)
    return values


def _or_none(number: float) -> float | None:
    return float(number) if np.isfinite(number) else None


def _or_nan(number: float | None) -> float:
    return float("nan") if number is None else float(number)
