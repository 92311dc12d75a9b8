"""Point clouds as binary PLY. Source: G. Turk, The PLY Polygon File Format, 1994."""

from __future__ import annotations

from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from core.cloud import PointCloud
from core.export.frames import frame_rotation, turned_axes
from core.export.provenance import cloud_facts

CHUNK = 1 << 18
NO_CLASS = 255


def write(cloud: PointCloud, stream: BinaryIO, *, frame: str = "z-up") -> None:
    """Binary little-endian PLY: x y z, nx ny nz, red green blue, label.

    Comments state frame, unit, source with its SHA-256, model, camera height, crop, pose and filter settings, and the
    names of the labels that occur. A label is one byte, 255 for none, or two bytes, 65535 for none, when there are 255
    classes or more. An instance is the number of a segment, 0 for none.

    Args:
        cloud: The points.
        stream: Open for writing.
        frame: A key of `core.cloud.FRAMES`.

    Raises:
        ExportError: There is no such frame.
    """
    rotation = frame_rotation(frame)
    record = _record(cloud)
    stream.write(_header(cloud, frame, record))
    for start in range(0, len(cloud), CHUNK):
        part = slice(start, start + CHUNK)
        rows = np.empty(len(cloud.points[part]), record)
        _fill(rows, ("x", "y", "z"), turned_axes(cloud.points[part], rotation))
        if cloud.normals is not None:
            _fill(rows, ("nx", "ny", "nz"), turned_axes(cloud.normals[part], rotation))
        _fill(rows, ("red", "green", "blue"), cloud.colors[part])
        if cloud.class_ids is not None:
            # -1 becomes the largest number of the unsigned type.
            rows["label"] = cloud.class_ids[part].astype(rows.dtype["label"])
        if cloud.segment_ids is not None:
            rows["instance"] = np.maximum(cloud.segment_ids[part], 0)
        stream.write(rows.data)


def _record(cloud: PointCloud) -> np.dtype[np.void]:
    fields = [(name, "<f4") for name in ("x", "y", "z")]
    if cloud.normals is not None:
        fields += [(name, "<f4") for name in ("nx", "ny", "nz")]
    fields += [(name, "u1") for name in ("red", "green", "blue")]
    if cloud.class_ids is not None:
        fields.append(("label", "u1" if len(cloud.class_names) < NO_CLASS else "<u2"))
    if cloud.segment_ids is not None:
        fields.append(("instance", "<u4"))
    return np.dtype(fields)


def _header(cloud: PointCloud, frame: str, record: np.dtype[np.void]) -> bytes:
    types = {"<f4": "float", "|u1": "uchar", "<u2": "ushort", "<u4": "uint"}
    lines = ["ply", "format binary_little_endian 1.0"]
    lines += [f"comment {name}={_one_line(value)}" for name, value in cloud_facts(cloud, frame).items()]
    if cloud.class_ids is not None:
        present = np.unique(cloud.class_ids)
        lines += [f"comment label {index}={_one_line(cloud.class_names[index])}" for index in present if index >= 0]
    if cloud.segment_ids is not None:
        names = dict(cloud.segment_names)
        lines += [
            f"comment instance {number}={_one_line(names.get(number, ''))}"
            for number in np.unique(cloud.segment_ids).tolist()
            if number >= 0
        ]
    lines.append(f"element vertex {len(cloud)}")
    lines += [f"property {types[record[name].str]} {name}" for name in record.names or ()]
    return "\n".join([*lines, "end_header", ""]).encode("ascii")


def _one_line(text: str) -> str:
    """Text in printable ASCII; a header has no place for line breaks and other alphabets."""
    return text.encode("unicode_escape").decode("ascii")


def _fill(rows: NDArray[np.void], names: tuple[str, str, str], values: NDArray[np.generic]) -> None:
    for column, name in enumerate(names):
        rows[name] = values[:, column]
