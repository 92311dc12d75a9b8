"""What a person has said of the level of a photograph, in the annotation file beside it."""

from __future__ import annotations

from pathlib import Path

from core.io.project import read_outline
from core.io.scene_file import annotation_path
from core.panorama import Level, Panorama


def kept_level(photo: Path) -> Level | None:
    """Pitch and roll that a person has set for a photograph; None where none has.

    Raises:
        ProjectError: The annotation file cannot be read.
    """
    outline = read_outline(annotation_path(photo))
    return None if outline is None else outline.level


def as_kept(panorama: Panorama) -> Panorama:
    """A panorama that was read from its file, in the pose that a person has given it.

    Raises:
        ProjectError: The annotation file cannot be read.
    """
    return panorama if panorama.path is None else panorama.with_level(kept_level(panorama.path))
