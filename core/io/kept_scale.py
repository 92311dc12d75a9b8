"""The known sizes of a folder, among the settings of its project file (`core.io.project_file`).

`camera_height` is in metres; `depth_factor.MODEL` is that of a model which does not estimate that height.
"""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

from core.errors import ProjectError
from core.io.project_file import NAME, Setting, project_folder, read_project_file, write_project_file
from core.known_scale import FACTORS, KnownScale
from core.prediction import CAMERA_HEIGHTS

CAMERA_HEIGHT = "camera_height"
FACTOR = "depth_factor."


def read_scale(photo: Path) -> KnownScale:
    """What is kept for the folder of a photograph; nothing where there is no project.

    Raises:
        ProjectError: The project file is damaged, or of a newer version.
    """
    folder = project_folder(photo.absolute().parent)
    if folder is None:
        return KnownScale()
    settings = read_project_file(folder).settings
    height = settings.get(CAMERA_HEIGHT)
    factors = {name.removeprefix(FACTOR): value for name, value in settings.items() if name.startswith(FACTOR)}
    return KnownScale(
        None if height is None else _number(CAMERA_HEIGHT, height, CAMERA_HEIGHTS, folder),
        MappingProxyType({name: _number(FACTOR + name, value, FACTORS, folder) for name, value in factors.items()}),
    )


def scale_settings(scale: KnownScale) -> dict[str, float]:
    """A scale as settings."""
    height = {} if scale.camera_height is None else {CAMERA_HEIGHT: scale.camera_height}
    return height | {FACTOR + name: factor for name, factor in scale.factors.items()}


def write_scale(folder: Path, scale: KnownScale) -> None:
    """Keep a scale for a folder, whose lock the caller holds; where nothing is known, no file is made.

    Raises:
        ProjectError: The project file cannot be read or written.
    """
    project = read_project_file(folder)
    others = {name: value for name, value in project.settings.items() if not _is_ours(name)}
    settings = {**others, **scale_settings(scale)}
    if settings != dict(project.settings):
        write_project_file(folder, replace(project, settings=MappingProxyType(settings)))


def _is_ours(name: str) -> bool:
    return name == CAMERA_HEIGHT or name.startswith(FACTOR)


def _number(name: str, value: Setting, bounds: tuple[float, float], folder: Path) -> float:
    low, high = bounds
    if isinstance(value, (bool, str)) or not (math.isfinite(value) and low <= value <= high):
        raise ProjectError(
            f"Expected the setting {name} to be a number from {low:g} to {high:g}, got {value!r}; correct or remove "
            f"it: {folder / NAME}"
        )
    return float(value)
