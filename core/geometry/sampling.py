"""Resampling of arrays by columns, rows and maps; no directions here, only the two rules of the ERP grid's border.

Values are of four kinds, told apart by their type alone: unsigned integers are pictures and are averaged and rounded;
floats are measurements, NaN where unknown; bool is a mask, True where at least half is covered; signed integers are
labels, which cannot be averaged and are always taken from the nearest pixel.

NaN neither spreads nor vanishes: a mean is taken over the known part, and is unknown where more than half is unknown.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.geometry.compiled import compiled, frozen

MAX_CV2_SIDE = 32766
"""`cv2.remap` counts pixels in 16 bits."""

Image = NDArray[Any]
"""(height, width) or (height, width, channels) of uint8, uint16, float32, float64, bool or a signed integer type."""

RowTaps = tuple[NDArray[np.int64], NDArray[np.float64]]
ColTaps = tuple[int, int, NDArray[np.int64], NDArray[np.float64]]

TIE = 1e-4
"""Added before rounding, so that what is half-way in exact arithmetic is rounded up whatever the last bits are."""


def is_label(image: Image) -> bool:
    """True for the kind of values that cannot be averaged."""
    return bool(np.issubdtype(image.dtype, np.signedinteger))


def size_of(image: Image) -> tuple[int, int]:
    """(height, width).

    Raises:
        ValueError: The shape is not that of a picture or a map.
    """
    if image.ndim not in (2, 3) or 0 in image.shape:
        raise ValueError(f"expected (height, width) or (height, width, channels), got the shape {image.shape}")
    return int(image.shape[0]), int(image.shape[1])


def with_channels(image: Image) -> Image:
    """(height, width, channels), where masks are uint8 0 or 255: what the loops here understand.

    Raises:
        TypeError: The type is none of the four kinds.
    """
    if image.dtype == np.bool_:
        image = image.view(np.uint8) * np.uint8(255)
    elif image.dtype.kind not in "uif" or image.dtype == np.float16:
        raise TypeError(f"expected uint8, uint16, float32, float64, bool or signed labels, got {image.dtype}")
    return image if image.ndim == 3 else image[..., None]


def as_kind_of(values: Image, image: Image) -> Image:
    """Means in float or uint8, (..., channels), as the kind that `image` is and with its number of axes."""
    if image.dtype == np.bool_:
        values = values >= (128 if values.dtype == np.uint8 else 127.5 - TIE)
    elif values.dtype != image.dtype:
        values = np.floor(values + (0.5 + TIE)).astype(image.dtype)
    return values if image.ndim == 3 else values[..., 0]


@dataclass(frozen=True, eq=False)
class Taps:
    """For each output row or column, the run of input pixels that it is the weighted mean of.

    Attributes:
        first: (n,) int64 index of the run's first pixel; may lie outside the image.
        weights: (n, run) float64, not negative, each row sums to 1.
    """

    first: NDArray[np.int64]
    weights: NDArray[np.float64]


def area_taps(centres: NDArray[np.float64], scale: float) -> Taps:
    """Means over a box as wide as an output pixel, but never narrower than an input pixel.

    The image is taken as constant within each pixel: a wider box gives the exact area mean, which keeps the mean of the
    whole, and a box of one input pixel is linear interpolation.

    Args:
        centres: (n,) continuous input coordinates of the output pixels' centres.
        scale: Input pixels per output pixel.
    """
    reach = max(1.0, scale)
    low = centres - reach / 2
    first = np.floor(low + 1e-9).astype(np.int64)
    pixels = first[:, None] + np.arange(int(np.ceil(reach - 1e-9)) + 1)
    weights = np.minimum((low + reach)[:, None], pixels + 1) - np.maximum(low[:, None], pixels)
    # What is left of a pixel only by rounding is not touched: it could be unknown, or beyond the border.
    weights = np.where(weights > 1e-9 * reach, weights, 0.0)
    return Taps(first, weights / weights.sum(axis=1, keepdims=True))


def combine(image: Image, rows: Taps, cols: Taps) -> Image:
    """Weighted means over rows and columns of an ERP map: columns wrap and a pole reflects.

    Args:
        image: (H, W, channels), as from `with_channels`.
        rows: May reach one row beyond either pole.
        cols: In order of increasing `first`; wraps.

    Returns:
        (rows, columns, channels) float64 for float64, else float32.
    """
    height, width, channels = image.shape
    start = int(cols.first.min())
    span = int(cols.first.max()) + cols.weights.shape[1] - start
    out = np.empty(
        (len(rows.first), len(cols.first), channels), np.float64 if image.dtype == np.float64 else np.float32
    )
    loop = _combine_known if image.dtype.kind == "f" else _combine
    loop(
        frozen(image).reshape(height, width * channels),
        frozen(beyond_poles(image)).reshape(2, width * channels),
        (frozen(rows.first), frozen(rows.weights)),
        (start % width, span, frozen(cols.first - start), frozen(cols.weights)),
        out,
    )
    return out


def beyond_poles(image: Image) -> Image:
    """(2, W, channels): the row before the first and the row after the last, which lie across the poles."""
    polar = np.stack([image[0], image[-1]])
    width = image.shape[1]
    turned = np.roll(polar, width // 2, axis=1)
    if width % 2 == 0 or is_label(image):
        return turned
    # Half a turn is half a pixel more than a whole number of columns.
    mean = (turned.astype(np.float64) + np.roll(polar, width // 2 + 1, axis=1)) / 2
    between: Image = (mean if image.dtype.kind == "f" else np.floor(mean + 0.5)).astype(image.dtype)
    return between


def window(image: Image, row: int, col: int, rows: int, cols: int) -> Image:
    """A part of an ERP map as a plain picture; a view where the border is not crossed.

    Args:
        image: (H, W, channels).
        row: First row, from -1; a row beyond a pole is the one across it.
        col: First column, any integer; columns wrap.
        rows: How many; the last may be one beyond the other pole.
        cols: How many; may exceed W.
    """
    height, width, channels = image.shape
    col %= width
    if row >= 0 and row + rows <= height and col + cols <= width:
        return image[row : row + rows, col : col + cols]
    part = np.empty((rows, cols, channels), image.dtype)
    inside = slice(max(0, -row), min(rows, height - row))
    sphere = image[row + inside.start : row + inside.stop]
    polar = beyond_poles(image)
    done = 0
    while done < cols:
        start = (col + done) % width
        count = min(width - start, cols - done)
        part[inside, done : done + count] = sphere[:, start : start + count]
        if row < 0:
            part[0, done : done + count] = polar[0, start : start + count]
        if row + rows > height:
            part[-1, done : done + count] = polar[1, start : start + count]
        done += count
    return part


@dataclass(frozen=True, eq=False)
class Map:
    """Where to look in a picture for each output pixel: where the upper left of the four nearest centres lies.

    Attributes:
        u, v: (rows, columns) int32, column and row in units of 2**-bits pixels.
        bits: Binary places; as many as the picture's size leaves room for.
    """

    u: NDArray[np.int32]
    v: NDArray[np.int32]
    bits: int

    @property
    def nbytes(self) -> int:
        """Size in memory."""
        return self.u.nbytes + self.v.nbytes


@dataclass(frozen=True, eq=False)
class PictureMap:
    """The same for 8-bit pictures, to a 32nd of a pixel, as `cv2.remap` wants it.

    Attributes:
        cells: (rows, columns, 2) int16, the upper left of the four nearest pixels' centres.
        shares: (rows, columns) uint16, the position between them.
    """

    cells: NDArray[np.int16]
    shares: NDArray[np.uint16]

    @property
    def nbytes(self) -> int:
        """Size in memory."""
        return self.cells.nbytes + self.shares.nbytes


def uses_picture_map(image: Image, height: int, width: int, rows: int, cols: int) -> bool:
    """True where `sample` takes a `PictureMap`: 8-bit pictures, read from and written to sizes that cv2 can count."""
    return image.dtype in (np.uint8, np.bool_) and max(height, width, rows, cols) <= MAX_CV2_SIDE


def picture_map(u: NDArray[np.float64], v: NDArray[np.float64]) -> PictureMap:
    """From continuous pixels (u, v), corner-origin, (rows, columns) each."""
    import cv2

    cells, shares = cv2.convertMaps((u - 0.5).astype(np.float32), (v - 0.5).astype(np.float32), cv2.CV_16SC2)
    return PictureMap(np.asarray(cells, np.int16), np.asarray(shares, np.uint16))


def exact_map(u: NDArray[np.float64], v: NDArray[np.float64], height: int, width: int) -> Map:
    """From continuous pixels (u, v), corner-origin, (rows, columns) each, of a picture of the given size."""
    bits = 30 - max(height, width).bit_length()
    fixed = [np.rint((np.asarray(x) - 0.5) * (1 << bits)).astype(np.int32) for x in (u, v)]
    return Map(fixed[0], fixed[1], bits)


def sample(picture: Image, where: Map | PictureMap) -> Image:
    """Linear interpolation in a plain picture; beyond its border the border pixels are continued.

    Args:
        picture: (h, w, channels), as from `with_channels`.
        where: Of any (rows, columns).

    Returns:
        (rows, columns, channels): uint8 for a `PictureMap`, else float64 for float64 and float32 for the rest.
    """
    if isinstance(where, PictureMap):
        import cv2

        seen = cv2.remap(picture, where.cells, where.shares, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        return np.asarray(seen).reshape(*where.shares.shape, picture.shape[2])
    out = np.empty((where.u.size, picture.shape[2]), np.float64 if picture.dtype == np.float64 else np.float32)
    _sample(frozen(picture), frozen(where.u).reshape(-1), frozen(where.v).reshape(-1), where.bits, out)
    return out.reshape(*where.u.shape, picture.shape[2])


def pick(picture: Image, where: Map) -> Image:
    """The nearest pixels of a plain picture, (h, w, channels) of any type; (rows, columns, channels)."""
    half = 1 << (where.bits - 1)
    rows = np.clip((where.v + half) >> where.bits, 0, picture.shape[0] - 1)
    cols = np.clip((where.u + half) >> where.bits, 0, picture.shape[1] - 1)
    nearest: Image = picture[rows, cols]
    return nearest


def shrink(picture: Image, height: int, width: int) -> Image:
    """Area means of a plain picture, (h, w, channels) as from `with_channels`, on a smaller grid; keeps its type."""
    if picture.dtype == np.uint8:
        import cv2

        smaller = cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA)
        return np.asarray(smaller).reshape(height, width, picture.shape[2])
    old_height, old_width = picture.shape[:2]
    rows = area_taps((np.arange(height) + 0.5) * (old_height / height), old_height / height)
    cols = area_taps((np.arange(width) + 0.5) * (old_width / width), old_width / width)
    return combine(picture, rows, cols)


@compiled
def _combine(source: Image, polar: Image, rows: RowTaps, cols: ColTaps, out: Image) -> None:
    """Rows are averaged into a buffer, wrapped, which is then averaged along itself."""
    row_first, row_weights = rows
    start, span, col_first, col_weights = cols
    height, length = source.shape
    channels = out.shape[2]
    line = np.empty(span * channels, np.float32)
    for i in range(out.shape[0]):
        line[:] = 0
        for t in range(row_weights.shape[1]):
            weight = np.float32(row_weights[i, t])
            if weight == 0:
                continue
            row = row_first[i] + t
            values = polar[0] if row < 0 else (polar[1] if row >= height else source[row])
            at = 0
            begin = start * channels
            while at < line.size:
                count = min(length - begin, line.size - at)
                for k in range(count):
                    line[at + k] += weight * np.float32(values[begin + k])
                at += count
                begin = 0
        for j in range(out.shape[1]):
            for c in range(channels):
                total = 0.0
                at = col_first[j] * channels + c
                for t in range(col_weights.shape[1]):
                    total += col_weights[j, t] * line[at]
                    at += channels
                out[i, j, c] = total


@compiled
def _combine_known(source: Image, polar: Image, rows: RowTaps, cols: ColTaps, out: Image) -> None:
    """As `_combine`, with the weight of the finite values carried along."""
    row_first, row_weights = rows
    start, span, col_first, col_weights = cols
    height, length = source.shape
    channels = out.shape[2]
    line = np.empty(span * channels, np.float64)
    known = np.empty(span * channels, np.float64)
    for i in range(out.shape[0]):
        line[:] = 0
        known[:] = 0
        for t in range(row_weights.shape[1]):
            weight = row_weights[i, t]
            if weight == 0:
                continue
            row = row_first[i] + t
            values = polar[0] if row < 0 else (polar[1] if row >= height else source[row])
            at = 0
            begin = start * channels
            while at < line.size:
                count = min(length - begin, line.size - at)
                for k in range(count):
                    value = np.float64(values[begin + k])
                    if value - value == 0:
                        line[at + k] += weight * value
                        known[at + k] += weight
                at += count
                begin = 0
        for j in range(out.shape[1]):
            for c in range(channels):
                total = 0.0
                share = 0.0
                at = col_first[j] * channels + c
                for t in range(col_weights.shape[1]):
                    total += col_weights[j, t] * line[at]
                    share += col_weights[j, t] * known[at]
                    at += channels
                out[i, j, c] = total / share if share >= 0.5 - 1e-9 else np.nan


@compiled
def _sample(picture: Image, u: NDArray[np.int32], v: NDArray[np.int32], bits: int, out: Image) -> None:
    """Linear interpolation of the known of the four nearest values."""
    height, width, channels = picture.shape
    one = 1 << bits
    unit = 1.0 / one
    for n in range(u.size):
        col = u[n] >> bits
        row = v[n] >> bits
        right = (u[n] - (col << bits)) * unit
        down = (v[n] - (row << bits)) * unit
        next_col = min(max(col + 1, 0), width - 1)
        next_row = min(max(row + 1, 0), height - 1)
        col = min(max(col, 0), width - 1)
        row = min(max(row, 0), height - 1)
        for c in range(channels):
            a = np.float64(picture[row, col, c])
            b = np.float64(picture[row, next_col, c])
            d = np.float64(picture[next_row, col, c])
            e = np.float64(picture[next_row, next_col, c])
            upper = a + right * (b - a)
            value = upper + down * (d + right * (e - d) - upper)
            if value - value != 0:
                value = 0.0
                share = 0.0
                if a - a == 0:
                    share += (1 - right) * (1 - down)
                    value += (1 - right) * (1 - down) * a
                if b - b == 0:
                    share += right * (1 - down)
                    value += right * (1 - down) * b
                if d - d == 0:
                    share += (1 - right) * down
                    value += (1 - right) * down * d
                if e - e == 0:
                    share += right * down
                    value += right * down * e
                value = value / share if share >= 0.5 - 1e-9 else np.nan
            out[n, c] = value
