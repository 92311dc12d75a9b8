"""Pictures that are cube maps: which layout one has, and which six files make one."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from core.errors import UnsupportedImage
from core.geometry.cube import CROSS, FACES, STRIPS, TALL_CROSS, Layout, cube_to_erp, order_of_strip
from core.geometry.sampling import Image
from core.io.header import read_header

_SETS = (
    ("front", "right", "back", "left", "up", "down"),
    ("front", "right", "back", "left", "top", "bottom"),
    ("pz", "px", "nz", "nx", "py", "ny"),
    ("posz", "posx", "negz", "negx", "posy", "negy"),
    ("f", "r", "b", "l", "u", "d"),
)
"""What the six files are called, in the order of `FACES`."""
SEPARATORS = "_-. "
"""One of them stands between what the six files are called in common and the face."""
_ENOUGH = 4
"""Files of a set from which on the others are missing; fewer may bear such names by chance."""


@dataclass(frozen=True)
class CubePicture:
    """A cube map in one picture.

    Attributes:
        layout: Where its faces lie; None for a strip whose order shows in its edges.
    """

    layout: Layout | None

    def sphere_size(self, height: int, width: int) -> tuple[int, int]:
        """(height, width) of the sphere that has as many pixels around as its faces."""
        size = min(height, width) if self.layout is None else height // self.layout.rows
        return 2 * size, 4 * size

    def to_erp(self, picture: Image, height: int, width: int) -> tuple[Image, NDArray[np.bool_] | None]:
        """The picture on the ERP grid; every direction is seen."""
        layout = self.layout
        if layout is None:
            layout = STRIPS[picture.shape[0] > picture.shape[1], order_of_strip(picture)]
        return cube_to_erp(layout.cut(picture), height, width), None


@dataclass(frozen=True)
class CubeFiles:
    """A cube map in six pictures.

    Attributes:
        paths: In the order of `FACES`.
    """

    paths: tuple[Path, ...]

    def sphere_size(self, height: int, width: int) -> tuple[int, int]:
        """(height, width) of the sphere that has as many pixels around as its faces."""
        size = min(height, width)
        return 2 * size, 4 * size

    def to_erp(self, picture: Image, height: int, width: int) -> tuple[Image, NDArray[np.bool_] | None]:
        """The six faces, one below the other, on the ERP grid; every direction is seen."""
        return cube_to_erp(list(np.split(picture, len(FACES))), height, width), None


def cube_picture(height: int, width: int) -> CubePicture | None:
    """The cube map that a picture of this shape can be; None for no cube map."""
    if min(height, width) > 1 and max(height, width) == 6 * min(height, width):
        return CubePicture(None)
    return next((CubePicture(layout) for layout in (CROSS, TALL_CROSS) if layout.fits(height, width)), None)


def listed_once(paths: Iterable[Path]) -> list[Path]:
    """The paths in their order, of the six files of a cube map the front one alone; only that one is looked into."""
    kept = []
    squares: dict[Path, bool] = {}
    for path in paths:
        faces = cube_files(path)
        front = path if faces is None else faces.paths[0]
        if front != path and front not in squares:
            squares[front] = _may_be_square(front)
        if front == path or not squares[front]:
            kept.append(path)
    return kept


def _may_be_square(path: Path) -> bool:
    """False for a picture of another shape, which is no face, whatever its name."""
    try:
        header = read_header(path)
    except UnsupportedImage:
        return True
    return header.height == header.width


def cube_files(path: Path, ending: str | None = None) -> CubeFiles | None:
    """The six files of which one is given, by their names: `room_front.jpg`, `px.png`, `hall-u.tif`.

    Args:
        path: Of any of them.
        ending: What follows the face's name; the suffix where it is None.

    Returns:
        None unless all six are there.
    """
    return next((CubeFiles(paths) for paths in named_sets(path, ending) if all(map(Path.is_file, paths))), None)


def missing_faces(path: Path) -> tuple[Path, ...]:
    """Files that a cube map lacks of which most are there, this one among them; none where it is no such set."""
    for paths in named_sets(path):
        missing = tuple(face for face in paths if not face.is_file())
        if path in paths and len(paths) - len(missing) >= _ENOUGH:
            return missing
    return ()


def named_sets(path: Path, ending: str | None = None) -> list[tuple[Path, ...]]:
    """The six files that there would be if one is a face of a cube map, in every way in which its name says so.

    Args:
        path: Of the one; no disk is asked.
        ending: As in `cube_files`.
    """
    ending = path.suffix if ending is None else path.name[len(path.name) - len(ending) :]
    sets: list[tuple[Path, ...]] = []
    stem = path.name[: len(path.name) - len(ending)]
    for names in _SETS:
        alternatives = "|".join(sorted(names, key=len, reverse=True))
        found = re.match(rf"(.*?)(?:(?<=[{re.escape(SEPARATORS)}])|^)({alternatives})$", stem, re.IGNORECASE)
        if found is None:
            continue
        style = str.upper if found.group(2).isupper() else str.capitalize if found.group(2).istitle() else str.lower
        sets.append(tuple(path.with_name(f"{found.group(1)}{style(name)}{ending}") for name in names))
    return sets
