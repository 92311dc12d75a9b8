"""Annotations of other tools become annotation files of a project: `import_annotations(file, "coco", folder)`."""

from __future__ import annotations

import os
import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from core.errors import ExportError, ProjectError, UnsupportedImage
from core.io.annotation import MAX_MASK_BITS, MAX_SEGMENTS, Annotation
from core.io.atomic import atomic_file
from core.io.checked_json import FieldError, naming
from core.io.coco import read_coco
from core.io.folder import is_panorama
from core.io.imported import ImportedFile, ImportedPicture
from core.io.journal import journal_path
from core.io.kept_level import kept_level
from core.io.labelme import read_labelme
from core.io.lock import lock_project
from core.io.photo_reference import photo_of, stays_inside
from core.io.picture_grid import PictureGrid
from core.io.placement import Assume
from core.io.project_file import read_project_file, write_project_file
from core.io.scene_file import annotation_path, write_annotation
from core.labels import free_color
from core.progress import Progress, silent
from core.scene import Color, Label, Segment

SUFFIX = ".json"

IMPORTERS: dict[str, Callable[[Path], ImportedFile]] = {"coco": read_coco, "labelme": read_labelme}
"""Readers by the name of their format."""


@dataclass(frozen=True)
class ImportReport:
    """What an import has done.

    Attributes:
        panoramas, segments: How many were written.
        dropped: A sentence for each kind of thing that was left out or changed.
        failed: A sentence for each file or picture that could not be imported.
    """

    panoramas: int
    segments: int
    dropped: tuple[str, ...]
    failed: tuple[str, ...]


def import_annotations(
    path: Path,
    form: str,
    folder: Path,
    *,
    pictures: Path | None = None,
    replace_existing: bool = False,
    assume: Assume | None = None,
    progress: Progress = silent,
) -> ImportReport:
    """Write annotation files beside the photographs that a file speaks of.

    A photograph is looked for in the project, in `pictures` and beside the file, by the end of the path that the file
    gives it; one that lies outside of the project is copied into it. Nothing is read or written elsewhere.

    Args:
        path: The file; for labelme also a folder of files.
        form: One of `IMPORTERS`.
        folder: Of the project; made when there is none.
        pictures: A folder to look for photographs in.
        replace_existing: Replace annotations that a photograph has already; they become the previous generation.
        assume: What is assumed of photographs that are not 2:1 and do not say what they show.
        progress: Called for each photograph; may raise `Cancelled`.

    Raises:
        ProjectError: The file cannot be read, or the project is locked or cannot be written.
    """
    if form not in IMPORTERS:
        raise ProjectError(f"Expected one of the formats {', '.join(IMPORTERS)}, got {form}.")
    files = _files(path, form)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ProjectError(f"The folder cannot be made ({error.strerror}); choose another one: {folder}") from error
    with lock_project(folder):
        work = _Import(folder, pictures, replace_existing=replace_existing, assume=assume)
        for done, file in enumerate(files):
            progress(done, len(files))
            try:
                work.add(file, IMPORTERS[form](file), progress if len(files) == 1 else silent)
            except ProjectError as error:
                if len(files) == 1:
                    raise
                work.failed.append(str(error))
        progress(1, 1)
        return work.report()


def _files(path: Path, form: str) -> list[Path]:
    if form != "labelme" or not path.is_dir():
        return [path]
    found = []
    for parent, folders, names in os.walk(path):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        own = (name for name in sorted(names) if name.endswith(SUFFIX) and not name.startswith("."))
        found += [
            Path(parent, name) for name in own if not name.endswith(".pano.json") and name != "panoviewer.project.json"
        ]
    if not found:
        raise ProjectError(f"Expected labelme files in the folder, found none; check its name: {path}")
    return found


class _Import:
    def __init__(self, folder: Path, pictures: Path | None, *, replace_existing: bool, assume: Assume | None) -> None:
        self.failed: list[str] = []
        self._folder = folder
        self._pictures = pictures
        self._replace = replace_existing
        self._assume = assume
        self._done: set[Path] = set()
        self._panoramas = self._segments = 0
        self._counts: Counter[str] = Counter()

    def add(self, path: Path, file: ImportedFile, progress: Progress) -> None:
        for kind, count in file.skipped.items():
            self._counts[f"Shapes {kind} that are left out"] += count
        project = read_project_file(self._folder)
        labels = _merged(project.labels, file.labels)
        before = self._panoramas
        drawn = [picture for picture in file.pictures if picture.segments]
        self._counts["Pictures without annotations that are left out"] += len(file.pictures) - len(drawn)
        for done, picture in enumerate(drawn):
            progress(done, len(drawn))
            try:
                self._add_picture(path, picture, labels)
            except (ProjectError, UnsupportedImage) as error:
                self.failed.append(str(error))
        if self._panoramas > before and labels != project.labels:
            write_project_file(self._folder, replace(project, labels=labels))

    def report(self) -> ImportReport:
        dropped = tuple(f"{what}: {count:,}." for what, count in self._counts.items() if count)
        return ImportReport(self._panoramas, self._segments, dropped, tuple(self.failed))

    def _add_picture(self, path: Path, picture: ImportedPicture, labels: Sequence[Label]) -> None:
        photo, grid = self._find(path, picture)
        if not photo.resolve().is_relative_to(self._folder.resolve()):
            photo = self._copied(photo, picture.name)
        target = annotation_path(photo)
        if target in self._done:
            raise ProjectError(
                f"Expected every picture once, got {picture.name!r} twice; put them into folders: {path}"
            )
        if os.path.lexists(journal_path(target)):
            raise ProjectError(f"The picture has edits that are not saved; open it and save them first: {photo}")
        if os.path.lexists(target) and not self._replace:
            raise ProjectError(
                f"The picture has annotations already; choose another project, or --replace (they are kept as .bak): "
                f"{photo}"
            )
        with naming(path, "export it again from the tool that made it"):
            segments = self._segments_of(picture, grid)
        size = grid.placement.full_height, grid.placement.full_width
        written = Annotation(photo_of(photo, *size), segments, tuple(labels), level=kept_level(photo))
        write_annotation(target, written)
        self._done.add(target)
        self._panoramas += 1
        self._segments += len(segments)

    def _segments_of(self, picture: ImportedPicture, grid: PictureGrid) -> tuple[Segment, ...]:
        if len(picture.segments) > MAX_SEGMENTS:
            raise FieldError(f"at most {MAX_SEGMENTS:,} segments in a picture", len(picture.segments))
        given = [segment.number for segment in picture.segments]
        keeps_numbers = None not in given and len(set(given)) == len(given)
        segments = []
        pixels = 0
        for place, drawn in enumerate(picture.segments):
            found = drawn.mask()
            mask = grid.to_sphere(found.bits, found.row, found.col)
            if mask.is_empty:
                self._counts["Empty shapes that are left out"] += 1
                continue
            pixels += mask.rows * mask.cols
            if pixels > MAX_MASK_BITS:
                raise FieldError(f"masks of at most {MAX_MASK_BITS:,} pixels in a picture", f"{pixels:,}")
            number = drawn.number if keeps_numbers and drawn.number is not None else place + 1
            segments.append(
                Segment(
                    number,
                    mask,
                    label=drawn.label,
                    group=drawn.group,
                    locked=drawn.locked,
                    review=drawn.review,
                    score=drawn.score,
                    model=drawn.model,
                )
            )
        return tuple(segments)

    def _find(self, path: Path, picture: ImportedPicture) -> tuple[Path, PictureGrid]:
        """The photograph of a picture, and its grid.

        Raises:
            ProjectError: There is none of its name and size.
            UnsupportedImage: It cannot be opened.
        """
        sizes, problem = [], None
        for candidate in self._candidates(path, picture.name):
            try:
                grid = PictureGrid.of_file(candidate, assume=self._assume)
            except UnsupportedImage as error:
                problem = error
                continue
            if (grid.height, grid.width) == (picture.height, picture.width):
                return candidate, grid
            sizes.append(f"{grid.width} x {grid.height}: {candidate}")
        if sizes:
            raise ProjectError(
                f"The annotations of {picture.name!r} were made on a picture of {picture.width} x {picture.height}, "
                f"this one has {sizes[0]}"
            )
        if problem is not None:
            raise problem
        raise ProjectError(
            f"The picture {picture.name!r} lies neither in the project nor beside the file; copy it there or name its "
            f"folder with --pictures: {path}"
        )

    def _candidates(self, path: Path, name: str) -> Iterator[Path]:
        parts = [part for part in PurePosixPath(name).parts if part not in ("..", ".", "/")]
        for root in (self._folder, self._pictures, path.parent):
            if root is None:
                continue
            for begin in range(len(parts)):
                tail = "/".join(parts[begin:])
                candidate = root / tail
                # A link may lead anywhere; a name such as 'C:' or 'NUL' means something else than a file here.
                is_picture = stays_inside(tail) and is_panorama(candidate.name) and os.path.isfile(candidate)
                if is_picture and candidate.resolve().is_relative_to(root.resolve()):
                    yield candidate

    def _copied(self, photo: Path, name: str) -> Path:
        """A copy of a photograph in the project."""
        target = self._folder / photo.name
        if os.path.lexists(target):
            raise ProjectError(
                f"Another picture of the name {name!r} lies in the project already; rename one: {target}"
            )
        try:
            with photo.open("rb") as source, atomic_file(target) as stream:
                shutil.copyfileobj(source, stream)
        except ExportError as error:
            raise ProjectError(str(error)) from error
        except OSError as error:
            raise ProjectError(f"The picture cannot be copied ({error.strerror}); check its disk: {photo}") from error
        self._counts["Pictures that are copied into the project"] += 1
        return target


def _merged(labels: tuple[Label, ...], found: Mapping[str, Color | None]) -> tuple[Label, ...]:
    """A label set with new names at its end."""
    merged = list(labels)
    known = {label.name for label in labels}
    for name, color in found.items():
        if name not in known:
            merged.append(Label(name, color or free_color(merged)))
    return tuple(merged)
