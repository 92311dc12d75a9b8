"""Segments that are the same in every picture of a folder, such as the tripod: made once, written into all."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from core.edits import with_copy
from core.errors import PanoError, ProjectError
from core.io.annotation import Annotation
from core.io.header import read_header
from core.io.journal import journal_path
from core.io.photo_reference import photo_of
from core.io.placement import place
from core.io.scene_file import annotation_path, read_annotation, write_annotation
from core.progress import Progress, silent
from core.scene import Label, Segment


@dataclass(frozen=True)
class CopyReport:
    """What was copied.

    Attributes:
        copied: Pictures that got at least one segment.
        present: Pictures that had all of them already.
        problems: A sentence for each picture that got none.
    """

    copied: int
    present: int
    problems: tuple[str, ...]


def copy_segments(
    segments: Sequence[Segment], labels: Sequence[Label], photos: Sequence[Path], *, progress: Progress = silent
) -> CopyReport:
    """Write segments into the annotation files of other pictures; a picture that has one of them keeps its own.

    Args:
        segments: On a picture taken with the same camera on the same tripod; on grids of another size the masks are
            brought to that size.
        labels: The label set from which the colours of their labels are taken.
        photos: Pictures of the project, whose lock the caller holds.
        progress: Called for each picture; may raise `Cancelled`, which leaves the rest untouched.
    """
    copied = present = 0
    problems = []
    for done, photo in enumerate(photos):
        progress(done, len(photos))
        try:
            annotation = _annotation_of(photo)
            changed = _with(annotation, segments, labels)
            if changed is annotation:
                present += 1
            else:
                write_annotation(annotation_path(photo), changed)
                copied += 1
        except PanoError as error:
            problems.append(str(error))
    return CopyReport(copied, present, tuple(problems))


def _annotation_of(photo: Path) -> Annotation:
    path = annotation_path(photo)
    if os.path.lexists(journal_path(path)):
        raise ProjectError(f"There are unsaved edits of this picture; open it, recover them and save: {photo}")
    if os.path.lexists(path):
        return read_annotation(path)
    placement = place(read_header(photo))
    return Annotation(photo_of(photo, placement.full_height, placement.full_width))


def _with(annotation: Annotation, segments: Sequence[Segment], labels: Sequence[Label]) -> Annotation:
    """The annotation with what it lacks; itself when it lacks nothing."""
    present = annotation.segments
    for segment in segments:
        present = with_copy(present, segment, annotation.photo.height, annotation.photo.width)
    if present is annotation.segments:
        return annotation
    wanted, known = {segment.label for segment in segments}, {label.name for label in annotation.labels}
    new = tuple(label for label in labels if label.name in wanted - known)
    return replace(annotation, segments=present, labels=(*annotation.labels, *new))
