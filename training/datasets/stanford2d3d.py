"""Stanford 2D-3D-S: panoramas of six office areas, as published, and the benchmarks' copies with class numbers.

Units, masks and class codes: README of alexsax/2D-3D-Semantics. Depth is along the ray, 512 a metre, 65535 missing;
semantic colours are numbers ``R * 65536 + G * 256 + B`` into assets/semantic_labels.json, #0D0D0D missing; normals are
those of the building, #808080 missing.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.errors import PanoError
from core.io.images import read_panorama
from training.datasets.labels import (
    classes_of_label,
    depth_of_label,
    fitting,
    in_our_frame,
    normals_of_label,
    read_label,
)
from training.datasets.layout import Entry, Label, Layout, found
from training.datasets.names import STANFORD, STANFORD_BY_LETTER, ade20k_names
from training.truths import Truth

PER_METRE = 512
_MISSING = (0, 65535)
_ENDINGS: Mapping[Label, tuple[str, str]] = {
    "depth": ("depth", "depth"),
    "normals": ("normal", "normals"),
    "classes": ("semantic", "semantic"),
}
_ROOM = ("ceiling", "floor", "wall", "beam", "column", "windowpane", "door")
_PROCESSED = "_processed"
_NAMES_FILE = "semantic_labels.json"


def _find(folder: Path) -> list[Entry]:
    pictures = found(folder, ("pano/rgb/*_rgb.png", f"pano/rgb{_PROCESSED}/*_rgb.png"))
    return [_entry(path) for path in pictures]


def _entry(picture: Path) -> Entry:
    area = picture.parents[2]
    stem = picture.name.removesuffix("_rgb.png")
    processed = _PROCESSED if picture.parent.name.endswith(_PROCESSED) else ""
    labels: dict[Label, Path] = {}
    for label, (where, ending) in _ENDINGS.items():
        there = picture.parents[1] / f"{where}{processed}"
        if there.is_dir():
            labels[label] = there / f"{stem}_{ending}.png"
    if "classes" in labels and not processed:
        labels["instances"] = labels["classes"]
    return Entry(f"{area.name}/{stem}", picture, labels, group=area.name)


def _read(entry: Entry, wanted: Collection[Label]) -> Truth:
    rgb = read_panorama(entry.picture).rgb
    paths = {label: path for label, path in entry.labels.items() if label in wanted}
    maps = {path: fitting(read_label(path), rgb, path) for path in set(paths.values())}
    depth = normals = classes = instances = None
    if "depth" in paths:
        depth = depth_of_label(maps[paths["depth"]], paths["depth"], per_metre=PER_METRE, missing=_MISSING)
    if "normals" in paths:
        beside = depth if depth is not None else _depth_beside(entry, rgb)
        normals = in_our_frame(normals_of_label(maps[paths["normals"]], paths["normals"]), beside, paths["normals"])
    names = STANFORD
    if "classes" in paths or "instances" in paths:
        path = paths.get("classes", paths.get("instances", entry.picture))
        label = maps[path]
        if label.ndim == 2:
            names = STANFORD_BY_LETTER
            classes = classes_of_label(label, path, count=len(names))
        else:
            classes, instances = _coded(label, path)
    return Truth(
        name=entry.name,
        rgb=rgb,
        depth=depth,
        normals=normals,
        classes=classes if "classes" in paths else None,
        class_names=names,
        instances=instances if "instances" in paths else None,
        is_metric=True,
    )


def _depth_beside(entry: Entry, rgb: NDArray[np.uint8]) -> NDArray[np.float32]:
    path = entry.labels.get("depth")
    if path is None:
        raise PanoError(f"Expected depth beside the normals, to find their frame by, got none: {entry.picture}")
    return depth_of_label(fitting(read_label(path), rgb, path), path, per_metre=PER_METRE, missing=_MISSING)


def _coded(label: NDArray[Any], path: Path) -> tuple[NDArray[np.int16], NDArray[np.uint16]]:
    """Classes and objects of a map whose colours are numbers into the set's list of labels."""
    numbers = (label[..., :3].astype(np.int32) * np.array([1 << 16, 1 << 8, 1], np.int32)).sum(axis=-1)
    class_of, is_object = _codes(_names_file(path))
    known = numbers < len(class_of)
    classes = np.where(known, class_of[np.where(known, numbers, 0)], -1).astype(np.int16)
    objects = known & is_object[np.where(known, numbers, 0)]
    return classes, np.where(objects, numbers, 0).astype(np.uint16)


def _names_file(label: Path) -> Path:
    for folder in label.parents:
        path = folder / "assets" / _NAMES_FILE
        if path.is_file():
            return path
    raise PanoError(f"Expected assets/{_NAMES_FILE} of the set in a folder above its areas, got none: {label}")


@lru_cache(maxsize=4)
def _codes(path: Path) -> tuple[NDArray[np.int16], NDArray[np.bool_]]:
    """By number: the class, -1 for none, and whether it is an object and no part of the room."""
    try:
        listed = [str(name) for name in json.loads(path.read_text(encoding="utf-8"))]
    except (OSError, ValueError, TypeError) as error:
        raise PanoError(f"Expected a list of labels, got a file that cannot be read ({error}): {path}") from error
    names = [ade20k_names((name.partition("_")[0],))[0] for name in listed]
    classes = np.array([STANFORD.index(name) if name in STANFORD else -1 for name in names], np.int16)
    objects = np.array([name in STANFORD and name not in (*_ROOM, "clutter") for name in names], np.bool_)
    return classes, objects


LAYOUT = Layout(
    "stanford2d3d",
    "Stanford 2D-3D-S",
    "area_*/pano/rgb/*_rgb.png with pano/depth, pano/normal, pano/semantic beside (or all of them *_processed)",
    _find,
    _read,
)
