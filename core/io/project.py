"""A project: a folder of panoramas, each with its annotation file beside it.

for entry in read_project(folder).entries:
    print(entry.photo, entry.state, entry.problem)
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import lru_cache
from pathlib import Path

from core.errors import ProjectError, UnsupportedImage
from core.io.annotation import Annotation, Outline, decode_outline, head_end
from core.io.checked_json import MAX_BYTES, naming
from core.io.digest import file_sha256
from core.io.folder import is_panorama, list_panoramas
from core.io.journal import journal_path
from core.io.own_files import read_own
from core.io.photo_reference import Photo
from core.io.project_file import (
    ProjectFile,
    Rename,
    Setting,
    project_folder,
    read_project_file,
    renamed,
    renamed_labels,
    shared_labels,
    write_project_file,
)
from core.io.scene_file import SUFFIX, annotation_path, previous_path, read_annotation, write_annotation
from core.scene import Color, Label, Review


class State(StrEnum):
    """How far the annotation of a panorama is."""

    UNANNOTATED = "unannotated"
    ANNOTATED = "annotated"
    REVIEWED = "reviewed"


@dataclass(frozen=True)
class Entry:
    """A panorama of a project.

    Attributes:
        photo: Its file; None when it is missing.
        annotation: Its annotation file, which need not exist.
        outline: What the annotation file says, without masks; None when there is none, or when it cannot be read.
        problem: A sentence about what is wrong with it; empty when nothing is.
        is_moved: The photograph has another name or place than the annotation file says; see `adopt`.
        is_unsaved: A session that did not end well has left edits behind, or one is going on.
    """

    photo: Path | None
    annotation: Path
    outline: Outline | None = None
    problem: str = ""
    is_moved: bool = False
    is_unsaved: bool = False

    @property
    def state(self) -> State:
        """How far its annotation is."""
        if self.outline is None or (self.outline.review is Review.OPEN and not self.outline.segments):
            return State.UNANNOTATED
        return State.ANNOTATED if self.outline.review is Review.OPEN else State.REVIEWED


@dataclass(frozen=True, eq=False)
class Project:
    """The panoramas of a folder and what they share.

    Attributes:
        folder: The project's.
        entries: In the order of their names.
        labels: The shared label set.
        settings: The shared settings.
    """

    folder: Path
    entries: tuple[Entry, ...]
    labels: tuple[Label, ...] = ()
    settings: Mapping[str, Setting] = field(default_factory=dict)
    _file: ProjectFile = field(default_factory=ProjectFile, repr=False)

    @property
    def states(self) -> Counter[State]:
        """How many panoramas are how far."""
        return Counter(entry.state for entry in self.entries)

    @property
    def label_colors(self) -> Mapping[str, Color | None]:
        """All labels with their colours: the label set, those of single panoramas, and names that only segments have.

        The last ones have no colour. All bear their present names; '' is the one of segments without a label.
        """
        outlines = [entry.outline for entry in self.entries if entry.outline is not None]
        colors: dict[str, Color | None] = {label.name: label.color for label in self.labels}
        for outline in outlines:
            for label in outline.labels:
                colors.setdefault(self._present_name(label.name), label.color)
        for name in sorted({name for outline in outlines for name in outline.segments}):
            colors.setdefault(self._present_name(name), None)
        return colors

    def _present_name(self, name: str) -> str:
        for rename in self._file.renames:
            name = rename.new if name == rename.old else name
        return name

    def annotation(self, entry: Entry) -> Annotation | None:
        """The annotations of an entry, under the names and with the label set of the project; None without a file.

        Raises:
            ProjectError: The file cannot be read.
        """
        if not os.path.lexists(entry.annotation):
            return None
        annotation = renamed(read_annotation(entry.annotation), self._file.renames)
        return replace(annotation, labels=shared_labels(self.labels, annotation)) if self.labels else annotation


def is_project(path: Path) -> bool:
    """Whether a path names a folder or an annotation file, as opposed to a photograph."""
    # A name that no file can have is no folder either; pathlib raises there.
    return os.path.isdir(path) or path.name.endswith(SUFFIX)


def read_project(path: Path) -> Project:
    """The panoramas of a folder and how far each is; neither pictures nor masks are read.

    Args:
        path: A folder, or one photograph or annotation file of which a project of one entry is made.

    Raises:
        ProjectError: There is no such folder or file, or the project file is damaged. What is wrong with one panorama
            stands in its entry.
    """
    folder = project_folder(path)
    if path.is_dir():
        entries = _entries(path)
        folder = folder or path
    elif is_panorama(path.name) and path.is_file():
        entries = [_entry_of_photo(path, path.parent)]
    elif path.name.endswith(SUFFIX) and os.path.lexists(path):
        entries = [_entry_of_annotation(path, _unannotated(path.parent), path.parent)]
    else:
        raise ProjectError(f"Expected a folder, a photograph or an annotation file, found none; check the name: {path}")
    file = read_project_file(folder or path.parent)
    entries.sort(key=lambda entry: entry.photo or entry.annotation)
    return Project(folder or path.parent, tuple(entries), file.labels, file.settings, file)


def read_outline(path: Path) -> Outline | None:
    """What an annotation file says without its masks; None when there is none.

    Raises:
        ProjectError: It cannot be read.
    """
    try:
        status = path.lstat()
    except (OSError, ValueError):  # also a name that no file can have
        return None
    return _read_outline(path, status.st_size, status.st_mtime_ns)


def find_photo(path: Path, photo: Photo, folder: Path | None = None) -> tuple[Path, str]:
    """The photograph of an annotation file, also when it was renamed or moved within the folder.

    Args:
        path: The annotation file.
        photo: As it says.
        folder: To look for it; by default that of the annotation file.

    Returns:
        Its path, and a sentence when it is not what the file says: moved, or changed.

    Raises:
        ProjectError: It is missing, or a link that leads out of the folder.
    """
    folder = folder or path.parent
    named = path.parent / photo.path
    if os.path.lexists(named):
        _refuse_outside(named, folder)
        if _has_content(named, photo):
            return named, ""
    for candidate in _pictures(folder):
        if _has_content(candidate, photo):
            return candidate, f"The photograph {photo.path!r} was found under another name: {candidate}"
    if os.path.isfile(named):
        return named, f"The photograph has changed since it was annotated; check the masks: {named}"
    raise ProjectError(
        f"The photograph {photo.path!r} is missing, and none in the folder has its content; put it back: {path}"
    )


def adopt(entry: Entry) -> Entry:
    """Give the annotation file of a renamed photograph the photograph's new name.

    Raises:
        ProjectError: The photograph has not moved or has annotations of its own, or a file cannot be renamed.
    """
    if entry.photo is None or not entry.is_moved:
        raise ProjectError(f"Expected a photograph that was renamed; nothing is to be done: {entry.annotation}")
    new = annotation_path(entry.photo)
    # The annotation file comes first: its presence is what tells a photograph with annotations from one without.
    for name_of in (_same, previous_path, journal_path):
        source, target = name_of(entry.annotation), name_of(new)
        if not os.path.lexists(source):
            continue
        if os.path.lexists(target):
            raise ProjectError(f"Expected no file where annotations are to be moved; move it away: {target}")
        try:
            source.rename(target)
        except OSError as error:
            raise ProjectError(
                f"The annotations could not be renamed ({error.strerror or error}); check the permissions: {source}"
            ) from error
    return replace(entry, annotation=new, is_moved=False)


def rename_label(folder: Path, old: str, new: str, *, open_files: Collection[Path] = ()) -> tuple[str, ...]:
    """Rename a label in the label set and in all annotation files of a project.

    The rename is noted in the project file first. Should the program be killed meanwhile, or a file not be readable
    now, it takes effect there when the file is opened.

    Args:
        folder: Of the project, whose lock the caller holds.
        old: Name of the label.
        new: Its new name; when there is a label of that name already, both become one.
        open_files: Annotation files whose scenes are being edited; they are renamed there, by the caller.

    Returns:
        A sentence for each file that could not be changed now.

    Raises:
        ProjectError: The project file cannot be written; nothing was changed.
        ValueError: The format does not have such a name.
    """
    rename = Rename(old, new)
    project = read_project_file(folder)
    labels = renamed_labels(project.labels, rename)
    write_project_file(folder, replace(project, labels=labels, renames=(*project.renames, rename)))
    return finish_renames(folder, open_files=open_files)


def finish_renames(folder: Path, *, open_files: Collection[Path] = ()) -> tuple[str, ...]:
    """Carry noted renames into the annotation files that they have not reached; see `rename_label`.

    Raises:
        ProjectError: The project file cannot be read or written.
    """
    project = read_project_file(folder)
    if not project.renames:
        return ()
    opened = {path.absolute() for path in open_files}
    olds = {rename.old for rename in project.renames}
    problems, is_complete = [], True
    for path in _annotation_files(folder):
        if path.absolute() in opened or os.path.lexists(journal_path(path)):
            is_complete = False
            continue
        try:
            outline = read_outline(path)
            if outline is not None and olds & {*outline.segments, *(label.name for label in outline.labels)}:
                write_annotation(path, renamed(read_annotation(path), project.renames))
        except ProjectError as error:
            problems.append(str(error))
    if is_complete and not problems:
        write_project_file(folder, replace(project, renames=()))
    return tuple(problems)


def _entries(folder: Path) -> list[Entry]:
    entries = [_entry_of_photo(photo, folder) for photo in _pictures(folder)]
    unannotated = {entry.photo: entry for entry in entries if entry.photo and not os.path.lexists(entry.annotation)}
    known = {entry.annotation for entry in entries}
    for path in _annotation_files(folder):
        if path not in known:
            entry = _entry_of_annotation(path, list(filter(None, unannotated)), folder)
            entries.append(entry)
            if entry.photo is not None and (replaced := unannotated.pop(entry.photo, None)):
                entries.remove(replaced)
    return entries


def _entry_of_photo(photo: Path, folder: Path) -> Entry:
    path = annotation_path(photo)
    outline, problem = None, ""
    try:
        _refuse_outside(photo, folder)
        outline = read_outline(path)
        if outline is not None and _size(photo) != outline.photo.file_size:
            problem = f"The photograph has changed since it was annotated; check the masks: {photo}"
    except ProjectError as error:
        problem = str(error)
    return Entry(photo, path, outline, problem, is_unsaved=os.path.lexists(journal_path(path)))


def _entry_of_annotation(path: Path, candidates: list[Path], folder: Path) -> Entry:
    """Of an annotation file without a picture of its name beside it."""
    photo, outline, problem, is_moved = None, None, "", False
    try:
        outline = read_outline(path)
        if outline is not None:
            photo = path.parent / outline.photo.path
            _refuse_outside(photo, folder)
            # Unlike pathlib, this takes a name that no file can have for that of a missing one.
            if not os.path.isfile(photo):
                reference = outline.photo
                photo = next((picture for picture in candidates if _has_content(picture, reference)), None)
                is_moved = photo is not None
            if photo is None:
                problem = f"The photograph {outline.photo.path!r} is missing; put it back: {path}"
    except ProjectError as error:
        photo, problem = None, str(error)
    return Entry(photo, path, outline, problem, is_moved, os.path.lexists(journal_path(path)))


def _pictures(folder: Path) -> tuple[Path, ...]:
    try:
        return list_panoramas(folder).panoramas
    except UnsupportedImage as error:
        raise ProjectError(str(error)) from error


def _unannotated(folder: Path) -> list[Path]:
    return [photo for photo in _pictures(folder) if not os.path.lexists(annotation_path(photo))]


def _annotation_files(folder: Path) -> Iterator[Path]:
    """Below a folder, in order; like pictures, nothing hidden and nothing behind a link to a folder."""
    for parent, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield from (Path(parent, name) for name in sorted(names) if name.endswith(SUFFIX) and not name.startswith("."))


def _refuse_outside(photo: Path, folder: Path) -> None:
    try:
        is_inside = photo.resolve().is_relative_to(folder.resolve())
    except (OSError, RuntimeError) as error:
        raise ProjectError(f"Expected a photograph, got a link that leads in a circle; remove it: {photo}") from error
    if not is_inside:
        raise ProjectError(
            f"Expected a photograph in the folder of the project, got a link that leads out of it; copy the "
            f"photograph itself: {photo}"
        )


def _has_content(path: Path, photo: Photo) -> bool:
    try:
        return _size(path) == photo.file_size and file_sha256(path) == photo.sha256
    except OSError:
        return False


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return -1


@lru_cache(maxsize=4096)
def _read_outline(path: Path, _size: int, _mtime_ns: int) -> Outline | None:
    with naming(path, "repair the file or move it away"):
        head = read_own(path, MAX_BYTES, is_enough=lambda data: head_end(data) >= 0)
        return None if head is None else decode_outline(head)


def _same(path: Path) -> Path:
    return path
