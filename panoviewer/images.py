"""Arrays as `QImage`s that share their memory; parts of a picture that repeats sideways."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PySide6.QtGui import QIcon, QImage, QPixmap

_FORMATS = {3: QImage.Format.Format_RGB888, 4: QImage.Format.Format_RGBA8888_Premultiplied}


def qimage_from_array(array: NDArray[np.uint8]) -> QImage:
    """A `QImage` that shows the array's memory; the array must outlive it.

    Args:
        array: (h, w, 3) RGB or (h, w, 4) premultiplied RGBA uint8 whose rows are contiguous; rows may be far apart, so
            a part of a larger picture costs nothing.

    Raises:
        ValueError: The array has another shape or its pixels do not lie side by side.
    """
    if array.ndim != 3 or array.shape[2] not in _FORMATS or array.dtype != np.uint8:
        raise ValueError(f"an image must be uint8 (h, w, 3 or 4), got {array.dtype} {array.shape}")
    height, width, channels = array.shape
    if array.strides[1:] != (channels, 1):
        raise ValueError(f"the pixels of a row must lie side by side, got strides {array.strides}")
    # sip-like bindings want a buffer, which a strided view is not; the flat bytes from its first pixel on are one.
    span = (height - 1) * array.strides[0] + width * channels
    flat = np.lib.stride_tricks.as_strided(array, shape=(span,), strides=(1,), writeable=False)
    image = QImage(flat.data, width, height, array.strides[0], _FORMATS[channels])
    image._pixels = flat  # type: ignore[attr-defined]  # the memory lives as long as the image
    return image


def untinted(pixmap: QPixmap) -> QIcon:
    """An icon for a list of pictures: one that is selected is seen as it is, too, not in the selection's colour."""
    icon = QIcon()
    for mode in (QIcon.Mode.Normal, QIcon.Mode.Selected):
        icon.addPixmap(pixmap, mode)
    return icon


def columns_around(picture: NDArray[np.uint8], left: int, right: int) -> NDArray[np.uint8]:
    """Columns `left` to `right` of a picture that repeats sideways; no copy unless the range crosses the seam."""
    width = picture.shape[1]
    start, count = left % width, right - left
    if start + count <= width:
        return picture[:, start : start + count]
    parts = [picture[:, start:]]
    count -= width - start
    while count > 0:
        parts.append(picture[:, : min(count, width)])
        count -= width
    return np.concatenate(parts, axis=1)
