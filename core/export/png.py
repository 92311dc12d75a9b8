"""PNG pictures with facts in their text chunks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PIL.PngImagePlugin import PngInfo

COMPRESSION = 3


def write_png(pixels: NDArray[np.generic], stream: BinaryIO, *, facts: Mapping[str, str] | None = None) -> None:
    """A grey or colour PNG.

    Args:
        pixels: (h, w) uint8 or uint16, or (h, w, 3) uint8.
        stream: Open for writing.
        facts: Text chunks by keyword.
    """
    text = PngInfo()
    for name, value in (facts or {}).items():
        text.add_text(name, value)
    Image.fromarray(np.ascontiguousarray(pixels)).save(stream, "PNG", compress_level=COMPRESSION, pnginfo=text)


def write_palette_png(pixels: NDArray[np.uint8], palette: NDArray[np.uint8], stream: BinaryIO) -> None:
    """A PNG of indices into a palette.

    Args:
        pixels: (h, w).
        palette: (256, 3) sRGB.
        stream: Open for writing.
    """
    picture = Image.fromarray(np.ascontiguousarray(pixels))
    picture.putpalette(palette.tobytes())
    picture.save(stream, "PNG", compress_level=COMPRESSION)
