"""Point clouds as NumPy archives."""

from __future__ import annotations

import json
from typing import BinaryIO

import numpy as np

from core.cloud import PointCloud
from core.export.frames import frame_rotation, turned_axes
from core.export.provenance import cloud_meta
from core.progress import Progress, silent


def write(cloud: PointCloud, stream: BinaryIO, *, frame: str = "z-up", progress: Progress = silent) -> None:
    """Uncompressed NPZ: the arrays of a `PointCloud` under their names, as far as there are any, and `meta`, JSON text.

    Args:
        cloud: The points.
        stream: Open for writing.
        frame: One of `core.cloud.FRAME_NAMES`.
        progress: Hears that it begins.

    Raises:
        ExportError: There is no such frame.
    """
    progress(0, len(cloud))
    rotation = frame_rotation(frame, cloud)
    arrays: dict[str, np.ndarray] = {"points": turned_axes(cloud.points, rotation), "colors": cloud.colors}
    if cloud.normals is not None:
        arrays["normals"] = turned_axes(cloud.normals, rotation)
    if cloud.class_ids is not None:
        arrays["class_ids"] = cloud.class_ids
    if cloud.segment_ids is not None:
        arrays["segment_ids"] = cloud.segment_ids
    if cloud.pixels is not None:
        arrays["pixels"] = cloud.pixels
    meta = cloud_meta(cloud, frame)
    np.savez(stream, allow_pickle=False, meta=np.array(json.dumps(meta)), **arrays)
