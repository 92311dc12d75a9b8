"""Point clouds as NumPy archives."""

from __future__ import annotations

import json
from typing import BinaryIO

import numpy as np

from core.cloud import PointCloud
from core.export.frames import frame_rotation, turned_axes
from core.export.provenance import cloud_facts, cloud_numbers


def write(cloud: PointCloud, stream: BinaryIO, *, frame: str = "z-up") -> None:
    """Uncompressed NPZ: the arrays of a `PointCloud` under their names, as far as there are any, and `meta`, JSON text.

    Args:
        cloud: The points.
        stream: Open for writing.
        frame: A key of `core.cloud.FRAMES`.

    Raises:
        ExportError: There is no such frame.
    """
    rotation = frame_rotation(frame)
    arrays: dict[str, np.ndarray] = {"points": turned_axes(cloud.points, rotation), "colors": cloud.colors}
    if cloud.normals is not None:
        arrays["normals"] = turned_axes(cloud.normals, rotation)
    if cloud.class_ids is not None:
        arrays["class_ids"] = cloud.class_ids
    if cloud.segment_ids is not None:
        arrays["segment_ids"] = cloud.segment_ids
    if cloud.pixels is not None:
        arrays["pixels"] = cloud.pixels
    meta: dict[str, object] = {
        **cloud_facts(cloud, frame),
        **cloud_numbers(cloud),
        "class_names": list(cloud.class_names),
    }
    if cloud.segment_ids is not None:
        meta["segment_names"] = {str(number): name for number, name in cloud.segment_names}
    np.savez(stream, allow_pickle=False, meta=np.array(json.dumps(meta)), **arrays)
