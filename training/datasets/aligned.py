"""Reading an entry whose labels are pictures on its panorama's grid, as most benchmarks store them."""

from __future__ import annotations

from collections.abc import Collection

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
from training.datasets.layout import Entry, Label
from training.truths import Truth


def read_aligned(
    entry: Entry, wanted: Collection[Label], *, per_metre: float, class_names: tuple[str, ...] = ()
) -> Truth:
    """Depth in numbers of 16 bits, 0 missing; normals; classes numbered from 1.

    Args:
        entry: What is read.
        wanted: The labels to read, as far as the set has them.
        per_metre: What depth is divided by.
        class_names: In the order of their numbers.

    Raises:
        PanoError: A file is missing or broken, of another size, or normals fit the depth in no frame.
    """
    rgb = read_panorama(entry.picture).rgb
    paths = {label: path for label, path in entry.labels.items() if label in wanted}
    if "normals" in paths and "depth" not in paths:
        beside = entry.labels.get("depth")
        if beside is None:
            raise PanoError(f"Expected depth beside the normals, to find their frame by, got none: {entry.picture}")
        paths["depth"] = beside
    maps = {label: fitting(read_label(path), rgb, path) for label, path in paths.items()}
    depth = normals = classes = None
    if "depth" in maps:
        depth = depth_of_label(maps["depth"], paths["depth"], per_metre=per_metre)
    if "normals" in maps and depth is not None:
        normals = in_our_frame(normals_of_label(maps["normals"], paths["normals"]), depth, paths["normals"])
    if "classes" in maps:
        classes = classes_of_label(maps["classes"], paths["classes"], count=len(class_names))
    return Truth(
        name=entry.name,
        rgb=rgb,
        depth=depth if "depth" in wanted else None,
        normals=normals,
        classes=classes,
        class_names=class_names,
        is_metric=True,
    )
