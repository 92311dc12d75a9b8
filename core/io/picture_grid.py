"""Masks in the pixels of a picture file, which are not those of the sphere where it shows only a part of it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from core.errors import UnsupportedImage
from core.geometry.regions import Bits
from core.io.header import read_header
from core.io.placement import Assume, Placement, place
from core.mask import SphereMask


@dataclass(frozen=True, eq=False)
class FlatMask:
    """A mask in a flat picture, which ends at its borders.

    Attributes:
        height, width: Of the picture.
        row, col: Top left pixel of the smallest box that holds it.
        bits: (rows, cols) bool, the box.
        is_cut: It went across the seam and lies at both sides of the picture now.
        outside: Pixels of the sphere that the picture does not show.
    """

    height: int
    width: int
    row: int
    col: int
    bits: Bits
    is_cut: bool = False
    outside: int = 0

    @classmethod
    def of(cls, bits: Bits, row: int = 0, col: int = 0, size: tuple[int, int] | None = None) -> FlatMask:
        """From a part of a picture that begins at (row, col); by default from all of it."""
        height, width = bits.shape if size is None else size
        rows, cols = np.flatnonzero(bits.any(axis=1)), np.flatnonzero(bits.any(axis=0))
        if not len(rows):
            return cls(height, width, 0, 0, np.zeros((0, 0), np.bool_))
        top, left = int(rows[0]), int(cols[0])
        return cls(height, width, row + top, col + left, bits[top : int(rows[-1]) + 1, left : int(cols[-1]) + 1])

    @property
    def is_empty(self) -> bool:
        """True when nothing is inside."""
        return self.bits.size == 0

    @property
    def count(self) -> int:
        """Pixels inside."""
        return int(np.count_nonzero(self.bits))

    @property
    def box(self) -> tuple[int, int, int, int]:
        """x, y, width and height of the box, in pixels."""
        rows, cols = self.bits.shape
        return self.col, self.row, cols, rows

    @property
    def corner(self) -> NDArray[np.int32]:
        """(2,) the box's top left pixel corner (x, y)."""
        return np.array([self.col, self.row], np.int32)

    def paint(self, canvas: NDArray[np.generic], value: int) -> None:
        """Write a value into the pixels inside of a canvas of the picture's size."""
        rows, cols = self.bits.shape
        canvas[self.row : self.row + rows, self.col : self.col + cols][self.bits] = value


@dataclass(frozen=True)
class PictureGrid:
    """Where the pixels of a picture lie on its full sphere.

    Attributes:
        height, width: Of the picture as it is shown.
        placement: Of the picture on the grid of the sphere.
        orientation: EXIF orientation that a reader has to apply to see it so.
    """

    height: int
    width: int
    placement: Placement
    orientation: int = 1

    @classmethod
    def whole(cls, height: int, width: int) -> PictureGrid:
        """Of a picture that is the grid of its sphere."""
        return cls(height, width, Placement(height, width, height=height, width=width))

    @classmethod
    def of_file(cls, path: Path, size: tuple[int, int] | None = None, assume: Assume | None = None) -> PictureGrid:
        """Of a picture file, by its header.

        Args:
            path: Of the picture.
            size: (height, width) of the full sphere that its masks have, where there are some.
            assume: As for `core.io.images.read_panorama`.

        Raises:
            UnsupportedImage: It cannot be opened, is a cube map or fisheye, or its sphere has another size.
        """
        header = read_header(path)
        placement = place(header, assume)
        if placement.source is not None:
            raise UnsupportedImage(
                "Expected a picture whose rows and columns are those of the sphere, got a cube map or fisheye circles; "
                f"make an equirectangular one of it with 'panoviewer convert': {path}"
            )
        if size is not None and size != (placement.full_height, placement.full_width):
            raise UnsupportedImage(
                f"The annotations were made on a picture of {size[1]} x {size[0]}, this one has "
                f"{placement.full_width} x {placement.full_height}; put the original back: {path}"
            )
        return cls(header.height, header.width, placement, header.orientation)

    @property
    def is_resampled(self) -> bool:
        """True when the pixels of the picture are not those of the sphere's grid."""
        return (self.placement.height, self.placement.width) != (self.height, self.width)

    def to_picture(self, mask: SphereMask) -> FlatMask:
        """A mask of the sphere in the picture.

        Raises:
            ValueError: The mask lies on another grid.
        """
        part = self.placement
        if mask.size != (part.full_height, part.full_width):
            raise ValueError(f"expected a mask of {(part.full_height, part.full_width)}, got {mask.size}")
        row, rows = mask.row - part.top, mask.rows
        col, cols = (mask.col - part.left) % mask.width, mask.cols
        is_cut = part.width == mask.width and (col + cols > mask.width or cols == mask.width)
        if self.is_resampled:
            row, rows = 0, part.height
        if is_cut or self.is_resampled or col + cols > part.width:
            col, cols = 0, part.width
        row, below = max(row, 0), min(row + rows, part.height)
        if mask.is_empty or row >= below:
            return FlatMask(self.height, self.width, 0, 0, np.zeros((0, 0), np.bool_), outside=mask.count)
        bits = mask.window(part.top + row, part.left + col, below - row, cols)
        outside = mask.count - int(np.count_nonzero(bits))
        if self.is_resampled:
            bits = _nearest(bits, self.height, self.width)
        flat = FlatMask.of(bits, row, col, (self.height, self.width))
        return replace(flat, is_cut=is_cut, outside=outside)

    def to_sphere(self, bits: Bits, row: int = 0, col: int = 0) -> SphereMask:
        """A mask of the picture, or of a part of it that begins at (row, col), on the sphere.

        Raises:
            ValueError: It does not fit into the picture.
        """
        rows, cols = bits.shape
        if row < 0 or col < 0 or row + rows > self.height or col + cols > self.width:
            raise ValueError(f"a part of {bits.shape} at {(row, col)} does not fit into {(self.height, self.width)}")
        part = self.placement
        if self.is_resampled:
            picture = np.zeros((self.height, self.width), np.bool_)
            picture[row : row + rows, col : col + cols] = bits
            bits, row, col = _nearest(picture, part.height, part.width), 0, 0
        return SphereMask.from_window(
            part.full_height, part.full_width, part.top + row, (part.left + col) % part.full_width, bits
        )


def _nearest(bits: Bits, height: int, width: int) -> Bits:
    """On a grid of another size: what lies under the centres of its pixels."""
    rows = (2 * np.arange(height) + 1) * bits.shape[0] // (2 * height)
    cols = (2 * np.arange(width) + 1) * bits.shape[1] // (2 * width)
    nearest: Bits = bits[rows][:, cols]
    return nearest
