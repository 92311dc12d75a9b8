"""A whole project in the form of another tool: `export_project(project, "coco", folder)`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from core.errors import ExportError
from core.export import coco, colmap, cvat, labelme, masks, sam2_video, spherical, views, yolo
from core.export.annotated import DatasetOptions, Output, Photos
from core.io.export_folder import refuse_among_panoramas
from core.io.project import Project
from core.progress import Progress, silent

DEFAULT_OPTIONS = DatasetOptions()


@dataclass(frozen=True)
class DatasetFormat:
    """A form that a project can be written in.

    Attributes:
        name: What it is called on the command line.
        title: What it is called in a dialog.
        write: ``write(photos, output)``.
        has_views: Whether `layout` and `view_size` of the options matter.
        has_pictures: Whether it writes pictures, which nobody must take for panoramas.
    """

    name: str
    title: str
    write: Callable[[Photos, Output], None]
    has_views: bool = False
    has_pictures: bool = False


DATASETS: tuple[DatasetFormat, ...] = (
    DatasetFormat("coco", "COCO instances, JSON", coco.write),
    DatasetFormat("labelme", "labelme JSON", labelme.write),
    DatasetFormat("yolo", "YOLO segmentation", yolo.write, has_pictures=True),
    DatasetFormat("cvat", "CVAT XML 1.1", cvat.write),
    DatasetFormat("masks", "Masks, PNG", masks.write, has_pictures=True),
    DatasetFormat("spherical", "Outlines on the sphere, JSON", spherical.write),
    DatasetFormat("views", "Perspective training set", views.write, has_views=True, has_pictures=True),
    DatasetFormat("colmap", "COLMAP rig with masks", colmap.write, has_views=True, has_pictures=True),
    DatasetFormat("sam2-video", "SAM 2 video", sam2_video.write, has_views=True, has_pictures=True),
)


@dataclass(frozen=True)
class Report:
    """What an export has done.

    Attributes:
        panoramas, segments, files: How many were written.
        dropped: A sentence for each kind of thing that had to be left out or changed.
        failed: A sentence for each panorama that could not be exported.
    """

    panoramas: int
    segments: int
    files: int
    dropped: tuple[str, ...]
    failed: tuple[str, ...]


def find_dataset(name: str) -> DatasetFormat:
    """The format with a name.

    Raises:
        ExportError: There is none; names those that there are.
    """
    for dataset in DATASETS:
        if dataset.name == name:
            return dataset
    raise ExportError(f"Expected one of the formats {', '.join(dataset.name for dataset in DATASETS)}, got {name}.")


def export_project(
    project: Project,
    name: str,
    folder: Path,
    options: DatasetOptions = DEFAULT_OPTIONS,
    *,
    progress: Progress = silent,
) -> Report:
    """Write the annotations of a project in another tool's form.

    Each file is written completely or not at all; files of earlier exports are replaced, others are left alone. A
    folder that is to hold pictures is marked as one of an export, and holds no panoramas.

    Args:
        project: As of `core.io.project.read_project`; what is not saved is not exported.
        name: Of the format, one of `DATASETS`.
        folder: For the files; made when there is none.
        options: What is wanted.
        progress: Called for each panorama; may raise `Cancelled`.

    Raises:
        ExportError: There is no such format, the folder holds panoramas, or a file cannot be written.
        ProjectError: Nothing is annotated, or a label that was asked for does not exist.
    """
    dataset = find_dataset(name)
    photos = Photos(project, options, progress=progress)
    if dataset.has_pictures:
        files = [path for entry in project.entries for path in (entry.photo, entry.annotation) if path is not None]
        refuse_among_panoramas(folder, project.folder, files, name)
    output = Output(folder, has_pictures=dataset.has_pictures)
    dataset.write(photos, output)
    return Report(photos.panoramas, photos.segments, output.files, photos.losses.sentences(), tuple(photos.failed))
