"""Point clouds and meshes alike: which one a file's name stands for, and in which frame."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from core.cloud import DEFAULT_OPTIONS, CloudOptions, PointCloud, cloud_from_prediction
from core.errors import ExportError
from core.export import EXPORTERS, Exporter, find_exporter
from core.export.frames import check_frame
from core.mesh import DEFAULT_MESH, Mesh, MeshOptions, mesh_from_prediction
from core.panorama import Panorama
from core.prediction import Prediction
from core.progress import Progress, silent
from core.scene import Segment

GEOMETRY: tuple[Exporter, ...] = tuple(entry for entry in EXPORTERS if entry.kind in (PointCloud, Mesh))
"""Formats of points and triangles."""


def find_geometry(path: Path) -> Exporter:
    """The format of points or triangles that a path ends with.

    Raises:
        ExportError: There is none; names the possible ones.
    """
    return find_exporter((PointCloud, Mesh), path)


def chosen_frame(exporter: Exporter, frame: str | None, panorama: Panorama | None, *, raw_pose: bool = False) -> str:
    """The frame in which a photograph's geometry is written.

    Args:
        exporter: The format.
        frame: The one that is wanted; the format's own when None.
        panorama: The photograph; None checks only what hangs on the format.
        raw_pose: Whether its tilt is kept.

    Raises:
        ExportError: The format, or the photograph, cannot have this frame.
    """
    name = exporter.frames[0] if frame is None else frame
    if name not in exporter.frames:
        raise ExportError(f"A {exporter.suffix} file has the frame {exporter.frames[0]} by definition, got {name}.")
    if panorama is not None:
        check_frame(name, heading=panorama.heading, is_level=panorama.is_level or not raw_pose)
    return name


def build(
    exporter: Exporter,
    panorama: Panorama,
    prediction: Prediction,
    options: CloudOptions = DEFAULT_OPTIONS,
    mesh: MeshOptions = DEFAULT_MESH,
    segments: Sequence[Segment] = (),
    *,
    progress: Progress = silent,
) -> PointCloud | Mesh:
    """What a format holds: the points of a prediction, or the mesh of them; arguments and errors as there."""
    if exporter.kind is Mesh:
        return mesh_from_prediction(panorama, prediction, options, mesh, segments, progress=progress)
    return cloud_from_prediction(panorama, prediction, options, segments)
