"""Point clouds as binary PLY. Source: G. Turk, The PLY Polygon File Format, 1994."""

from __future__ import annotations

from typing import BinaryIO

import numpy as np

from core.cloud import PointCloud
from core.export.fields import chunks, columns_of, fields_of
from core.export.frames import frame_rotation
from core.export.provenance import comment_lines
from core.progress import Progress, silent

TYPES = {"<f4": "float", "|u1": "uchar", "<u2": "ushort", "<u4": "uint"}


def write(cloud: PointCloud, stream: BinaryIO, *, frame: str = "z-up", progress: Progress = silent) -> None:
    """Binary little-endian PLY: x y z, nx ny nz, red green blue, label, instance, as `core.export.fields` says.

    Comments state frame, unit, source with its SHA-256, model, camera height, crop, pose and filter settings, and the
    names of the labels and instances that occur.

    Args:
        cloud: The points.
        stream: Open for writing.
        frame: One of `core.cloud.FRAME_NAMES`.
        progress: Hears of points.

    Raises:
        ExportError: There is no such frame.
    """
    rotation = frame_rotation(frame, cloud)
    record = np.dtype(list(fields_of(cloud).items()))
    stream.write(_header(cloud, frame, record))
    for part in chunks(cloud):
        progress(part.start, len(cloud))
        rows = np.empty(part.stop - part.start, record)
        for name, values in columns_of(cloud, part, rotation).items():
            rows[name] = values
        stream.write(rows.data)


def _header(cloud: PointCloud, frame: str, record: np.dtype[np.void]) -> bytes:
    lines = ["ply", "format binary_little_endian 1.0"]
    lines += [f"comment {line}" for line in comment_lines(cloud, frame)]
    lines.append(f"element vertex {len(cloud)}")
    lines += [f"property {TYPES[record[name].str]} {name}" for name in record.names or ()]
    return "\n".join([*lines, "end_header", ""]).encode("ascii")
