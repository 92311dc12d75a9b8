"""How well objects are cut out by clicks: IoU on the sphere with hand-drawn objects, click after click.

The first click comes from the file; each further one goes to the middle of the largest connected error, the pixel that
is farthest on the sphere from all that is right. What is predicted outside the object counts as wrong.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from core.errors import PanoError
from core.geometry.regions import farthest_point_inside, runs_inside
from core.io.images import read_panorama
from core.panorama import Panorama
from core.progress import Progress, silent
from core.scene import Click
from training.metrics import mask_iou

Mask = NDArray[np.bool_]
Answer = Callable[[Sequence[Click]], Mask]
"""What clicks, the first one first, cut out of one panorama: a mask of its size."""
Method = Callable[[Panorama], Answer]
"""A way to cut out, made ready for a panorama."""

CLICKS = 3
"""How many an object gets."""
_ENDING = ".instances.json"


@dataclass(frozen=True, eq=False)
class DrawnObject:
    """An object that was drawn by hand.

    Attributes:
        name: What it is; no two of a panorama have the same.
        click: The first click.
        mask: (h, w) on the panorama's grid.
    """

    name: str
    click: Click
    mask: Mask


@dataclass(frozen=True)
class ClickRow:
    """How one method does on one object.

    Attributes:
        picture: File name of the panorama.
        name: Of the object.
        method: Of the method.
        ious: After the first click, the second, ...
    """

    picture: str
    name: str
    method: str
    ious: tuple[float, ...]


def evaluate_clicks(
    folder: Path, methods: Mapping[str, Method], *, clicks: int = CLICKS, progress: Progress = silent
) -> list[ClickRow]:
    """Judge methods on the objects of a folder, NAME.instances.json with its picture and its map of labels.

    Args:
        folder: Holds them.
        methods: By name; each gets every object.
        clicks: How many every object gets.
        progress: Called after each panorama.

    Raises:
        PanoError: There are none, or a file is broken.
    """
    files = sorted(folder.glob(f"*{_ENDING}"))
    if not files:
        raise PanoError(f"Expected hand-drawn objects (*{_ENDING}), got none; choose a folder with some: {folder}")
    rows = []
    for done, path in enumerate(files, start=1):
        panorama, objects = read_objects(path)
        for name, method in methods.items():
            answer = method(panorama)
            rows += [
                ClickRow(path.name.removesuffix(_ENDING), item.name, name, judge_object(answer, item, clicks))
                for item in objects
            ]
        progress(done, len(files))
    return rows


def judge_object(
    answer: Answer, item: DrawnObject, clicks: int, *, iou: Callable[[Mask, Mask], float] = mask_iou
) -> tuple[float, ...]:
    """IoU after each of so many clicks; by solid angle, or as `iou` counts."""
    given = [item.click]
    ious = []
    for _ in range(clicks):
        said = answer(given)
        ious.append(iou(said, item.mask))
        correction = next_click(said, item.mask)
        if correction is not None:
            given.append(correction)
    return tuple(ious)


def next_click(said: Mask, truth: Mask) -> Click | None:
    """A click into the middle of the largest connected error, by solid angle; None when nothing is wrong."""
    largest, piece, positive = 0.0, None, True
    for error, is_missing in ((truth & ~said, True), (said & ~truth, False)):
        runs = runs_inside(error)
        if runs.count == 0:
            continue
        areas = runs.solid_angles()
        best = int(np.argmax(areas))
        if areas[best] > largest:
            largest, positive = float(areas[best]), is_missing
            piece = np.zeros_like(error)
            runs.paint(piece, np.arange(runs.count) == best, True)
    if piece is None:
        return None
    return Click(*farthest_point_inside(piece), positive)


def read_objects(path: Path) -> tuple[Panorama, list[DrawnObject]]:
    """The panorama of a file NAME.instances.json, and its objects.

    Raises:
        PanoError: The file, its picture or its labels cannot be read, or do not fit each other.
    """
    try:
        described = json.loads(path.read_text(encoding="utf-8"))
        picture, labelled = str(described["image"]), str(described["labels"])
        objects = []
        for item in described["instances"]:
            lon, lat = (float(angle) for angle in item["click_lonlat_deg"])
            objects.append((int(item["id"]), str(item["name"]), lon, lat))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise PanoError(f"Expected hand-drawn objects, got a file that cannot be read ({error}): {path}") from error
    panorama = read_panorama(path.parent / picture)
    labels = cv2.imread(str(path.parent / labelled), cv2.IMREAD_UNCHANGED)
    if labels is None or labels.shape != panorama.rgb.shape[:2]:
        raise PanoError(f"Expected a map of labels as large as its picture, got another; draw it again: {labelled}")
    names = told_apart([name for _, name, _, _ in objects])
    drawn = [
        DrawnObject(name, Click(float(np.radians(lon)), float(np.radians(lat))), np.asarray(labels == number))
        for name, (number, _, lon, lat) in zip(names, objects, strict=True)
    ]
    return panorama, drawn


def told_apart(names: Sequence[str]) -> list[str]:
    """Names of which no two are equal: a further "chair" becomes "chair 2", as tables have a row for each name."""
    taken: dict[str, None] = {}
    for name in names:
        number, told = 1, name
        while told in taken:
            number += 1
            told = f"{name} {number}"
        taken[told] = None
    return list(taken)


def click_table(rows: Sequence[ClickRow]) -> str:
    """Text of 80 columns: every method after 1 and after the last click, a line for each object, and their means."""
    methods = list(dict.fromkeys(row.method for row in rows))
    objects = list(dict.fromkeys((row.picture, row.name) for row in rows))
    ious = {(row.picture, row.name, row.method): row.ious for row in rows}
    last = len(rows[0].ious)
    blocks = []
    for first in range(0, len(methods), _ABREAST):
        abreast = methods[first : first + _ABREAST]
        lines = [
            " " * _NAME + "".join(f"{method:>16}" for method in abreast),
            " " * _NAME + f"{'1 click':>10}{last:>6}" * len(abreast),
        ]
        for picture, name in objects:
            lines += _line(f"{picture}: {name}", [ious[picture, name, method] for method in abreast])
        means = [np.mean([ious[picture, name, method] for picture, name in objects], axis=0) for method in abreast]
        blocks.append("\n".join([*lines, *_line("mean", means)]))
    return "\n\n".join(blocks)


_ABREAST, _NAME = 3, 30
"""Methods beside each other, and columns before them."""


def _line(name: str, ious: Sequence[Sequence[float] | NDArray[np.float64]]) -> list[str]:
    """A name and what belongs to it, below it where it is long."""
    cells = "".join(f"{each[0]:10.3f}{each[-1]:6.3f}" for each in ious)
    return [f"{name:<{_NAME}}{cells}"] if len(name) < _NAME else [name, " " * _NAME + cells]
