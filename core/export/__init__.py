"""Writing results: `export(value, path)` finds the format by the value's type and the name's ending."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from core.cloud import FRAME_NAMES, PointCloud
from core.errors import ExportError
from core.export import classes, depth, e57, glb, las, normals, npz, obj, panorama, pcd, ply, text
from core.export.beside import Beside, facts_name
from core.export.provenance import write_beside
from core.io.atomic import atomic_files
from core.mesh import Mesh
from core.panorama import Panorama
from core.prediction import Prediction

FACTS = Beside(facts_name, write_beside)
"""What a cloud's own format has no place for."""


@dataclass(frozen=True)
class Exporter:
    """A format for one type of value.

    Attributes:
        kind: The type that it writes.
        suffix: How names of its files end, in lower case; may have several parts.
        title: What it is called in a dialog.
        write: ``write(value, stream, **options)``; sees an open binary stream and never a path.
        beside: The files that go with it.
        is_named: Whether `write` wants the file's ``name=``, because it refers to those beside it.
        frames: For points and triangles, those that it may have; the first one is its own.
    """

    kind: type
    suffix: str
    title: str
    write: Callable[..., None]
    beside: tuple[Beside, ...] = ()
    is_named: bool = False
    frames: tuple[str, ...] = FRAME_NAMES


EXPORTERS: tuple[Exporter, ...] = (
    Exporter(PointCloud, ".ply", "PLY point cloud", ply.write),
    Exporter(PointCloud, ".pcd", "PCD point cloud", pcd.write, (FACTS,)),
    Exporter(PointCloud, ".las", "LAS 1.4", las.write),
    Exporter(PointCloud, ".laz", "LAZ 1.4, compressed", las.write_laz),
    Exporter(PointCloud, ".e57", "E57, with the photograph", e57.write),
    Exporter(PointCloud, ".xyz", "Text, XYZ with a header", text.write_xyz, (FACTS,)),
    Exporter(PointCloud, ".csv", "Text, CSV", text.write_csv, (FACTS,)),
    Exporter(PointCloud, ".npz", "NumPy point cloud", npz.write),
    Exporter(Mesh, ".glb", "glTF, textured mesh", glb.write, frames=(glb.FRAME,)),
    Exporter(Mesh, ".obj", "OBJ, textured mesh", obj.write, obj.BESIDE, is_named=True),
    Exporter(Panorama, ".jpg", "JPEG panorama", panorama.write_jpeg),
    Exporter(Panorama, ".jpeg", "JPEG panorama", panorama.write_jpeg),
    Exporter(Panorama, ".png", "PNG panorama", panorama.write_png),
    Exporter(Panorama, ".tif", "TIFF panorama", panorama.write_tiff),
    Exporter(Panorama, ".tiff", "TIFF panorama", panorama.write_tiff),
    Exporter(Panorama, ".exr", "OpenEXR panorama", panorama.write_light_exr),
    Exporter(Panorama, ".hdr", "Radiance HDR panorama", panorama.write_light_hdr),
    Exporter(Prediction, ".depth.npy", "Depth, NumPy float32", depth.write_npy),
    Exporter(Prediction, ".depth.exr", "Depth, OpenEXR float32", depth.write_exr32),
    Exporter(Prediction, ".depth.tiff", "Depth, TIFF float32", depth.write_tiff32),
    Exporter(Prediction, ".depth.png", "Depth, 16-bit PNG", depth.write_png16),
    Exporter(Prediction, ".depth.preview.png", "Depth, colour picture", depth.write_preview),
    Exporter(Prediction, ".far.png", "Far mask, PNG", depth.write_far),
    Exporter(Prediction, ".normals.npy", "Normals, NumPy float32", normals.write_npy),
    Exporter(Prediction, ".normals.exr", "Normals, OpenEXR half", normals.write_exr16),
    Exporter(Prediction, ".normals.png", "Normals, colour picture", normals.write_png8),
    Exporter(Prediction, ".classes.png", "Classes, PNG of indices", classes.write_png8),
    Exporter(Prediction, ".classes.preview.png", "Classes, colour picture", classes.write_preview),
)


def find_exporter(kinds: type | tuple[type, ...], path: Path) -> Exporter:
    """The format of a type, or of one of several, whose suffix the path ends with, upper or lower case.

    Raises:
        ExportError: No format of this type has such an ending; names the possible ones.
    """
    wanted = kinds if isinstance(kinds, tuple) else (kinds,)
    candidates = [exporter for exporter in EXPORTERS if any(issubclass(kind, exporter.kind) for kind in wanted)]
    for exporter in candidates:
        if path.name.lower().endswith(exporter.suffix):
            return exporter
    if not candidates:
        raise ValueError(f"nothing writes a {wanted[0].__name__}")
    endings = ", ".join(exporter.suffix for exporter in candidates)
    raise ExportError(f"Expected a file name that ends in one of {endings}: {path}")


def files_of(exporter: Exporter, path: Path) -> list[Path]:
    """What `export` writes: the file, and those that go with it."""
    return [path, *(path.with_name(beside.place(path.name)) for beside in exporter.beside)]


def export(value: object, path: Path, **options: object) -> Path:
    """Write a value to a file, completely or not at all; where a format is a set of files, all of them or none.

    Args:
        value: A `PointCloud`, a `Mesh` or a `Prediction`.
        path: Its ending chooses the format; its folder must exist.
        options: Passed on to the format, such as ``frame="ros"`` or ``progress=`` for clouds.

    Returns:
        The path.

    Raises:
        ExportError: Unknown ending, a value that the format cannot hold, or a file that cannot be written; what was
            there before is untouched.
    """
    exporter = find_exporter(type(value), path)
    about = {name: option for name, option in options.items() if name == "frame"}
    with atomic_files(files_of(exporter, path)) as (stream, *others):
        exporter.write(value, stream, **options, **({"name": path.name} if exporter.is_named else {}))
        for beside, other in zip(exporter.beside, others, strict=True):
            beside.write(value, other, name=path.name, **about)
    return path
