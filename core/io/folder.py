"""Which files of a folder are panoramas to work on."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from core.errors import UnsupportedImage
from core.io.cube_files import listed_once

SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".jpe", ".png", ".tif", ".tiff", ".webp", ".avif", ".heic", ".heif", ".hif", ".hdr", ".exr"}
)
"""Suffixes of the formats that can be opened, in lower case."""

FOREIGN_SUFFIXES = {
    ".bmp": "BMP",
    ".gif": "GIF",
    ".jxl": "JPEG XL",
    ".jp2": "JPEG 2000",
    ".psd": "Photoshop",
    ".tga": "TGA",
    ".dng": "raw",
    ".insp": "Insta360",
}
"""Suffixes of pictures that cannot be opened, with the names of their formats."""

EXPORT_MARKER = ".panoviewer-export"
"""Name of the file that says of a folder that its pictures are those of an export; see `core.io.export_folder`."""

_BESIDE_A_PHOTO = re.compile(
    r"\.(instances|segments|depth|depth_rel|z_depth|normal|normals|semantic|classes|far|mask|masks|preview|texture|expected_view)"
    r"(\.preview)?\.[a-z]+$"
)
"""`STEM.depth.png` and the like: labels that come with a photo, and what this program writes beside one."""


@dataclass(frozen=True)
class FolderListing:
    """The pictures of a folder.

    Attributes:
        panoramas: Pictures to open, sorted, each path beginning with the folder as it was given; of the six files of a
            cube map the front one.
        skipped: Pictures that are labels or results beside a photo, sorted.
        foreign: Pictures of a kind that cannot be opened, sorted.
        exports: Folders that were passed over with all that is in them, because an export has filled them, sorted.
    """

    panoramas: tuple[Path, ...]
    skipped: tuple[Path, ...]
    foreign: tuple[Path, ...] = ()
    exports: tuple[Path, ...] = ()


def list_panoramas(folder: str | os.PathLike[str]) -> FolderListing:
    """The pictures in a folder and in the folders inside it.

    Hidden files and folders are passed over, links to folders are not followed, and nothing is opened but one face of
    each cube map. A folder of an export is passed over, too, unless it is the one that was asked for.

    Raises:
        UnsupportedImage: There is no such folder, or it may not be read.
    """
    root = Path(folder)
    if not root.is_dir():
        raise UnsupportedImage(f"Expected a folder of pictures, found none; check its name: {root}")

    def refuse(error: OSError) -> None:
        raise UnsupportedImage(f"The folder may not be read; change its permissions: {error.filename}") from error

    panoramas: list[Path] = []
    skipped: list[Path] = []
    foreign: list[Path] = []
    exports: list[Path] = []
    for parent, folders, names in os.walk(root, onerror=refuse):
        if EXPORT_MARKER in names and Path(parent) != root:
            exports.append(Path(parent))
            folders.clear()
            continue
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in names:
            if is_panorama(name):
                panoramas.append(Path(parent, name))
            elif _is_picture(name):
                skipped.append(Path(parent, name))
            elif foreign_kind(name) is not None and not name.startswith("."):
                (skipped if is_beside_a_photo(name) else foreign).append(Path(parent, name))
    return FolderListing(
        tuple(listed_once(sorted(panoramas))), tuple(sorted(skipped)), tuple(sorted(foreign)), tuple(sorted(exports))
    )


def is_panorama(name: str) -> bool:
    """True for the names of pictures to open: not hidden, and neither labels nor results."""
    return _is_picture(name) and not is_beside_a_photo(name)


def foreign_kind(name: str) -> str | None:
    """The format that a file's name stands for, when it is one of pictures that cannot be opened."""
    return FOREIGN_SUFFIXES.get(Path(name).suffix.lower())


def _is_picture(name: str) -> bool:
    return not name.startswith(".") and Path(name).suffix.lower() in SUFFIXES


def is_beside_a_photo(name: str) -> bool:
    """True for the names of label pictures and results: `room.instances.png`, `room.jpg.far.png`."""
    return _BESIDE_A_PHOTO.search(name.lower()) is not None
