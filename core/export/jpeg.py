"""The photograph as JPEG inside other files or beside them."""

from __future__ import annotations

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image

QUALITY = 95


def jpeg_bytes(rgb: NDArray[np.uint8]) -> bytes:
    """An (h, w, 3) sRGB picture as JPEG, without halved colours; the same bytes for the same picture."""
    buffer = io.BytesIO()
    Image.fromarray(rgb).save(buffer, "JPEG", quality=QUALITY, subsampling=0)
    return buffer.getvalue()
