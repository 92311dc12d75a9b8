"""What a person has said of the level of a photograph, in the annotation file beside it: by that all commands go."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from core.io.journal import journal_path
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


def unsaved(photo: Path) -> tuple[str, ...]:
    """A sentence where there are edits of a photograph that lie in its journal alone; commands do not go by those."""
    path = annotation_path(photo)
    try:
        is_there = journal_path(path).is_file()
    except (OSError, ValueError):
        return ()
    if not is_there:
        return ()
    return ("It has edits that are not saved, which do not count here; save or recover them in the window.",)


def as_kept(panorama: Panorama) -> Panorama:
    """A panorama that was read from its file, in the pose that a person has given it; notes tell of unsaved edits.

    Raises:
        ProjectError: The annotation file cannot be read.
    """
    if panorama.path is None:
        return panorama
    notes = (*panorama.notes, *unsaved(panorama.path))
    return replace(panorama, notes=notes).with_level(kept_level(panorama.path))
