"""Pictures of which six are one cube map: each such set counts once."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from core.errors import NotAFullSphere, UnsupportedImage
from core.geometry.cube import FACES
from core.io.atomic import identity
from core.io.cube_files import SEPARATORS, CubeFiles, cube_files, missing_faces, named_sets
from core.io.header import read_header
from core.io.placement import place

_ALIKE = re.compile(r"(.*?)([A-Za-z]+|\d+)")
"""What the names of a set share, and what tells them apart."""


def once_per_cube(paths: Sequence[Path]) -> list[tuple[Path, str]]:
    """The pictures in their order, of the faces of a cube map one.

    That is the front one where all six are there and their names say which is which; otherwise the first one of them,
    with what is wrong. Only pictures are looked into whose names are like those of faces.

    Args:
        paths: Each file once, by any of its names.

    Returns:
        Each with a sentence about what is wrong with its set; an empty one where nothing is known.
    """
    kept: list[tuple[Path, str]] = []
    unnamed = _unnamed_sets(paths)
    seen: set[Path] = set()
    for path in paths:
        if identity(path) in seen:
            continue
        taken, members, problem = path, [path], ""
        faces = cube_files(path)
        if path in unnamed:
            members = unnamed[path]
            problem = _not_named(members)
        elif faces is not None and _is_face(path):
            taken, members = faces.paths[0], [*faces.paths]
        elif missing_faces(path) and _is_of_unknown_place(path):
            # Its reader says which ones are missing, once.
            members = [face for faces in named_sets(path) for face in faces]
        seen.update(map(identity, members))
        kept.append((taken, problem))
    return kept


def _unnamed_sets(paths: Iterable[Path]) -> dict[Path, list[Path]]:
    """Six squares of one size that are counted or lettered, for each of them; nothing says which is the front."""
    alike: dict[tuple[Path, str, str], list[Path]] = {}
    for path in paths:
        found = _ALIKE.fullmatch(path.stem)
        if found is not None:
            alike.setdefault((identity(path.parent), found.group(1), path.suffix.lower()), []).append(path)
    sets = [members for members in alike.values() if len(members) == len(FACES) and _may_be_faces(members)]
    return {path: members for members in sets if _are_squares(members) for path in members}


def _may_be_faces(paths: Sequence[Path]) -> bool:
    """Whether names that are alike end in numbers that follow each other, in single letters or in names of faces.

    Six squares of one size with any other names, or any other numbers, are just pictures.
    """
    ends = [found.group(2) for path in paths if (found := _ALIKE.fullmatch(path.stem)) is not None]
    if all(end.isdigit() for end in ends):
        numbers = sorted(map(int, ends))
        return numbers == list(range(numbers[0], numbers[0] + len(FACES)))
    lettered = (end.isalpha() and len(end) == 1 for end in ends)
    return all(is_letter or named_sets(path) for path, is_letter in zip(paths, lettered, strict=True))


def _are_squares(paths: Sequence[Path]) -> bool:
    try:
        sizes = {(header.height, header.width) for header in map(read_header, paths)}
    except UnsupportedImage:
        return False
    return len(sizes) == 1 and all(height == width for height, width in sizes) and all(map(_is_of_no_set, paths))


def _is_of_no_set(path: Path) -> bool:
    return cube_files(path) is None and not missing_faces(path) and _is_of_unknown_place(path)


def _is_face(path: Path) -> bool:
    try:
        return isinstance(place(read_header(path), None).source, CubeFiles)
    except UnsupportedImage:
        return False


def _is_of_unknown_place(path: Path) -> bool:
    try:
        place(read_header(path), None)
    except NotAFullSphere:
        return True
    except UnsupportedImage:
        return False
    return False


def _not_named(paths: Sequence[Path]) -> str:
    first, last = paths[0], paths[-1]
    found = _ALIKE.fullmatch(first.stem)
    prefix = "NAME_" if found is None else found.group(1) or "NAME_"
    # Without something between them, a face's name is a part of a longer word.
    prefix += "" if prefix[-1] in SEPARATORS else "_"
    names = ", ".join(f"{prefix}{face}{first.suffix}" for face in FACES)
    return (
        f"Expected panoramas, got six squares from {first.name} to {last.name}, which seem to be a cube map; "
        f"call them {names}, or say --assume crop if they are not: {first.parent}"
    )
