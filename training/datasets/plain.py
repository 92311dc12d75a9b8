"""A folder of panoramas, some or all with label pictures beside them.

STEM.depth_rel.png (uint16, any unit, 0 unknown), STEM.normal.png (n = rgb / 255 * 2 - 1 with x right, y up, z forward,
black unknown), STEM.semantic.png (1 wall, 2 floor, 3 ceiling, 0 not judged), STEM.instances.json (drawn objects).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.io.images import read_panorama
from training.datasets.labels import fitting, read_label
from training.datasets.layout import Entry, Label, Layout
from training.manifest import LABEL_ENDINGS
from training.truths import PICTURE_CLASSES, Truth

_PICTURES = (".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".avif", ".heic", ".hdr", ".exr")
_LABELS: Mapping[Label, str] = {"depth": "depth", "normals": "normals", "classes": "classes", "instances": "clicks"}
_OBJECTS_MAP = ".instances.png"


def _find(folder: Path) -> list[Entry]:
    if not folder.is_dir():
        return []
    endings = (*LABEL_ENDINGS.values(), _OBJECTS_MAP)
    pictures: dict[str, Path] = {}
    labels: dict[str, dict[Label, Path]] = {}
    for path in sorted(folder.iterdir(), key=lambda path: (path.stem, _rank(path), path.name)):
        label = next((name for name, key in _LABELS.items() if path.name.endswith(LABEL_ENDINGS[key])), None)
        if label is not None:
            labels.setdefault(path.name.removesuffix(LABEL_ENDINGS[_LABELS[label]]), {})[label] = path
        elif path.suffix.lower() in _PICTURES and not path.name.endswith(endings):
            pictures.setdefault(path.stem, path)
    return [
        Entry(stem, pictures.get(stem, folder / f"{stem}.jpg"), labels.get(stem, {}), group=stem)
        for stem in sorted({*pictures, *labels})
    ]


def _rank(path: Path) -> int:
    suffix = path.suffix.lower()
    return _PICTURES.index(suffix) if suffix in _PICTURES else len(_PICTURES)


def _read(entry: Entry, wanted: Collection[Label]) -> Truth:
    panorama = read_panorama(entry.picture)
    rgb = panorama.rgb
    maps: dict[str, Any] = {}
    for label, read in _READERS.items():
        if label in wanted and label in entry.labels:
            path = entry.labels[label]
            maps[label] = read(fitting(read_label(path), rgb, path))
    if "instances" in wanted and "instances" in entry.labels:
        maps["instances"] = _drawn(entry, rgb)
    return Truth(name=entry.name, rgb=rgb, class_names=PICTURE_CLASSES, valid=panorama.valid, **maps)


def _drawn(entry: Entry, rgb: NDArray[np.uint8]) -> NDArray[np.uint16]:
    from training.click_evaluate import read_objects

    _, objects = read_objects(entry.labels["instances"])
    instances = np.zeros(rgb.shape[:2], np.uint16)
    for number, item in enumerate(objects, start=1):
        instances[item.mask] = number
    return instances


def _depth(label: NDArray[Any]) -> NDArray[np.float32]:
    return np.where(label > 0, label.astype(np.float32), np.float32(np.nan))


def _normals(label: NDArray[Any]) -> NDArray[np.float32]:
    """The label's y points up, ours down."""
    stored = label[..., :3].astype(np.float32)
    normals = (stored / 255 * 2 - 1) * np.array([1, -1, 1], np.float32)
    return np.where(stored.any(axis=-1, keepdims=True), normals, np.float32(np.nan))


def _classes(label: NDArray[Any]) -> NDArray[np.int16]:
    return label.astype(np.int16) - 1


_READERS: Mapping[Label, Callable[[NDArray[Any]], NDArray[Any]]] = {
    "depth": _depth,
    "normals": _normals,
    "classes": _classes,
}

LAYOUT = Layout(
    "pictures",
    "panoramas with label pictures beside them",
    f"STEM.jpg with any of STEM{', STEM'.join(LABEL_ENDINGS.values())} beside",
    _find,
    _read,
)
