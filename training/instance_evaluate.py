"""How well the objects of a data set are cut out by clicks: the protocol of SAP, as published and corrected.

SAP reports the mean IoU over all objects after one and after three clicks, for all objects and by size. Which click is
given and where sizes part are not published; here the first click lies at the point that is farthest on the sphere from
the object's border, each further one likewise in the largest error, and sizes part where an object of 32 or 96 pixels
square in a picture of 1024 x 512, which is what SAM 2 sees of a panorama, would. Source: SAP_SAM2 of the specification,
A.8.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray
from rich.box import SIMPLE_HEAD
from rich.table import Table

from core.errors import PanoError
from core.geometry.regions import farthest_point_inside
from core.geometry.sphere import solid_angle
from core.panorama import Panorama
from core.progress import Progress, silent
from core.scene import Click
from training.click_evaluate import DrawnObject, Method, judge_object
from training.datasets import Label, find_layout
from training.metrics import mask_iou
from training.truths import Truth

_SPHERE = 4 * np.pi
_PIXELS = 1024 * 512
SMALL, LARGE = 32**2 / _PIXELS * _SPHERE, 96**2 / _PIXELS * _SPHERE
"""Steradians below which an object is small, and from which on it is large."""
SMALLEST = 1e-4
"""Steradians of an object that is asked for, half a degree across; smaller ones are scraps of a mask."""
SIZES = ("all", "small", "medium", "large")
CLICKS = (1, 3)
_WANTED: tuple[Label, ...] = ("instances",)


@dataclass(frozen=True)
class InstanceRow:
    """How one method does on one object.

    Attributes:
        picture: Name of the panorama.
        number: Of the object.
        size: small, medium or large.
        method: Of the method.
        ious: After the first click, the second, ...
    """

    picture: str
    number: int
    size: str
    method: str
    ious: tuple[float, ...]


def evaluate_instances(
    folder: Path,
    methods: Mapping[str, Method],
    *,
    layout: str | None = None,
    by_pixels: bool = False,
    worlds: Sequence[Path] | None = None,
    progress: Progress = silent,
) -> list[InstanceRow]:
    """Judge methods on every object of a data set with instance masks.

    Args:
        folder: In a layout that has instances: frames with masks, worlds, Stanford 2D-3D-S, drawn objects.
        methods: By name; each gets every object.
        layout: How the folder lies; found out when left out.
        by_pixels: Count pixels of the panorama, as the paper does; otherwise solid angle.
        worlds: Of a folder of worlds, those to judge by; all when left out.
        progress: Called after each panorama.

    Raises:
        PanoError: There are no objects, or a file is broken.
    """
    found, entries = find_layout(folder, layout)
    labelled = [
        entry for entry in entries if "instances" in entry.labels and (worlds is None or entry.picture in worlds)
    ]
    iou = pixel_iou if by_pixels else mask_iou
    rows: list[InstanceRow] = []
    for done, entry in enumerate(labelled, start=1):
        truth = found.read(entry, _WANTED)
        rows += _judge(truth, methods, iou)
        progress(done, len(labelled))
    if not rows:
        raise PanoError(f"Expected objects to click on, got none; choose a folder with instance masks: {folder}")
    return rows


def _judge(
    truth: Truth, methods: Mapping[str, Method], iou: Callable[[ArrayLike, ArrayLike], float]
) -> list[InstanceRow]:
    panorama = Panorama(np.ascontiguousarray(truth.rgb))
    objects = list(objects_of(truth))
    rows = []
    for name, method in methods.items():
        answer = method(panorama)
        for number, size, item in objects:
            rows.append(InstanceRow(truth.name, number, size, name, judge_object(answer, item, max(CLICKS), iou=iou)))
    return rows


def objects_of(truth: Truth) -> list[tuple[int, str, DrawnObject]]:
    """Number, size and mask with its first click of each object of a panorama."""
    if truth.instances is None:
        return []
    weights = np.broadcast_to(solid_angle(*truth.instances.shape), truth.instances.shape)
    areas = np.bincount(truth.instances.ravel(), weights.ravel())
    objects = []
    for number in np.flatnonzero(areas >= SMALLEST):
        if number:
            mask = np.asarray(truth.instances == number)
            click = Click(*farthest_point_inside(mask))
            objects.append((int(number), size_of(float(areas[number])), DrawnObject(str(number), click, mask)))
    return objects


def size_of(area: float) -> str:
    """Name of the size of an object by its steradians."""
    return "small" if area < SMALL else "medium" if area < LARGE else "large"


def pixel_iou(mask: ArrayLike, truth: ArrayLike) -> float:
    """Intersection over union of two (h, w) masks by pixels; 1 when both are empty."""
    said, true = np.asarray(mask, np.bool_), np.asarray(truth, np.bool_)
    union = int((said | true).sum())
    return float((said & true).sum() / union) if union else 1.0


def instance_means(rows: Sequence[InstanceRow]) -> dict[str, dict[str, float]]:
    """By method: the mean IoU after one and three clicks, of all objects and of each size that occurs."""
    means: dict[str, dict[str, float]] = {}
    for method in dict.fromkeys(row.method for row in rows):
        of_method = [row for row in rows if row.method == method]
        means[method] = {}
        for click in CLICKS:
            for size in SIZES:
                ious = _of_size(of_method, size, click)
                if len(ious):
                    means[method][_title(click, size)] = float(np.mean(ious))
    return means


def _title(click: int, size: str) -> str:
    return f"{click} click{'s' * (click > 1)} {size}"


def _of_size(rows: Sequence[InstanceRow], size: str, click: int) -> NDArray[np.float64]:
    return np.array([row.ious[click - 1] for row in rows if size in ("all", row.size)])


def instance_table(rows: Sequence[InstanceRow], folder: str, *, by_pixels: bool) -> Table:
    """The means for the terminal: a line for each method and number of clicks, a column for each size of objects."""
    means = instance_means(rows)
    first = next(iter(means))
    counts = {size: sum(row.method == first and size in ("all", row.size) for row in rows) for size in SIZES}
    how = "pixels (quirk of the paper: towards the poles they count too much)" if by_pixels else "solid angle"
    table = Table(
        title=f"clicks on {folder}: mean IoU over objects",
        caption=f"By {how}. Objects: {', '.join(f'{size} {count}' for size, count in counts.items())}; small is below "
        f"{SMALL:.3f} sr, large from {LARGE:.3f} sr (our choice).",
        box=SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
    )
    sizes = [size for size in SIZES if counts[size]]
    for name in ("method", "clicks", *sizes):
        table.add_column(name, justify="left" if name == "method" else "right")
    for method, scores in means.items():
        for number, click in enumerate(CLICKS):
            cells = (f"{scores[_title(click, size)]:.3f}" for size in sizes)
            table.add_row("" if number else method, str(click), *cells)
    return table
