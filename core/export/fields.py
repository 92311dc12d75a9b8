"""What each point of a cloud bears, by the names and in the numbers that all formats use."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from core.cloud import PointCloud
from core.export.frames import turned_axes

CHUNK = 1 << 18
"""Points that are brought into a format's shape at once."""

NO_CLASS = 255
POINT, NORMAL, COLOR = ("x", "y", "z"), ("nx", "ny", "nz"), ("red", "green", "blue")


def chunks(cloud: PointCloud) -> list[slice]:
    """The points in parts."""
    return [slice(start, min(start + CHUNK, len(cloud))) for start in range(0, len(cloud), CHUNK)]


def fields_of(cloud: PointCloud) -> dict[str, str]:
    """The fields of a point with their types as NumPy writes them, in their order.

    x y z and nx ny nz are float32, red green blue bytes. A label is a byte, 255 for none, or two bytes, 65535 for none,
    when there are 255 classes or more. An instance is the number of a segment, 0 for none.
    """
    fields = dict.fromkeys(POINT, "<f4")
    if cloud.normals is not None:
        fields |= dict.fromkeys(NORMAL, "<f4")
    fields |= dict.fromkeys(COLOR, "|u1")
    if cloud.class_ids is not None:
        fields["label"] = "|u1" if len(cloud.class_names) < NO_CLASS else "<u2"
    if cloud.segment_ids is not None:
        fields["instance"] = "<u4"
    return fields


def columns_of(
    cloud: PointCloud, part: slice, rotation: NDArray[np.float64] | None = None
) -> dict[str, NDArray[np.generic]]:
    """The values of those fields for some of the points.

    Args:
        cloud: The points.
        part: Which of them.
        rotation: (3, 3) into the frame of the file; None for ours.
    """
    types = fields_of(cloud)
    matrix = np.eye(3) if rotation is None else rotation
    columns: dict[str, NDArray[np.generic]] = {}
    for names, values in (
        (POINT, turned_axes(cloud.points[part], matrix)),
        (NORMAL, None if cloud.normals is None else turned_axes(cloud.normals[part], matrix)),
        (COLOR, cloud.colors[part]),
    ):
        if values is not None:
            columns |= {name: values[:, axis] for axis, name in enumerate(names)}
    if cloud.class_ids is not None:
        # -1 becomes the largest number of the unsigned type.
        columns["label"] = cloud.class_ids[part].astype(types["label"])
    if cloud.segment_ids is not None:
        columns["instance"] = np.maximum(cloud.segment_ids[part], 0).astype(types["instance"])
    return columns


def label_names(cloud: PointCloud) -> dict[int, str]:
    """Names of the labels that occur."""
    if cloud.class_ids is None:
        return {}
    return {index: cloud.class_names[index] for index in np.unique(cloud.class_ids).tolist() if index >= 0}


def instance_names(cloud: PointCloud) -> dict[int, str]:
    """Labels of the segments that occur."""
    if cloud.segment_ids is None:
        return {}
    names = dict(cloud.segment_names)
    return {number: names.get(number, "") for number in np.unique(cloud.segment_ids).tolist() if number >= 0}
