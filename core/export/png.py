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
    Image.fromarray(np.ascontiguousarray(pixels)).save(
        stream, "PNG", compress_level=COMPRESSION, pnginfo=_text(facts or {})
    )


def write_palette_png(
    pixels: NDArray[np.uint8],
    palette: NDArray[np.uint8],
    stream: BinaryIO,
    *,
    facts: Mapping[str, str] | None = None,
) -> None:
    """A PNG of indices into a palette.

    Args:
        pixels: (h, w).
        palette: (256, 3) sRGB.
        stream: Open for writing.
        facts: Text chunks by keyword.
    """
    picture = Image.fromarray(np.ascontiguousarray(pixels))
    picture.putpalette(palette.tobytes())
    picture.save(stream, "PNG", compress_level=COMPRESSION, pnginfo=_text(facts or {}))


def _text(facts: Mapping[str, str]) -> PngInfo:
    text = PngInfo()
    for name, value in facts.items():
        text.add_text(name, value)
    return text
