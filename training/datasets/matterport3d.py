"""Matterport3D: scanned buildings, in the two ways in which its panoramas are handed on.

- The multi-task benchmark: mp3d_results_panoramas/SCAN/ID_panorama.jpg and mp3d_aligned_labels/SCAN/depth, normal,
  semantic; millimetres, the 40 classes of mpcat40 from 1.
- Stitched skyboxes for depth: SCAN/pano_skybox_color/ID.jpg and SCAN/pano_depth/ID.png, 4000 a metre.
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from training.datasets.aligned import read_aligned
from training.datasets.layout import Entry, Label, Layout, found
from training.datasets.names import MPCAT40
from training.truths import Truth

_PICTURES = "mp3d_results_panoramas"
_LABELS = "mp3d_aligned_labels"
_STITCHED = "pano_skybox_color"


def _find(folder: Path) -> list[Entry]:
    pictures = list(found(folder, (f"{_PICTURES}/*/*_panorama.jpg",)))
    if pictures:
        return [_benchmark(path) for path in pictures]
    return [_stitched(path) for path in found(folder, (f"{_STITCHED}/*.jpg", f"{_STITCHED}/*.png"))]


def _benchmark(picture: Path) -> Entry:
    scan, viewpoint = picture.parent.name, picture.name.removesuffix("_panorama.jpg")
    where = picture.parents[2] / _LABELS / scan
    folders: dict[Label, str] = {"depth": "depth", "normals": "normal", "classes": "semantic"}
    labels = {
        label: where / name / f"{viewpoint}_{name}.png" for label, name in folders.items() if (where / name).is_dir()
    }
    return Entry(f"{scan}/{viewpoint}", picture, labels, group=scan)


def _stitched(picture: Path) -> Entry:
    scan = picture.parents[1]
    depth = scan / "pano_depth" / f"{picture.stem}.png"
    return Entry(f"{scan.name}/{picture.stem}", picture, {"depth": depth}, group=scan.name)


def _read(entry: Entry, wanted: Collection[Label]) -> Truth:
    per_metre = 4000 if entry.picture.parent.name == _STITCHED else 1000
    return read_aligned(entry, wanted, per_metre=per_metre, class_names=MPCAT40)


LAYOUT = Layout(
    "matterport3d",
    "Matterport3D",
    f"{_PICTURES}/SCAN/*_panorama.jpg with {_LABELS}/SCAN/depth, normal, semantic; or SCAN/{_STITCHED} with "
    "SCAN/pano_depth",
    _find,
    _read,
)
