"""A yes or no for every direction, small enough to keep hundreds of them."""

from __future__ import annotations

import math
import zlib
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from core.errors import ProjectError
from core.geometry.dilation import dilate, erode
from core.geometry.regions import Bits, shortest_arc
from core.geometry.sphere import lonlat_to_pixels, solid_angle
from core.geometry.warp import resize_erp, turn_erp

MAX_STORED_PIXELS = 1 << 30
"""Pixels in the box of a mask that is read from a file; a 32K panorama has half as many."""
STORED_BYTES_PER_PIXEL = 3
"""What reading a mask takes at its height: the bits of its box as bytes, a smaller box of them, and both packed."""

_DEFLATE_LEVEL = 1


@dataclass(frozen=True, eq=False)
class SphereMask:
    """A mask on an ERP grid, held as the deflated bits of its smallest box.

    The box may run across the seam: its columns are counted on modulo the width. Two masks of the same directions on
    the same grid hold the same bytes. A mask never takes more than an eighth of a byte for each pixel of its box, and
    a few bytes.

    Attributes:
        height, width: Of the grid.
        row, col: Top left pixel of the box.
        rows, cols: Size of the box; 0 when nothing is inside.
        count: Pixels inside.
        data: Deflated bits of the box, row by row, eight to a byte, the highest first; no padding between rows.
    """

    height: int
    width: int
    row: int
    col: int
    rows: int
    cols: int
    count: int
    data: bytes = field(repr=False)

    def __post_init__(self) -> None:
        _check_box(self.size, self.row, self.col, self.rows, self.cols, self.count)

    @classmethod
    def pack(cls, bits: Bits) -> SphereMask:
        """From (height, width) bool.

        Raises:
            ValueError: Not a two-dimensional bool array.
        """
        if bits.ndim != 2:
            raise ValueError(f"expected a bool array (height, width), got {bits.dtype} {bits.shape}")
        return cls.from_window(bits.shape[0], bits.shape[1], 0, 0, bits)

    @classmethod
    def from_window(cls, height: int, width: int, row: int, col: int, bits: Bits) -> SphereMask:
        """From a part of the grid outside of which nothing is inside.

        Args:
            height: Of the grid.
            width: Of the grid.
            row: First row of the part.
            col: First column of the part, any; columns wrap.
            bits: (rows, cols) bool, at most as wide as the grid.

        Raises:
            ValueError: Not a bool array, or it does not fit into the grid.
        """
        if bits.ndim != 2 or bits.dtype != np.bool_:
            raise ValueError(f"expected a bool array (rows, cols), got {bits.dtype} {bits.shape}")
        if row < 0 or row + bits.shape[0] > height or bits.shape[1] > width:
            raise ValueError(f"a part of {bits.shape} at row {row} does not fit into a grid of {(height, width)}")
        filled = np.flatnonzero(bits.any(axis=1))
        if not len(filled):
            return cls.empty(height, width)
        bits = bits[int(filled[0]) : int(filled[-1]) + 1]
        used = np.zeros(width, np.bool_)
        used[: bits.shape[1]] = bits.any(axis=0)
        first, cols = shortest_arc(np.roll(used, col))
        box = _columns(bits, (first - col) % width, cols, width)
        count = int(np.count_nonzero(box))
        return cls(height, width, row + int(filled[0]), first, box.shape[0], cols, count, _deflate(box))

    @classmethod
    def from_stored(
        cls, height: int, width: int, row: int, col: int, rows: int, cols: int, count: int, data: bytes
    ) -> SphereMask:
        """The mask that a file describes, by the attributes of this class, from whoever may have written it.

        The box need not be the smallest; the result is packed anew. No more is unpacked than the box holds.

        Raises:
            ProjectError: The numbers do not fit together, or the data are damaged.
        """
        try:
            _check_box((height, width), row, col, rows, cols, count)
        except ValueError as error:
            raise ProjectError(f"A mask in this file is damaged: {error}; restore the file from a copy.") from error
        if rows * cols > MAX_STORED_PIXELS:
            raise ProjectError(
                f"A mask may have a box of {MAX_STORED_PIXELS:,} pixels, got {rows} x {cols}; make it again on a "
                "smaller picture."
            )
        bits = np.unpackbits(_inflate(data, (rows * cols + 7) // 8))
        if np.any(bits[rows * cols :]):
            raise ProjectError("A mask in this file is damaged: bits lie beyond its box; restore the file from a copy.")
        box = bits[: rows * cols].reshape(rows, cols).view(np.bool_)
        mask = cls.from_window(height, width, row, col, box)
        if mask.count != count:
            raise ProjectError(
                f"A mask in this file is damaged: expected {count} pixels inside, got {mask.count}; "
                "restore the file from a copy."
            )
        return mask

    @classmethod
    def empty(cls, height: int, width: int) -> SphereMask:
        """Nothing inside."""
        return cls(height, width, 0, 0, 0, 0, 0, b"")

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) of the grid."""
        return self.height, self.width

    @property
    def is_empty(self) -> bool:
        """True when nothing is inside."""
        return self.count == 0

    def box(self) -> Bits:
        """(rows, cols) bool: the mask within its box, whose column 0 is `col`; the caller's own."""
        if self.is_empty:
            return np.zeros((0, 0), np.bool_)
        packed = np.frombuffer(zlib.decompress(self.data), np.uint8)
        bits = np.unpackbits(packed, count=self.rows * self.cols)
        return bits.reshape(self.rows, self.cols).view(np.bool_)

    def unpack(self) -> Bits:
        """(height, width) bool, the caller's own."""
        bits = np.zeros(self.size, np.bool_)
        self._lay(bits, 0, 0)
        return bits

    def window(self, row: int, col: int, rows: int, cols: int) -> Bits:
        """A part of the grid as (rows, cols) bool, the caller's own.

        Args:
            row: First row.
            col: First column, any; columns wrap.
            rows: How many, within the grid.
            cols: How many, at most the grid's width.
        """
        bits = np.zeros((rows, cols), np.bool_)
        self._lay(bits, row, col)
        return bits

    def paint(self, canvas: NDArray[Any], value: bool | int | tuple[int, ...]) -> None:
        """Write a value into the pixels of `canvas`, (height, width, ...), that are inside.

        Raises:
            ValueError: The canvas has another grid.
        """
        if canvas.shape[:2] != self.size:
            raise ValueError(f"expected a canvas of {self.size}, got {canvas.shape[:2]}")
        if self.is_empty:
            return
        box = self.box()
        rows = slice(self.row, self.row + self.rows)
        left = min(self.cols, self.width - self.col)
        canvas[rows, self.col : self.col + left][box[:, :left]] = value
        canvas[rows, : self.cols - left][box[:, left:]] = value

    def contains(self, lon: float, lat: float) -> bool:
        """Whether the pixel in a direction is inside; radians."""
        rows, cols = lonlat_to_pixels(lon, lat, self.height, self.width)
        row, col = int(rows) - self.row, (int(cols) - self.col) % self.width
        if not (0 <= row < self.rows and col < self.cols):
            return False
        index = row * self.cols + col
        packed = zlib.decompressobj().decompress(self.data, index // 8 + 1)
        return bool(packed[index // 8] >> (7 - index % 8) & 1)

    def solid_angle(self) -> float:
        """Steradian inside, exactly."""
        return self._area(self.row, self.box())

    def shared_solid_angle(self, other: SphereMask) -> float:
        """Steradian inside both."""
        small, large = sorted((self, self._same_grid(other)), key=lambda mask: mask.rows * mask.cols)
        return self._area(small.row, small.box() & large.window(small.row, small.col, small.rows, small.cols))

    def iou(self, other: SphereMask) -> float:
        """Solid angle of what both share over that of what either holds; 1 when both are empty."""
        shared = self.shared_solid_angle(other)
        either = self.solid_angle() + other.solid_angle() - shared
        return shared / either if either > 0 else 1.0

    def same_as(self, other: SphereMask) -> bool:
        """Whether both hold the same pixels of the same grid."""
        return (self.size, self.row, self.col, self.rows, self.cols, self.data) == (
            other.size, other.row, other.col, other.rows, other.cols, other.data
        )  # fmt: skip

    def __or__(self, other: SphereMask) -> SphereMask:
        if self._same_grid(other).is_empty or self.is_empty:
            return self if other.is_empty else other
        row = min(self.row, other.row)
        rows = max(self.row + self.rows, other.row + other.rows) - row
        used = np.zeros(self.width, np.bool_)
        for mask in (self, other):
            used[np.arange(mask.col, mask.col + mask.cols) % self.width] = True
        col, cols = shortest_arc(used)
        bits = self.window(row, col, rows, cols)
        bits |= other.window(row, col, rows, cols)
        return SphereMask.from_window(self.height, self.width, row, col, bits)

    def __and__(self, other: SphereMask) -> SphereMask:
        small, large = sorted((self, self._same_grid(other)), key=lambda mask: mask.rows * mask.cols)
        bits = small.box() & large.window(small.row, small.col, small.rows, small.cols)
        return SphereMask.from_window(self.height, self.width, small.row, small.col, bits)

    def __sub__(self, other: SphereMask) -> SphereMask:
        bits = self.box() & ~self._same_grid(other).window(self.row, self.col, self.rows, self.cols)
        return SphereMask.from_window(self.height, self.width, self.row, self.col, bits)

    def __invert__(self) -> SphereMask:
        return SphereMask.pack(~self.unpack())

    def resized(self, height: int, width: int) -> SphereMask:
        """The same directions on another grid: a pixel is inside when at least half of its area is."""
        if (height, width) == self.size:
            return self
        return SphereMask.pack(resize_erp(self.unpack(), height, width))

    def turned(self, turned_from_world: ArrayLike) -> SphereMask:
        """The mask of what came to lie elsewhere: what lay in direction d lies in direction `turned_from_world @ d`.

        A turn about the vertical by whole columns is exact.

        Args:
            turned_from_world: (3, 3) rotation.
        """
        return SphereMask.pack(turn_erp(self.unpack(), turned_from_world))

    def dilated(self, angle: float) -> SphereMask:
        """With all pixels whose centres lie within an angle, in radians, of the centre of a pixel inside."""
        row, strip = self._strip(angle)
        wide = dilate(strip, angle, height=self.height, row=row)
        return SphereMask.from_window(self.height, self.width, row, 0, wide)

    def eroded(self, angle: float) -> SphereMask:
        """Without all pixels whose centres lie within an angle, in radians, of the centre of a pixel outside."""
        row, strip = self._strip(angle)
        narrow = erode(strip, angle, height=self.height, row=row)
        return SphereMask.from_window(self.height, self.width, row, 0, narrow)

    def _strip(self, angle: float) -> tuple[int, Bits]:
        """First row and bits of the full circles that lie within an angle of the box."""
        reach = math.ceil(min(max(angle, 0.0), math.pi) / math.pi * self.height)
        top, below = max(0, self.row - reach), min(self.height, self.row + self.rows + reach)
        return top, self.window(top, 0, below - top, self.width)

    def _lay(self, canvas: Bits, row: int, col: int) -> None:
        """Copy what lies in `canvas`, whose top left pixel is (row, col) of the grid."""
        top, below = max(self.row, row), min(self.row + self.rows, row + canvas.shape[0])
        if top >= below:
            return
        box = self.box()[top - self.row : below - self.row]
        # The box begins somewhere in the canvas, or the canvas somewhere in the box, or each in the other.
        for to in {(self.col - col) % self.width, (self.col - col) % self.width - self.width}:
            left, right = max(0, to), min(canvas.shape[1], to + self.cols)
            if left < right:
                canvas[top - row : below - row, left:right] = box[:, left - to : right - to]

    def _area(self, row: int, bits: Bits) -> float:
        per_pixel = solid_angle(self.height, self.width)[row : row + bits.shape[0], 0]
        # One call per row counts bytes in bulk; with an axis, numpy adds integers one by one.
        return math.fsum(np.count_nonzero(line) * area for line, area in zip(bits, per_pixel, strict=True))

    def _same_grid(self, other: SphereMask) -> SphereMask:
        if other.size != self.size:
            raise ValueError(f"expected a mask of {self.size}, got {other.size}")
        return other


def _check_box(size: tuple[int, int], row: int, col: int, rows: int, cols: int, count: int) -> None:
    height, width = size
    if height < 1 or width < 1:
        raise ValueError(f"a grid has at least one pixel, got {height} x {width} (height x width)")
    if (rows, cols, count) == (0, 0, 0) and (row, col) == (0, 0):
        return
    if not (0 <= row < row + rows <= height and 0 <= col < width and 1 <= cols <= width):
        raise ValueError(f"a box of {rows} x {cols} at ({row}, {col}) does not fit into a grid of {height} x {width}")
    if not 1 <= count <= rows * cols:
        raise ValueError(f"a box of {rows} x {cols} cannot have {count} pixels inside")


def _columns(bits: Bits, first: int, count: int, width: int) -> Bits:
    """Columns of a part of a grid that wraps after `width` columns and is empty beyond the part."""
    if first + count <= bits.shape[1]:
        return bits[:, first : first + count]
    beyond = np.zeros((bits.shape[0], width - bits.shape[1]), np.bool_)
    return np.concatenate([bits[:, first:], beyond, bits[:, : first + count - width]], axis=1)


def _deflate(bits: Bits) -> bytes:
    return zlib.compress(np.packbits(bits).tobytes(), _DEFLATE_LEVEL)


def _inflate(data: bytes, expected: int) -> NDArray[np.uint8]:
    """Exactly `expected` bytes, whatever `data` would unpack to.

    Raises:
        ProjectError: They are not what `data` holds.
    """
    decoder = zlib.decompressobj()
    try:
        packed = decoder.decompress(data, expected + 1)
    except zlib.error as error:
        raise ProjectError("A mask in this file is damaged; restore the file from a copy.") from error
    if len(packed) != expected or decoder.unused_data or not (decoder.eof or data == b""):
        raise ProjectError(
            "A mask in this file is damaged: its data end too early or too late; restore it from a copy."
        )
    return np.frombuffer(packed, np.uint8)
