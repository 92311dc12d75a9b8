"""Writing results: `export(value, path)` finds the format by the value's type and the name's ending."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from core.cloud import PointCloud
from core.errors import ExportError
from core.export import classes, depth, normals, npz, ply
from core.io.atomic import atomic_file
from core.prediction import Prediction


@dataclass(frozen=True)
class Exporter:
    """A format for one type of value.

    Attributes:
        kind: The type that it writes.
        suffix: How names of its files end, in lower case; may have several parts.
        title: What it is called in a dialog.
        write: ``write(value, stream, **options)``; sees an open binary stream and never a path.
    """

    kind: type
    suffix: str
    title: str
    write: Callable[..., None]


EXPORTERS: tuple[Exporter, ...] = (
    Exporter(PointCloud, ".ply", "PLY point cloud", ply.write),
    Exporter(PointCloud, ".npz", "NumPy point cloud", npz.write),
    Exporter(Prediction, ".depth.npy", "Depth, NumPy float32", depth.write_npy),
    Exporter(Prediction, ".depth.png", "Depth, 16-bit PNG", depth.write_png16),
    Exporter(Prediction, ".depth.preview.png", "Depth, colour picture", depth.write_preview),
    Exporter(Prediction, ".far.png", "Far mask, PNG", depth.write_far),
    Exporter(Prediction, ".normals.npy", "Normals, NumPy float32", normals.write_npy),
    Exporter(Prediction, ".normals.png", "Normals, colour picture", normals.write_png8),
    Exporter(Prediction, ".classes.png", "Classes, PNG of indices", classes.write_png8),
    Exporter(Prediction, ".classes.preview.png", "Classes, colour picture", classes.write_preview),
)


def find_exporter(kind: type, path: Path) -> Exporter:
    """The format of a type whose suffix the path ends with, upper or lower case.

    Raises:
        ExportError: No format of this type has such an ending; names the possible ones.
    """
    candidates = [exporter for exporter in EXPORTERS if issubclass(kind, exporter.kind)]
    for exporter in candidates:
        if path.name.lower().endswith(exporter.suffix):
            return exporter
    if not candidates:
        raise ValueError(f"nothing writes a {kind.__name__}")
    endings = ", ".join(exporter.suffix for exporter in candidates)
    raise ExportError(f"Expected a file name that ends in one of {endings}: {path}")


def export(value: object, path: Path, **options: object) -> Path:
    """Write a value to a file, completely or not at all.

    Args:
        value: A `PointCloud` or a `Prediction`.
        path: Its ending chooses the format; its folder must exist.
        options: Passed on to the format, such as ``frame="ros"`` for clouds.

    Returns:
        The path.

    Raises:
        ExportError: Unknown ending, a value that the format cannot hold, or a file that cannot be written; what was
            there before is untouched.
    """
    exporter = find_exporter(type(value), path)
    with atomic_file(path) as stream:
        exporter.write(value, stream, **options)
    return path
