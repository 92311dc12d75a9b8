"""Panoramas with what is known about them: generated worlds, and photographs with label pictures beside them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from core.errors import PanoError
from core.io.images import read_panorama
from training.manifest import LABEL_ENDINGS
from training.worlds.classes import CLASS_NAMES, UNLABELLED
from training.worlds.sample import read_sample

JudgedTask = Literal["depth", "normals", "classes"]
PICTURE_CLASSES = ("wall", "floor", "ceiling")
"""Values 1, 2 and 3 of a STEM.semantic.png; 0 is not judged."""


@dataclass(frozen=True, eq=False)
class Truth:
    """A panorama and what is known about it; each map may be missing.

    Attributes:
        name: Of its file.
        rgb: (H, W, 3) uint8.
        depth: (H, W) along the ray, NaN where unknown.
        normals: (H, W, 3) world frame, NaN where unknown.
        classes: (H, W) index into `class_names`; other values are not judged.
        class_names: The classes that are told apart.
        far: (H, W) bool.
        is_metric: Whether `depth` is in metres.
    """

    name: str
    rgb: NDArray[np.uint8]
    depth: NDArray[np.float32] | None = None
    normals: NDArray[np.float32] | None = None
    classes: NDArray[np.int16] | None = None
    class_names: tuple[str, ...] = ()
    far: NDArray[np.bool_] | None = None
    is_metric: bool = False


def has_truths(folder: Path, task: JudgedTask) -> bool:
    """True when a folder holds something that is labelled for a task."""
    return any(folder.glob("*.npz")) or bool(_labelled_pictures(folder, task))


def read_truths(folder: Path, task: JudgedTask, *, worlds: Sequence[Path] | None = None) -> Iterator[Truth]:
    """The pictures of a folder that are labelled for a task, one after the other.

    Args:
        folder: Generated worlds (*.npz), or STEM.jpg with STEM.depth_rel.png (uint16, any unit, 0 unknown),
            STEM.normal.png (n = rgb / 255 * 2 - 1 with x right, y up, z forward, black unknown), STEM.semantic.png
            (1 wall, 2 floor, 3 ceiling).
        task: What must be labelled.
        worlds: Only these of the folder; all when left out.

    Raises:
        PanoError: There is none, a picture is missing, or a label has another size than its picture.
    """
    worlds = sorted(folder.glob("*.npz")) if worlds is None else worlds
    pictures = [] if worlds else _labelled_pictures(folder, task)
    if not worlds and not pictures:
        raise PanoError(
            f"Expected worlds (*.npz) or pictures with *{LABEL_ENDINGS[task]} beside them, got none; choose a folder "
            f"with labels for {task}: {folder}"
        )
    yield from map(_truth_of_world, worlds)
    yield from map(_truth_of_picture, pictures)


def _truth_of_world(path: Path) -> Truth:
    sample = read_sample(path)
    return Truth(
        name=path.stem,
        rgb=sample.rgb,
        depth=sample.depth,
        normals=sample.normals,
        classes=np.where(sample.classes == UNLABELLED, -1, sample.classes.astype(np.int16)).astype(np.int16),
        class_names=CLASS_NAMES,
        far=sample.far,
        is_metric=True,
    )


def _labelled_pictures(folder: Path, task: JudgedTask) -> list[Path]:
    ending = LABEL_ENDINGS[task]
    return sorted(folder / f"{path.name.removesuffix(ending)}.jpg" for path in folder.glob(f"*{ending}"))


def _truth_of_picture(path: Path) -> Truth:
    rgb = read_panorama(path).rgb
    maps: dict[str, Any] = {}
    for task, read in _LABEL_READERS.items():
        beside = path.with_name(path.stem + LABEL_ENDINGS[task])
        if not beside.is_file():
            continue
        label = cv2.imread(str(beside), cv2.IMREAD_UNCHANGED)
        if label is None or label.shape[:2] != rgb.shape[:2]:
            got = "no picture" if label is None else f"{label.shape[1]} x {label.shape[0]}"
            raise PanoError(
                f"Expected labels of the picture's size, {rgb.shape[1]} x {rgb.shape[0]}, got {got}; "
                f"remove them: {beside}"
            )
        maps[task] = read(label)
    return Truth(name=path.stem, rgb=rgb, class_names=PICTURE_CLASSES, **maps)


def _depth_of_label(label: NDArray[np.uint16]) -> NDArray[np.float32]:
    return np.where(label > 0, label.astype(np.float32), np.float32(np.nan))


def _normals_of_label(label: NDArray[np.uint8]) -> NDArray[np.float32]:
    """From stored blue, green, red; the label's y points up, ours down."""
    stored = label[..., ::-1].astype(np.float32)
    normals = (stored / 255 * 2 - 1) * np.array([1, -1, 1], np.float32)
    return np.where(stored.any(axis=-1, keepdims=True), normals, np.float32(np.nan))


def _classes_of_label(label: NDArray[np.uint8]) -> NDArray[np.int16]:
    return label.astype(np.int16) - 1


_LABEL_READERS: Mapping[str, Callable[[NDArray[Any]], NDArray[Any]]] = {
    "depth": _depth_of_label,
    "normals": _normals_of_label,
    "classes": _classes_of_label,
}
