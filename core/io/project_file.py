"""What the panoramas of a folder share: the label set and settings.

The file `panoviewer.project.json` in the project's folder is JSON in UTF-8:

    {
     "format": "panoviewer-project",
     "version": 1,
     "labels": [
      {"name": "door", "color": "#823c1e"}
     ],
     "renames": [
      {"old": "window", "new": "windowpane"}
     ],
     "settings": {}
    }

`renames` are those that have not reached every annotation file of the folder yet; whoever opens one applies them, in
their order. `settings` holds text, numbers, true and false by name.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType

from core.io.annotation import Annotation, check_version, label_values, read_labels
from core.io.checked_json import FieldError, Fields, dump_object, naming, parse_object
from core.io.own_files import read_own, write_own
from core.scene import Label

NAME = "panoviewer.project.json"
FORMAT = "panoviewer-project"
VERSION = 1

MAX_BYTES = 16 << 20
MAX_RENAMES = 10_000
MAX_SETTINGS = 1000

Setting = str | int | float | bool


@dataclass(frozen=True)
class Rename:
    """A label that is called otherwise now."""

    old: str
    new: str


@dataclass(frozen=True, eq=False)
class ProjectFile:
    """The content of a project file.

    Attributes:
        labels: The label set, in the order of its hot keys.
        renames: Those that have not reached every annotation file yet, in their order.
        settings: Shared by the panoramas of the folder.
    """

    labels: tuple[Label, ...] = ()
    renames: tuple[Rename, ...] = ()
    settings: Mapping[str, Setting] = field(default_factory=lambda: MappingProxyType({}))


def project_folder(path: Path) -> Path | None:
    """The nearest folder with a project file around a photograph or folder, itself included; None when none has one."""
    path = path.absolute()
    return next((folder for folder in (path, *path.parents) if os.path.isfile(folder / NAME)), None)


def read_project_file(folder: Path) -> ProjectFile:
    """What the panoramas of a folder share; an empty one where there is no project file.

    Raises:
        ProjectError: The file is damaged, or of a newer version.
    """
    path = folder / NAME
    data = read_own(path, MAX_BYTES)
    if data is None:
        return ProjectFile()
    with naming(path, "repair the file or move it away"):
        return decode(data)


def write_project_file(folder: Path, project: ProjectFile) -> None:
    """Replace the project file of a folder, atomically; nothing is written when nothing has changed.

    Raises:
        ProjectError: It cannot be written.
        ValueError: A value that the format does not have.
    """
    data = encode(project)
    path = folder / NAME
    if read_own(path, MAX_BYTES) != data:
        write_own(path, data)


def encode(project: ProjectFile) -> bytes:
    """The content of a project file; the same values give the same bytes.

    Raises:
        ValueError: A value that the format does not have.
    """
    data = dump_object(
        {
            "format": FORMAT,
            "version": VERSION,
            "labels": [label_values(label) for label in project.labels],
            "renames": [{"old": rename.old, "new": rename.new} for rename in project.renames],
            "settings": dict(sorted(project.settings.items())),
        }
    ).encode()
    try:
        decode(data)
    except FieldError as error:
        raise ValueError(str(error)) from error
    return data


def decode(data: bytes) -> ProjectFile:
    """From the content of a file.

    Raises:
        FieldError: It is not what this module describes.
    """
    fields = parse_object(data)
    check_version(fields, FORMAT, VERSION)
    renames = []
    for entry in fields.objects("renames", MAX_RENAMES):
        renames.append(Rename(entry.text("old"), entry.text("new")))
        entry.finish()
    labels, settings = read_labels(fields), _read_settings(fields.inner("settings"))
    fields.finish()
    return ProjectFile(labels, tuple(renames), settings)


def _read_settings(fields: Fields) -> Mapping[str, Setting]:
    if len(fields.names()) > MAX_SETTINGS:
        raise FieldError(f"at most {MAX_SETTINGS} settings", len(fields.names()))
    return MappingProxyType({name: fields.scalar(name) for name in fields.names()})


def renamed(annotation: Annotation, renames: tuple[Rename, ...]) -> Annotation:
    """Annotations in which labels have their new names; the same object where nothing has an old one."""
    for rename in renames:
        if any(segment.label == rename.old for segment in annotation.segments):
            segments = tuple(
                replace(segment, label=rename.new) if segment.label == rename.old else segment
                for segment in annotation.segments
            )
            annotation = replace(annotation, segments=segments)
        annotation = replace(annotation, labels=renamed_labels(annotation.labels, rename))
    return annotation


def renamed_labels(labels: tuple[Label, ...], rename: Rename) -> tuple[Label, ...]:
    """A label set in which a label has its new name; it goes where a label of that name exists already."""
    names = {label.name for label in labels}
    if rename.old not in names or rename.old == rename.new:
        return labels
    if rename.new in names:
        return tuple(label for label in labels if label.name != rename.old)
    return tuple(replace(label, name=rename.new) if label.name == rename.old else label for label in labels)


def shared_labels(shared: tuple[Label, ...], annotation: Annotation) -> tuple[Label, ...]:
    """The label set of the folder, and behind it what a panorama uses besides."""
    used = {segment.label for segment in annotation.segments} - {label.name for label in shared}
    return (*shared, *(label for label in annotation.labels if label.name in used))
