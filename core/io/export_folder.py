"""Folders that an export has filled with pictures: those are made of panoramas and are none themselves.

Such a folder bears the file `.panoviewer-export`, JSON in UTF-8. Its presence alone tells; what it says is for people:

    {
     "format": "panoviewer-export",
     "version": 1,
     "meaning": "The pictures in this folder and below it are an export. Remove this file to have them listed."
    }
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from core.errors import ExportError
from core.io.atomic import export_errors
from core.io.checked_json import dump_object
from core.io.folder import EXPORT_MARKER, is_panorama
from core.io.own_files import write_own

FORMAT = "panoviewer-export"
VERSION = 1
MEANING = "The pictures in this folder and below it are an export. Remove this file to have them listed."


def mark_export(folder: Path) -> None:
    """Say of a folder that its pictures are those of an export; nothing happens where that is said already.

    Raises:
        ProjectError: It cannot be written.
    """
    path = folder / EXPORT_MARKER
    if not os.path.lexists(path):
        write_own(path, dump_object({"format": FORMAT, "version": VERSION, "meaning": MEANING}).encode())


def refuse_among_panoramas(folder: Path, project: Path, panoramas: Iterable[Path], name: str) -> None:
    """Raise where the pictures of an export would lie among panoramas, and panoramas below the mark of an export.

    Args:
        folder: For the export; need not exist.
        project: Folder of the project.
        panoramas: Files of the project.
        name: Of a subfolder that is proposed instead.

    Raises:
        ExportError: The folder is that of the project, holds some of its files, or other panoramas.
    """
    with export_errors(folder):
        target = folder.resolve()
        is_crowded = target == project.resolve() or any(path.resolve().is_relative_to(target) for path in panoramas)
        if not is_crowded and target.is_dir() and not os.path.lexists(target / EXPORT_MARKER):
            is_crowded = any(is_panorama(found) for found in os.listdir(target))
    if is_crowded:
        raise ExportError(
            "Expected a folder of its own for the pictures of an export, got one that holds panoramas; choose a new "
            f"one inside it, such as {name}: {folder / name}"
        )
