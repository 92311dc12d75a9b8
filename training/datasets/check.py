"""Finding the files of a data set that cannot be used, and saying why."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from core.errors import PanoError
from core.geometry.sphere import erp_rays
from core.progress import Progress, silent
from training.datasets.layout import Entry, Label, Layout
from training.truths import Truth

_FACING = 0.9
_FARTHEST_M = 2000.0
_FLAT = 2


@dataclass(frozen=True)
class Problem:
    """A file that cannot be used.

    Attributes:
        path: The file.
        why: A sentence.
    """

    path: Path
    why: str


def check_entries(layout: Layout, entries: Sequence[Entry], *, progress: Progress = silent) -> Iterator[Problem]:
    """Read everything, and tell what is missing, broken, of another size, empty, or cannot be true.

    Args:
        layout: How the entries are read.
        entries: What is checked.
        progress: Called after each entry.
    """
    for done, entry in enumerate(entries, start=1):
        yield from _check(layout, entry)
        progress(done, len(entries))


def _check(layout: Layout, entry: Entry) -> Iterator[Problem]:
    try:
        truth = layout.read(entry, ())
    except PanoError as error:
        yield Problem(entry.picture, _without_path(str(error), entry.picture))
        return
    if int(np.ptp(truth.rgb.reshape(-1, 3), axis=0).max()) < _FLAT:
        yield Problem(entry.picture, "Expected a picture, got one colour everywhere.")
    for label, path in entry.labels.items():
        try:
            truth = layout.read(entry, (label,))
        except PanoError as error:
            yield Problem(path, _without_path(str(error), path))
            continue
        yield from (Problem(path, why) for why in _doubts(truth, label))


def _doubts(truth: Truth, label: Label) -> Iterator[str]:
    """What cannot be true of a label that can be read."""
    if label == "depth" and truth.depth is not None:
        known = truth.depth[np.isfinite(truth.depth)]
        if not known.size and not (truth.far is not None and truth.far.any()):
            yield "Expected ranges, got none that is known."
        elif known.size and truth.is_metric and float(np.median(known)) > _FARTHEST_M:
            yield f"Expected ranges in metres, got a median of {float(np.median(known)):.0f}; is the unit another?"
    elif label == "normals" and truth.normals is not None:
        faced = np.isfinite(truth.normals).all(axis=-1)
        if not faced.any():
            yield "Expected normals, got none that is known."
            return
        towards = (truth.normals * erp_rays(*truth.normals.shape[:2])).sum(axis=-1)[faced] < 0
        if towards.mean() < _FACING:
            share = float(towards.mean())
            yield f"Expected normals that face the camera, got {share:.0%} that do; are the axes others?"
    elif label == "classes" and truth.classes is not None:
        if not (truth.classes >= 0).any():
            yield "Expected classes, got none that is labelled."
        elif int(truth.classes.max()) >= len(truth.class_names):
            yield f"Expected classes below {len(truth.class_names)}, got {int(truth.classes.max())}."
    elif label == "instances" and truth.instances is not None and not truth.instances.any():
        yield "Expected objects, got none."


def _without_path(sentence: str, path: Path) -> str:
    """A sentence of an error without the path at its end, which a table tells apart."""
    return sentence.removesuffix(f": {path}").rstrip(".") + "."
