"""Arrays as `QImage`s that share their memory; the pyramid that a view draws from."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PySide6.QtGui import QIcon, QImage, QPixmap

from core.geometry.camera import Camera
from core.geometry.warp import resize_erp
from panoviewer.look import bounds

SMALLEST_WIDTH = 256
MAX_DETAIL_PX = 4096
"""Longest side of the part that is shown sharper than the texture."""

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


@dataclass(frozen=True, eq=False)
class Detail:
    """A part of an ERP picture.

    Attributes:
        picture: (h, w, channels) its pixels.
        u, v: Where its corner lies, as shares of the whole picture's width and height; u may be below 0.
        width, height: How much of the whole picture it covers, as shares.
    """

    picture: NDArray[np.uint8]
    u: float
    v: float
    width: float
    height: float


@dataclass(frozen=True, eq=False)
class Pyramid:
    """An ERP picture at full, half, quarter, ... size, so that each view reads about as many pixels as it shows.

    Attributes:
        levels: Largest first; each (h, w, channels) uint8, C-contiguous.
    """

    levels: tuple[NDArray[np.uint8], ...]

    @classmethod
    def of(cls, picture: NDArray[np.uint8]) -> Pyramid:
        """Build it; the largest level is `picture` itself. Costs about 30 ms for 4096 x 2048: not for the UI thread."""
        levels = [np.ascontiguousarray(picture)]
        while levels[-1].shape[1] >= 2 * SMALLEST_WIDTH:
            height, width = levels[-1].shape[:2]
            levels.append(np.ascontiguousarray(resize_erp(levels[-1], height // 2, width // 2)))
        return cls(tuple(levels))

    def level_for(self, pixels_per_turn: float) -> int:
        """Index of the smallest level with at least that many columns, or 0."""
        for index in range(len(self.levels) - 1, 0, -1):
            if self.levels[index].shape[1] >= pixels_per_turn:
                return index
        return 0

    def detail(self, camera: Camera, base_width: int) -> Detail | None:
        """What a camera of the photograph's frame sees, sharper than a picture `base_width` wide shows it.

        Returns:
            The part of the smallest level with as many pixels as the camera, or of the largest that fits within
            `MAX_DETAIL_PX`; None when no level that is wider than `base_width` is needed or fits.
        """
        west, east, south, north = bounds(camera)
        for index in range(self.level_for(2 * math.pi * camera.focal_px), len(self.levels)):
            level = self.levels[index]
            height, width = level.shape[:2]
            if width <= base_width:
                return None
            left = math.floor((west / (2 * math.pi) + 0.5) * width) - 2
            right = math.ceil((east / (2 * math.pi) + 0.5) * width) + 2
            upper = max(math.floor((0.5 - north / math.pi) * height) - 2, 0)
            lower = min(math.ceil((0.5 - south / math.pi) * height) + 2, height)
            if max(right - left, lower - upper) <= MAX_DETAIL_PX:
                piece = np.ascontiguousarray(columns_around(level[upper:lower], left, right))
                return Detail(piece, left / width, upper / height, (right - left) / width, (lower - upper) / height)
        return None


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
