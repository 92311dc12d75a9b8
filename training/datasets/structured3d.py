"""Structured3D: rendered rooms. Units and masks: its data_organization.md; depth in millimetres, 0 missing."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path

from training.datasets.aligned import read_aligned
from training.datasets.layout import Entry, Label, Layout, found
from training.datasets.names import NYU40
from training.truths import Truth

_FILES: Mapping[Label, str] = {"depth": "depth.png", "normals": "normal.png", "classes": "semantic.png"}


def _find(folder: Path) -> list[Entry]:
    pattern = "2D_rendering/*/panorama/full/rgb_rawlight.png"
    return [_entry(path) for path in found(folder, (pattern,))]


def _entry(picture: Path) -> Entry:
    scene, room = picture.parents[4].name, picture.parents[2].name
    labels = {label: picture.parent / name for label, name in _FILES.items()}
    return Entry(f"{scene}/{room}", picture, labels, group=scene)


def _read(entry: Entry, wanted: Collection[Label]) -> Truth:
    return read_aligned(entry, wanted, per_metre=1000, class_names=NYU40)


LAYOUT = Layout(
    "structured3d",
    "Structured3D",
    "scene_*/2D_rendering/*/panorama/full/rgb_rawlight.png with depth.png, normal.png, semantic.png beside",
    _find,
    _read,
)
