"""Annotated panoramas on their way out: which ones, under which names, and what a format has to drop of them."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from core.colors import class_palette
from core.errors import ProjectError, UnsupportedImage
from core.io.atomic import atomic_file, make_folder
from core.io.coco import NO_LABEL
from core.io.export_folder import mark_export
from core.io.photo_reference import Photo
from core.io.picture_grid import FlatMask, PictureGrid
from core.io.placement import Assume, looks_flat
from core.io.project import Entry, Project
from core.panorama import Level
from core.progress import Progress, silent
from core.scene import Color, Review, Segment

UNLABELLED = NO_LABEL
"""Importing takes it for no label again."""


@dataclass(frozen=True)
class DatasetOptions:
    """What is wanted of a project.

    Attributes:
        labels: Only segments with one of these labels; empty for all.
        with_rejected: Also what a reviewer has rejected.
        assume: What is assumed of photographs that are not 2:1 and do not say what they show.
        layout: Of perspective views, a key of `core.export.view_set.LAYOUTS`; None takes the format's own.
        view_size: Pixels along each side of perspective views.
    """

    labels: tuple[str, ...] = ()
    with_rejected: bool = False
    assume: Assume | None = None
    layout: str | None = None
    view_size: int = 1024


@dataclass(frozen=True)
class Category:
    """A label as formats count them.

    Attributes:
        number: From 1, in the order of the label set.
        name: Never empty.
        color: sRGB.
    """

    number: int
    name: str
    color: Color


@dataclass(frozen=True, eq=False)
class AnnotatedPhoto:
    """A photograph with those of its segments that are wanted.

    Attributes:
        name: Its path relative to the project's folder, with '/'.
        target: The same without suffix: a name for what is written about it, unique in the project.
        path: Of its file.
        photo: As its annotation file names it.
        segments: Later ones lie on top.
        grid: Of its pixels.
        level: Pitch and roll that a person has set; None for its own pose.
    """

    name: str
    target: str
    path: Path
    photo: Photo
    segments: tuple[Segment, ...]
    grid: PictureGrid
    level: Level | None = None


class Losses:
    """Counts what had to be dropped."""

    def __init__(self) -> None:
        self._counts: Counter[tuple[str, str]] = Counter()

    def add(self, sentence: str, count: int = 1, *, unit: str = "segment") -> None:
        """Note a loss.

        Args:
            sentence: With '{}' in the place of the number and its unit.
            count: How many; nothing is noted for 0.
            unit: What is counted, in the singular.
        """
        if count:
            self._counts[sentence, unit] += count

    def sentences(self) -> tuple[str, ...]:
        """One for each kind, in the order in which they came up first."""
        return tuple(
            sentence.format(f"{count:,} {unit}" + ("" if count == 1 else "s"))
            for (sentence, unit), count in self._counts.items()
        )


_HELD: dict[str, tuple[str, Callable[[Segment], bool]]] = {
    "clicks": ("Clicks and boxes are left out of {}.", lambda s: bool(s.clicks) or s.box is not None),
    "group": ("Groups are left out of {}.", lambda s: s.group != 0),
    "review": ("What the reviewer said is left out of {}.", lambda s: s.review is not Review.OPEN),
    "score": ("Score and model are left out of {}.", lambda s: bool(s.model) or not math.isnan(s.score)),
    "color": ("Colours of their own are left out of {}.", lambda s: s.color is not None),
}


class Output:
    """The folder that an export fills, file by file, each completely or not at all.

    Args:
        folder: Which; made when the first file is written.
        has_pictures: Pictures are among the files; the folder is marked, so that nobody takes them for panoramas.

    Attributes:
        folder: Which.
        files: How many were written; the mark is none of them.
    """

    def __init__(self, folder: Path, *, has_pictures: bool = False) -> None:
        self.folder = folder
        self.files = 0
        self._needs_mark = has_pictures

    @contextmanager
    def open(self, name: str) -> Iterator[BinaryIO]:
        """A stream whose content becomes a file of the folder when the block ends well.

        Args:
            name: Relative path with '/'; folders on the way are made.

        Raises:
            ExportError: It cannot be written.
            ProjectError: The mark of the folder cannot be written.
        """
        path = self.folder.joinpath(*PurePosixPath(name).parts)
        make_folder(path.parent)
        if self._needs_mark:
            # First of all: what a killed export leaves behind is none the less an export.
            mark_export(self.folder)
            self._needs_mark = False
        with atomic_file(path) as stream:
            yield stream
        self.files += 1

    def write(self, name: str, data: bytes) -> None:
        """A file with this content; errors as for `open`."""
        with self.open(name) as stream:
            stream.write(data)


class Photos:
    """The annotated panoramas of a project, one after the other; at most one is held in memory.

    A panorama that cannot be read does not stop the rest.

    Args:
        project: To be exported.
        options: What is wanted of it.
        progress: Called before each panorama; may raise `Cancelled`.

    Attributes:
        categories: In the order of the label set; names that it lacks come last.
        losses: What had to be dropped so far.
        failed: A sentence for each panorama that could not be exported.
        panoramas, segments: How many were handed out.

    Raises:
        ProjectError: Nothing in the project is annotated, or no segment has one of the labels asked for.
    """

    def __init__(self, project: Project, options: DatasetOptions, *, progress: Progress = silent) -> None:
        self.options = options
        self.losses = Losses()
        self.failed: list[str] = []
        self.panoramas = self.segments = 0
        self._project = project
        self._handed_out: AnnotatedPhoto | None = None
        self._progress = progress
        self._entries = [entry for entry in project.entries if entry.outline is not None or entry.problem]
        self.categories = _categories(project, options)
        self._numbers = {category.name: category.number for category in self.categories}
        if not self._entries:
            raise ProjectError(f"Expected annotated panoramas, found none; annotate some first: {project.folder}")
        bare = [entry.photo for entry in project.entries if entry.outline is None and not entry.problem]
        panoramas = sum(photo is not None and not looks_flat(photo) for photo in bare)
        self.losses.add("Without annotations and left out: {}.", panoramas, unit="panorama")
        unsaved = sum(entry.is_unsaved for entry in self._entries)
        self.losses.add("Edits that are not saved yet are left out of {}.", unsaved, unit="panorama")

    def category(self, segment: Segment) -> Category:
        """Of a segment that was handed out."""
        return self.categories[self._numbers[segment.label or UNLABELLED] - 1]

    def flat(self, photo: AnnotatedPhoto, segment: Segment) -> FlatMask | None:
        """A segment in the pixels of its picture; None when the picture does not show it."""
        mask = photo.grid.to_picture(segment.mask)
        if mask.is_empty:
            self.losses.add("Outside of what the picture shows and left out: {}.")
            return None
        self.losses.add("What lies outside of the picture is cut off from {}.", int(mask.outside > 0))
        return mask

    def drop_unheld(self, segments: Sequence[Segment], *held: str) -> None:
        """Note what segments have and a format has not.

        Args:
            segments: That are written.
            held: What the format has: 'clicks', 'group', 'review', 'score', 'color'.
        """
        for field, (sentence, has) in _HELD.items():
            if field not in held:
                self.losses.add(sentence, sum(has(segment) for segment in segments))

    @contextmanager
    def attempt(self) -> Iterator[None]:
        """A block of work on one panorama, which may fail without stopping the rest."""
        try:
            yield
        except (UnsupportedImage, ProjectError) as error:
            self.failed.append(str(error))
            if self._handed_out is not None:
                self.panoramas -= 1
                self.segments -= len(self._handed_out.segments)

    def __iter__(self) -> Iterator[AnnotatedPhoto]:
        targets = _targets([_name(entry, self._project.folder) for entry in self._entries])
        for done, (entry, target) in enumerate(zip(self._entries, targets, strict=True)):
            self._progress(done, len(self._entries))
            with self.attempt():
                photo = self._photo(entry, target)
                if photo is None:
                    continue
                self.panoramas += 1
                self.segments += len(photo.segments)
                self._handed_out = photo
                yield photo
                self._handed_out = None
        self._progress(len(self._entries), len(self._entries))

    def _photo(self, entry: Entry, target: str) -> AnnotatedPhoto | None:
        if entry.outline is None or entry.photo is None:
            raise ProjectError(entry.problem)
        if entry.outline.review is Review.REJECTED and not self.options.with_rejected:
            self.losses.add("Rejected by the reviewer and left out: {}.", unit="panorama")
            return None
        annotation = self._project.annotation(entry)
        if annotation is None:
            raise ProjectError(f"Expected an annotation file, found none; it was removed meanwhile: {entry.annotation}")
        photo = annotation.photo
        grid = PictureGrid.of_file(entry.photo, (photo.height, photo.width), self.options.assume)
        self.losses.add("Masks are resampled to the pixels of {}.", int(grid.is_resampled), unit="picture")
        self.losses.add(
            "Other programs must apply the EXIF orientation of {}.", int(grid.orientation > 1), unit="picture"
        )
        self.losses.add(
            "The photograph was changed after it was annotated; check the masks of {}.",
            int(entry.photo.stat().st_size != photo.file_size),
            unit="panorama",
        )
        wanted = [segment for segment in annotation.segments if not self.options.labels or self._is_asked_for(segment)]
        self.losses.add("With other labels and left out: {}.", len(annotation.segments) - len(wanted))
        kept = [segment for segment in wanted if self.options.with_rejected or segment.review is not Review.REJECTED]
        self.losses.add("Rejected by the reviewer and left out: {}.", len(wanted) - len(kept))
        filled = [segment for segment in kept if not segment.mask.is_empty]
        self.losses.add("Empty and left out: {}.", len(kept) - len(filled))
        name = _name(entry, self._project.folder)
        return AnnotatedPhoto(name, target, entry.photo, photo, tuple(filled), grid, annotation.level)

    def _is_asked_for(self, segment: Segment) -> bool:
        return (segment.label or UNLABELLED) in self.options.labels


def _categories(project: Project, options: DatasetOptions) -> tuple[Category, ...]:
    colors: dict[str, Color | None] = {}
    for name, color in project.label_colors.items():
        colors[name or UNLABELLED] = colors.get(name or UNLABELLED) or color
    for name in options.labels:
        if name not in colors:
            known = ", ".join(colors) or "none"
            raise ProjectError(f"Expected labels of the project, {known}, got {name}: {project.folder}")
    if options.labels:
        colors = {name: color for name, color in colors.items() if name in options.labels}
    palette = class_palette(max(len(colors), 1), tuple(colors)).tolist() if None in colors.values() else []
    return tuple(
        Category(number + 1, name, color or tuple(palette[number]))
        for number, (name, color) in enumerate(colors.items())
    )


def _name(entry: Entry, folder: Path) -> str:
    """Of an entry's photograph, or of its annotation file where that is missing."""
    path = (entry.photo or entry.annotation).absolute()
    return path.relative_to(folder.absolute()).as_posix() if path.is_relative_to(folder.absolute()) else path.name


def _targets(names: list[str]) -> list[str]:
    """Names without their suffixes where they differ, also on a disk that does not tell upper from lower case."""
    stems = [PurePosixPath(name).with_suffix("").as_posix() for name in names]
    count = Counter(stem.casefold() for stem in stems)
    return [stem if count[stem.casefold()] == 1 else name for name, stem in zip(names, stems, strict=True)]


def file_name(text: str) -> str:
    """A label as a part of a file's name: letters, digits, '-' and '_' only, of any alphabet; at most 60."""
    name = "".join(character if character.isalnum() or character in "-_" else "_" for character in text)
    return name[:60] or UNLABELLED
