"""Angles of grids of vectors, in loops without branches or tables, which run on the processor's vectors."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from core.geometry.compiled import compiled, frozen

Float = NDArray[np.float64]
F32 = NDArray[np.float32]

ARCTAN = np.array(
    [
        -0.0002666058550987925,
        0.002162828043635403,
        -0.008242022819883591,
        0.019937697232567844,
        -0.03526805434947684,
        0.05045586936116057,
        -0.0636610967334974,
        0.07614257331297936,
        -0.09076800844841298,
        0.11109428718679196,
        -0.1428559243348065,
        0.19999995342779264,
        -0.3333333326254442,
        0.9999999999982006,
    ]
)
"""``arctan(a) / a`` as a polynomial in ``a**2``, highest power first, from values at the Chebyshev points of [0, 1].
Off by 1e-12 at most and without branches, so that the loop runs on vectors: 30 times as fast as the library's."""

ARCTAN_32 = np.array(
    [
        -0.001701170077,
        0.01048764931,
        -0.03035186489,
        0.05708955603,
        -0.08349724974,
        0.109323415,
        -0.1426001608,
        0.1999807528,
        -0.3333327629,
        0.9999999972,
    ],
    np.float32,
)
"""The same for float32, off by 3e-9 before rounding."""

STEPS = 32
"""Of a pixel, to which `cv2.remap` interpolates 8-bit pictures."""


def rays_of_grid(lon: Float, lat: Float, rotation: Float) -> tuple[Float, Float, Float]:
    """The ERP rays at given longitudes and latitudes, as ``rotation.T @ ray``, in the parts that `angles` takes."""
    along_row = np.outer(np.sin(lon), rotation[0]) + np.outer(np.cos(lon), rotation[2])
    return np.cos(lat), np.outer(-np.sin(lat), rotation[1]), along_row


def angles(scale: Float, along_column: Float, along_row: Float) -> tuple[Float, Float]:
    """Angles of the vectors ``scale[i] * along_row[j] + along_column[i]``, of which a grid of rays is made.

    Args:
        scale: (rows,).
        along_column: (rows, 3).
        along_row: (columns, 3).

    Returns:
        Longitudes in turns, from -1/2 to 1/2, and the share of the way from the upper pole to the lower one, from 0 to
        1, both (rows, columns).
    """
    turns = np.empty((len(scale), len(along_row)))
    down = np.empty_like(turns)
    _angles(frozen(scale), frozen(along_column), frozen(along_row.T), turns, down)
    return turns, down


def picture_cells(
    along_column: Float, along_row: Float, across: tuple[float, int], height: int
) -> tuple[NDArray[np.int16], NDArray[np.uint16], tuple[int, int], tuple[int, int]]:
    """Where vectors ``along_row[j] + along_column[i]`` lie on a panorama, rounded to what `cv2.remap` knows.

    Directions are rounded to float32 first. What that changes is far below a step, so that a position differs from the
    one in float64 by one step where it lies in the middle between two. Only within a pixel of a pole, where a step
    along the row is next to nothing on the sphere, it may be a few of them.

    Args:
        along_column: (rows, 3).
        along_row: (columns, 3).
        across: Where the middle of the panorama lies and its width, in pixels; the width below 32,766.
        height: Of the panorama.

    Returns:
        (rows, columns, 2) column and row of the upper left of the four nearest pixels' centres, (rows, columns)
        positions between them, as in `PictureMap`, and the first and the last (row, column) of all. The cells are
        counted from the first.
    """
    middle, width = across
    packed = np.empty((len(along_column), len(along_row)), np.int32)
    shares = np.empty(packed.shape, np.uint16)
    extent = np.empty(4, np.int32)
    scale = (STEPS * width / (2 * math.pi), STEPS * height / math.pi)
    origin = (STEPS * (middle - 0.5), STEPS * (height / 2 - 0.5))
    vectors = frozen(along_column.astype(np.float32)), frozen(along_row.T.astype(np.float32))
    _picture_cells(vectors, scale, origin, packed, shares, extent)
    first_row, first_col, last_row, last_col = (int(value) for value in extent)
    packed -= np.int32((first_row << 16) + first_col)
    # Little-endian, as every processor that numba compiles for: the lower half, which is the column, comes first.
    cells = packed.view(np.int16).reshape(*packed.shape, 2)
    return cells, shares, (first_row, first_col), (last_row, last_col)


@compiled
def _angles(scale: Float, along_column: Float, along_row: Float, turns: Float, down: Float) -> None:
    """The loop behind `angles`."""

    def arctan2(first: float, second: float) -> float:
        small = first if first < second else second
        large = second if first < second else first
        ratio = small / (large if large > 1e-300 else 1e-300)
        square = ratio * ratio
        value = 0.0
        for k in range(len(ARCTAN)):
            value = value * square + ARCTAN[k]
        value *= ratio
        return math.pi / 2 - value if first > second else value

    for i in range(turns.shape[0]):
        for j in range(turns.shape[1]):
            x = scale[i] * along_row[0, j] + along_column[i, 0]
            y = scale[i] * along_row[1, j] + along_column[i, 1]
            z = scale[i] * along_row[2, j] + along_column[i, 2]
            lon = arctan2(abs(x), abs(z))
            lon = math.pi - lon if z < 0 else lon
            turns[i, j] = (-lon if x < 0 else lon) * (0.5 / math.pi)
            angle = arctan2(abs(y), math.sqrt(x * x + z * z))
            down[i, j] = 0.5 + (-angle if y < 0 else angle) * (1 / math.pi)


@compiled
def _picture_cells(
    vectors: tuple[F32, F32],
    scale: tuple[float, float],
    origin: tuple[float, float],
    cells: NDArray[np.int32],
    shares: NDArray[np.uint16],
    extent: NDArray[np.int32],
) -> None:
    """The loop behind `picture_cells`; a cell is its row times 2**16 plus its column, which may be -1."""
    zero, tiny, half_pi, pi = np.float32(0), np.float32(1e-30), np.float32(math.pi / 2), np.float32(math.pi)
    bits, mask, row_bits = np.int32(5), np.int32(STEPS - 1), np.int32(16)

    def arctan2(first: np.float32, second: np.float32) -> np.float32:
        small = first if first < second else second
        large = second if first < second else first
        ratio = small / (large if large > tiny else tiny)
        square = ratio * ratio
        value = zero
        for k in range(len(ARCTAN_32)):
            value = value * square + ARCTAN_32[k]
        value *= ratio
        return half_pi - value if first > second else value

    along_column, along_row = vectors
    xs, ys, zs = along_row[0], along_row[1], along_row[2]
    u_scale, v_scale = np.float32(scale[0]), np.float32(scale[1])
    u_origin, v_origin = np.float32(origin[0]), np.float32(origin[1])
    least_u = least_v = np.int32(2**30)
    most_u = most_v = np.int32(-(2**30))
    for i in range(along_column.shape[0]):
        column_x, column_y, column_z = along_column[i, 0], along_column[i, 1], along_column[i, 2]
        row_cells, row_shares = cells[i], shares[i]
        for j in range(xs.shape[0]):
            x, y, z = xs[j] + column_x, ys[j] + column_y, zs[j] + column_z
            lon = arctan2(abs(x), abs(z))
            lon = pi - lon if z < zero else lon
            lon = -lon if x < zero else lon
            angle = arctan2(abs(y), np.sqrt(x * x + z * z))
            angle = -angle if y < zero else angle
            u = np.int32(np.rint(lon * u_scale + u_origin))
            v = np.int32(np.rint(angle * v_scale + v_origin))
            least_u, most_u = u if u < least_u else least_u, u if u > most_u else most_u
            least_v, most_v = v if v < least_v else least_v, v if v > most_v else most_v
            row_cells[j] = ((v >> bits) << row_bits) + (u >> bits)
            row_shares[j] = ((v & mask) << bits) | (u & mask)
    extent[0], extent[1], extent[2], extent[3] = least_v >> bits, least_u >> bits, most_v >> bits, most_u >> bits
