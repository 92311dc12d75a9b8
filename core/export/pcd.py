"""Point clouds as binary PCD 0.7. Source: https://pointclouds.org/documentation/tutorials/pcd_file_format.html."""

from __future__ import annotations

from typing import BinaryIO

import numpy as np

from core.cloud import PointCloud
from core.export.fields import chunks, columns_of, fields_of
from core.export.frames import frame_rotation
from core.export.provenance import comment_lines
from core.progress import Progress, silent

VIEWPOINT = "0 0 0 1 0 0 0"
"""The camera: at the origin, and unturned, because the points are in the frame of the file already."""


def write(cloud: PointCloud, stream: BinaryIO, *, frame: str = "z-up", progress: Progress = silent) -> None:
    """Binary PCD: x y z, rgb packed into the bits of a float, normal_x normal_y normal_z, label, instance.

    These are the names and types of PCL's own point types, so that PCL fills them without a conversion; numbers of
    labels and instances are those of `core.export.fields`, 32 bits wide. Comments state what those of PLY do; programs
    drop them when they write the file again, so the same stands in the JSON beside it.

    Args:
        cloud: The points.
        stream: Open for writing.
        frame: One of `core.cloud.FRAME_NAMES`.
        progress: Hears of points.

    Raises:
        ExportError: There is no such frame.
    """
    rotation = frame_rotation(frame, cloud)
    fields = _fields(cloud)
    record = np.dtype([(name, kind) for name, (kind, _) in fields.items()])
    stream.write(_header(cloud, frame, fields))
    for part in chunks(cloud):
        progress(part.start, len(cloud))
        columns = columns_of(cloud, part, rotation)
        rows = np.empty(part.stop - part.start, record)
        for name, (_, source) in fields.items():
            rows[name] = columns[source] if source else _packed(columns)
        stream.write(rows.data)


def _fields(cloud: PointCloud) -> dict[str, tuple[str, str]]:
    """Name of each field with its type in NumPy's words and the name of `core.export.fields`; none for the colour."""
    fields = {name: ("<f4", name) for name in ("x", "y", "z")}
    fields["rgb"] = ("<u4", "")
    known = fields_of(cloud)
    if "nx" in known:
        fields |= {f"normal_{axis}": ("<f4", f"n{axis}") for axis in "xyz"}
    return fields | {name: ("<u4", name) for name in ("label", "instance") if name in known}


def _packed(columns: dict[str, np.ndarray]) -> np.ndarray:
    red, green, blue = (columns[name].astype("<u4") for name in ("red", "green", "blue"))
    packed: np.ndarray = red << 16 | green << 8 | blue
    return packed


def _header(cloud: PointCloud, frame: str, fields: dict[str, tuple[str, str]]) -> bytes:
    types = ["F" if name == "rgb" or kind == "<f4" else "U" for name, (kind, _) in fields.items()]
    lines = ["# .PCD v0.7 - Point Cloud Data file format"]
    lines += [f"# {line}" for line in comment_lines(cloud, frame)]
    lines += [
        "VERSION 0.7",
        f"FIELDS {' '.join(fields)}",
        f"SIZE {' '.join('4' for _ in fields)}",
        f"TYPE {' '.join(types)}",
        f"COUNT {' '.join('1' for _ in fields)}",
        f"WIDTH {len(cloud)}",
        "HEIGHT 1",
        f"VIEWPOINT {VIEWPOINT}",
        f"POINTS {len(cloud)}",
        "DATA binary",
        "",
    ]
    return "\n".join(lines).encode("ascii")
