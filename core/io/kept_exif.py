"""EXIF data that stay true of a panorama that is written anew: when, where and with what it was taken."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from PIL import ExifTags, Image

from core.errors import UnsupportedImage
from core.io.deep import tiff_directory
from core.io.header import open_picture

_MAKER_NOTE, _PIXEL_WIDTH, _PIXEL_HEIGHT, _INTEROPERABILITY = 0x927C, 0xA002, 0xA003, 0xA005
_ABOUT_THE_PHOTOGRAPH = (270, 271, 272, 305, 306, 315, 316, 33432)
"""Description, make, model, software, date, artist, computer, copyright; a TIFF has them beside those of its pixels."""
_INNER = (int(ExifTags.IFD.Exif), int(ExifTags.IFD.GPSInfo))
_MOST_BYTES = 65_000
"""What a JPEG has room for."""


def kept_exif(path: Path, height: int, width: int) -> bytes | None:
    """The EXIF data of a photograph for a picture of another size that is upright, without a thumbnail and maker notes.

    Args:
        path: Of any format; Radiance HDR and OpenEXR have none.
        height: Rows of the picture.
        width: Its columns.

    Returns:
        As a JPEG has them; None when there are none, or none that can be read.
    """
    try:
        with open_picture(path) as picture:
            is_tiff, data = picture.header.format == "TIFF", picture.exif
    except UnsupportedImage:
        return None
    try:
        exif = _of_tiff(path) if is_tiff else Image.Exif()
        if data and not is_tiff:
            exif.load(data)
        kept = _for_size(exif, height, width)
    except Exception:  # damaged EXIF data makes Pillow raise nearly anything, and nobody misses it
        return None
    return kept if kept is not None and len(kept) <= _MOST_BYTES else None


def _for_size(exif: Image.Exif, height: int, width: int) -> bytes | None:
    exif.pop(ExifTags.Base.Orientation, None)
    inner = exif.get_ifd(ExifTags.IFD.Exif)
    for tag in (_MAKER_NOTE, _INTEROPERABILITY):
        inner.pop(tag, None)
    if inner:
        inner[_PIXEL_WIDTH], inner[_PIXEL_HEIGHT] = width, height
    is_empty = not (exif.get_ifd(ExifTags.IFD.GPSInfo) or inner or len(exif))
    return None if is_empty else exif.tobytes()


def tiff_tags(exif: bytes) -> dict[int, Any]:
    """EXIF data as tags of a TIFF, whose values may be directories of their own.

    Args:
        exif: As from `kept_exif`.
    """
    found = Image.Exif()
    found.load(exif)
    tags = {tag: found[tag] for tag in _ABOUT_THE_PHOTOGRAPH if tag in found}
    return tags | {group: dict(found.get_ifd(group)) for group in _INNER if found.get_ifd(group)}


def _of_tiff(path: Path) -> Image.Exif:
    exif = Image.Exif()
    with path.open("rb") as stream:
        tags = tiff_directory(stream)
        for tag in _ABOUT_THE_PHOTOGRAPH:
            if tag in tags:
                exif[tag] = tags[tag]
        for group in _INNER:
            if group in tags:
                exif.get_ifd(group).update(tiff_directory(stream, tags[group], group))
    return exif
