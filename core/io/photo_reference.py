"""Which photograph a file belongs to, by a path that never leaves the folder, and by content."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

from core.errors import ProjectError
from core.io.checked_json import FieldError, Fields
from core.io.digest import file_sha256
from core.panorama import is_full_sphere

MAX_SIDE = 1_000_000

_DRIVE = re.compile(r"[A-Za-z]:[\\/]")


@dataclass(frozen=True)
class Photo:
    """The photograph that annotations belong to.

    Attributes:
        path: Relative to the folder of the annotation file, with '/'.
        file_size: Bytes of its file, by which a search knows what not to read.
        sha256: Of its file.
        height, width: Of its full sphere, which is the grid of the masks.
    """

    path: str
    file_size: int
    sha256: str
    height: int
    width: int


def photo_of(path: Path, height: int, width: int, folder: Path | None = None) -> Photo:
    """A photograph as an annotation file names it; reads the whole file once, for its hash.

    Args:
        path: Of the photograph.
        height: Of its full sphere, as in its `Panorama`.
        width: The same.
        folder: Of the annotation file; by default that of the photograph.

    Raises:
        ProjectError: It cannot be read, lies outside the folder, or its name cannot be stored.
    """
    path = path.absolute()
    within = Path(os.path.relpath(path, folder.absolute())) if folder is not None else Path(path.name)
    if not stays_inside(within.as_posix()):
        raise ProjectError(
            "Expected a photograph in the folder of its annotations, under a name without control characters; "
            f"copy or rename it: {path}"
        )
    try:
        return Photo(within.as_posix(), path.stat().st_size, file_sha256(path), height, width)
    except OSError as error:
        raise ProjectError(f"The photograph cannot be read ({error.strerror or error}): {path}") from error


def photo_values(photo: Photo) -> dict[str, Any]:
    """For a file."""
    return {
        "path": photo.path,
        "bytes": int(photo.file_size),
        "sha256": photo.sha256,
        "height": int(photo.height),
        "width": int(photo.width),
    }


def read_photo(fields: Fields) -> Photo:
    """From a file; the path is one that stays within its folder.

    Raises:
        FieldError: It is not, or another field is wrong.
    """
    path = fields.text("path")
    if not stays_inside(path):
        raise FieldError("photo.path to be a relative path within the folder", path)
    photo = Photo(
        path=path,
        file_size=fields.integer("bytes", 0, 1 << 50),
        sha256=fields.digest("sha256"),
        height=fields.integer("height", 1, MAX_SIDE),
        width=fields.integer("width", 1, MAX_SIDE),
    )
    if not is_full_sphere(photo.height, photo.width):
        raise FieldError("a photo twice as wide as high", f"{photo.width} x {photo.height}")
    fields.finish()
    return photo


def stays_inside(path: str) -> bool:
    """Whether a path is relative, has no way out of its folder and means the same wherever UTF-8 is read."""
    parts = PurePosixPath(path).parts
    is_plain = (
        bool(parts)
        and ".." not in parts
        and not any(character < " " or "\ud800" <= character <= "\udfff" for character in path)
    )
    is_rooted = path.startswith(("/", "\\")) or _DRIVE.match(path) is not None
    return is_plain and not is_rooted and (os.name != "nt" or not PureWindowsPath(path).is_reserved())
