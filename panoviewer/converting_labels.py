"""Pictures of numbers in and out of ``panoviewer convert``: classes, masks, instances, depth in 16 bits.

Their numbers are never mixed: every pixel of the result is one of the input's, the one that lies nearest.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFile, PngImagePlugin

from core.errors import UnsupportedImage
from core.export.panorama import cube_faces
from core.geometry.warp import resize_erp, turn_erp
from core.io.header import check_is_file
from core.io.memory import default_memory_budget, format_bytes
from core.panorama import is_full_sphere

LABELS = (".classes.png", ".far.png", ".depth.png", ".instances.png")
"""How names of such pictures end that `panoviewer predict` or an export writes."""
_DEEP = ("I;16", "I;16B", "I")
_NEEDED_BYTES = 16
"""Per pixel: as decoded, as numbers, turned and resized."""


@dataclass(frozen=True, eq=False)
class Labels:
    """A grey or indexed PNG of the full sphere.

    Attributes:
        numbers: (h, w) int32.
        mode: Pillow's name of how they are kept: 'L', 'P' or 'I;16'.
        palette: Of an indexed one.
        texts: What stands in its text chunks, such as the scale of depth.
    """

    numbers: NDArray[np.int32]
    mode: str
    palette: bytes | None
    texts: dict[str, str]


def read_labels(path: Path) -> Labels:
    """A picture of numbers.

    Raises:
        UnsupportedImage: It holds something else.
    """
    check_is_file(path)
    try:
        with PngImagePlugin.PngImageFile(path) as picture:
            check_size(picture, path)
            mode = "I;16" if picture.mode in _DEEP else "L" if picture.mode == "1" else picture.mode
            numbers = np.asarray(picture.convert("L") if picture.mode == "1" else picture).astype(np.int32)
            texts = {str(key): str(value) for key, value in picture.text.items()}
            palette = picture.palette.tobytes() if picture.mode == "P" and picture.palette is not None else None
    except (OSError, SyntaxError, ValueError, EOFError, LookupError, zlib.error, MemoryError) as error:
        raise UnsupportedImage(
            f"Expected a complete PNG picture of numbers, got none that can be read: {path}"
        ) from error
    if numbers.ndim != 2 or mode not in ("L", "P", "I;16"):
        raise UnsupportedImage(f"Expected a grey or indexed PNG picture of numbers, got colours: {path}")
    if not is_full_sphere(*numbers.shape):
        height, width = numbers.shape
        raise UnsupportedImage(f"Expected w = 2 h, got {width} x {height} (width x height): {path}")
    return Labels(numbers, mode, palette, texts)


def check_size(picture: ImageFile.ImageFile, path: Path) -> None:
    """Refuse what would not fit into the memory, before any of it is decoded.

    Raises:
        UnsupportedImage: It is too large.
    """
    needed, allowed = picture.width * picture.height * _NEEDED_BYTES, default_memory_budget()
    if needed > allowed:
        raise UnsupportedImage(
            f"Turning a picture of {picture.width} x {picture.height} needs {format_bytes(needed)} of memory, "
            f"{format_bytes(allowed)} may be used; close other programs or use a smaller copy: {path}"
        )


def turned_labels(numbers: NDArray[np.int32], turn: NDArray[np.float64], width: int | None) -> NDArray[np.int32]:
    """The numbers in another frame and of another size."""
    if not np.allclose(turn, np.eye(3), atol=1e-12):
        numbers = turn_erp(numbers, turn, nearest=True)
    if width is None:
        return numbers
    return resize_erp(numbers, max(2, width // 2), 2 * max(2, width // 2), nearest=True)


def label_faces(numbers: NDArray[np.int32], side: int) -> list[NDArray[np.int32]]:
    """The six faces of a cube map, in the order of `core.geometry.cube.FACES`."""
    return cube_faces(numbers, side)


def write_labels(numbers: NDArray[np.int32], like: Labels, stream: BinaryIO) -> None:
    """A PNG that keeps its numbers, its palette and its text chunks as `like` does."""
    picture = Image.fromarray(numbers.astype(np.uint16 if like.mode == "I;16" else np.uint8))
    if like.palette is not None:
        picture.putpalette(like.palette)
    chunks = PngImagePlugin.PngInfo()
    for key, value in like.texts.items():
        chunks.add_text(key, value)
    picture.save(stream, "PNG", pnginfo=chunks)
