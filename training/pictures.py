"""Pictures to look at, as files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from core.errors import ExportError
from core.io.atomic import atomic_file

_FORMATS = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG"}
_QUALITY = 90


def check_picture(path: Path | None) -> None:
    """Refuse the name of a picture that is to be written when all else is done.

    Raises:
        ExportError: It has another ending.
    """
    if path is not None and path.suffix.lower() not in _FORMATS:
        raise ExportError(f"Expected the name of a picture, ending in {', '.join(_FORMATS)}; choose one: {path}")


def write_picture(rgb: NDArray[np.uint8], path: Path) -> None:
    """Write (h, w, 3) sRGB as PNG or JPEG, as the name's ending says.

    Raises:
        ExportError: Another ending, or the file cannot be written.
    """
    check_picture(path)
    with atomic_file(path) as stream:
        Image.fromarray(np.ascontiguousarray(rgb)).save(stream, _FORMATS[path.suffix.lower()], quality=_QUALITY)


def tinted(rgb: NDArray[np.uint8], mask: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """(h, w, 3) a picture with a mask (h, w) in red."""
    red = np.array([255, 40, 40], np.uint8)
    shown: NDArray[np.uint8] = np.where(mask[..., None], rgb // 2 + red // 2, rgb)
    return shown
